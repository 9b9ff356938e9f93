#!/bin/sh
# What `cmake --install` installs can be used in each way that docs/library.md shows, and, with the word source, so can the
# sources within another project: check_install.sh CMAKE BUILD SOURCE CXX [source]
set -eu
cmake=$1 build=$2 source=$3
CXX=$4
export CXX
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix r2pac=$build/bin/r2pac
cd "$scratch"

# Acts for a tenth of a second with a policy of a few steps of training.
acts() {  # name, arguments of cmake
  name=$1
  shift
  echo "$name"
  "$r2pac" data make reach-avoid -o data.hdf5 --episodes 30 --seed 3 >/dev/null
  [ -d run ] || "$r2pac" train --data data.hdf5 --hidden 24,24 --batch 64 --steps 20 --out run >/dev/null 2>&1
  "$cmake" -S "$source/examples/control_loop" -B "$name" "$@" >log 2>&1 &&
    "$cmake" --build "$name" -j 2 >log 2>&1 || { cat log; exit 1; }
  "$name/control_loop" run 0.1 50 | tee out
  grep -q 'failed 0' out
}

if [ "${5-}" = source ]; then
  # Nothing of a type of build, which compiles fastest. A compiler cache makes the objects once.
  ! command -v ccache >/dev/null || export CMAKE_CXX_COMPILER_LAUNCHER=ccache
  acts source -DR2PAC=source -DR2PAC_SOURCE="$source" -DCMAKE_BUILD_TYPE=Plain
  exit
fi

"$cmake" --install "$build" --prefix "$prefix" >"$scratch/log" || { cat "$scratch/log"; exit 1; }
r2pac=$prefix/bin/r2pac
"$r2pac" --version
grep -q '^\.TH R2PAC 1' "$prefix/share/man/man1/r2pac.1"
for file in bash-completion/completions/r2pac zsh/site-functions/_r2pac fish/vendor_completions.d/r2pac.fish; do
  grep -q -- candidates "$prefix/share/$file" || { echo "share/$file does not complete"; exit 1; }
done
head -n 1 "$prefix/share/zsh/site-functions/_r2pac" | grep -qx '#compdef r2pac'
acts package -DCMAKE_PREFIX_PATH="$prefix"
# It brings the Python code that talks to simulators, whatever this Python lacks then.
R2PAC_SIMULATORS_PYTHON=python3 "$r2pac" eval run --env NoSuchTask-v0 --episodes 1 >out 2>&1 || true
grep -q env_server out && ! grep -q 'No module named .\{0,1\}r2pac' out || { cat out; exit 1; }
libraries=$(dirname "$(find "$prefix" -name r2pac.pc)")/..
if command -v pkg-config >/dev/null; then
  PKG_CONFIG_PATH=$libraries/pkgconfig LD_LIBRARY_PATH=$libraries acts pkgconfig -DR2PAC=pkgconfig
else
  echo "not tried: there is no pkg-config"
fi
# The static library, by hand.
${CC:-cc} -std=c11 -I"$prefix/include" -c "$source/examples/control_loop/control_loop.c" -o loop.o
"$CXX" loop.o "$libraries/libr2pac.a" -lpthread -lm -o control_loop
./control_loop run 0.1 50 | grep 'failed 0'
