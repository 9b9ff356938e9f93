#!/bin/sh
# The library keeps what library/abi.txt promises (functions with their version, structures, numbers), links nothing but
# C, C++ and maths, and knows no way to end a process or to handle a signal: check_abi.sh libr2pac.so print_abi [--write]. Exit status 77 without binutils.
set -eu
library=$1 print_abi=$2
cd "$(dirname "$0")/.."
command -v readelf >/dev/null && command -v nm >/dev/null || { echo "skipped: there are no binutils"; exit 77; }

functions() { nm -D --defined-only "$1" | awk '{ print $2, $3 }' | LC_ALL=C sort; }
now=$({ functions "$library"; "$print_abi"; })
[ "${3-}" != --write ] || printf '%s\n' "$now" >library/abi.txt
printf '%s\n' "$now" | diff library/abi.txt - || {
  echo "the interface has changed: programs that were built before break. Add, but do not change (docs/library.md)"
  exit 1
}

# A robot's process is not the library's to end, and its signals are not its to handle.
! nm -D --undefined-only "$library" | grep -E ' (signal|sigaction|exit|_exit|_Exit|quick_exit|abort|fork|execve)(@|$)' || {
  echo "the library may end the process or touch signals"
  exit 1
}

needed() { readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | LC_ALL=C sort; }
! needed "$library" | grep -vxE 'lib(c|m|stdc\+\+|gcc_s|pthread)\.so\.[0-9]+|ld-linux.*' || {
  echo "the library links more than C, C++ and maths"
  exit 1
}
needed "$library" | grep -qx 'libc\.so\.6'  # the check sees something
