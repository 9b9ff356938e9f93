#!/bin/sh
# The build's commit in a repository, with changes, and without a repository; what did not change is not
# written again: check_commit.sh CMAKE
cmake=$1
script=$(cd "$(dirname "$0")/.." && pwd)/base/commit.cmake
command -v git >/dev/null || { echo "skipped: there is no git"; exit 77; }
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT && cd "$scratch" || exit 1
git() { command git -c user.name=test -c user.email=test@example.invalid "$@"; }
is() {  # folder, expected
  "$cmake" -DSOURCE="$scratch/$1" -DOUT="$scratch/commit.cpp" -P "$script" || exit 1
  grep -qF "kCommit = \"$2\";" commit.cpp || { echo "expected $2"; cat commit.cpp; exit 1; }
}
mkdir -p sources/archive
is sources unknown
{ cd sources && git init -q && echo a >file && git add file && git commit -qm one && cd ..; } || exit 1
hash=$(git -C sources rev-parse --short=7 HEAD)
is sources "$hash"
touch -d 2001-01-01 commit.cpp
before=$(stat -c %Y commit.cpp)
is sources "$hash"
[ "$(stat -c %Y commit.cpp)" = "$before" ] || { echo "written again without a change"; exit 1; }
is sources/archive unknown
git -C sources tag 1.0
is sources "$hash"
echo b >sources/file
is sources "$hash-dirty"
