#!/usr/bin/env bash
# Makes Python wheels and the source distribution: packaging/wheels.sh [PYTHON...]
# Each PYTHON, by default every python3.10 to python3.14 that is found with its headers, gets a wheel in dist/ that
# needs no Debian package: the libraries of the program are in it, with their licences. The C++ sources are compiled once,
# the binding for each interpreter. Needs ./setup.sh, and the Python index while it builds. Nothing is published.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1-}" in -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' packaging/wheels.sh; exit 0 ;; esac

work=$PWD/build/wheels dist=$PWD/dist
tools() { "$work/python3/bin/python" -m "$@"; }
# environment INTERPRETER FOLDER: a virtual environment with what builds wheels.
environment() {
  cmp -s packaging/requirements.txt "$2/requirements.txt" && [ -x "$2/bin/python" ] && return
  rm -rf "$2"
  "$1" -m venv "$2"
  "$2/bin/python" -m pip install --quiet --disable-pip-version-check -r packaging/requirements.txt
  cp packaging/requirements.txt "$2/"
}
has_headers() { "$1" -c 'import os, sysconfig; exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' 2>/dev/null; }

# interpreter VERSION: one with its headers, among those on PATH and those of pyenv.
interpreter() {
  local candidate
  for candidate in $(type -ap "python$1") "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python; do
    if [ -x "$candidate" ] && has_headers "$candidate"; then
      echo "$candidate"
      return
    fi
  done
}
pythons=("$@")
if [ $# = 0 ]; then
  for version in 3.10 3.11 3.12 3.13 3.14; do
    found=$(interpreter "$version")
    if [ -n "$found" ]; then pythons+=("$found"); else echo "wheels: no Python $version with its headers"; fi
  done
fi
[ ${#pythons[@]} -gt 0 ] || { echo "wheels: no Python with its headers; install python3-dev" >&2; exit 1; }
for python in "${pythons[@]}"; do
  has_headers "$python" || { echo "wheels: $python is not there, or without its headers" >&2; exit 2; }
done

mkdir -p "$work" "$dist"
export CC=${CC:-cc} CXX=${CXX:-c++}  # by the names that CMake uses, for a compiler cache
for python in "${pythons[@]}"; do
  tag=$("$python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
  echo "wheels: $tag, by $python"
  environment "$python" "$work/$tag"
  ln -sfn "$tag" "$work/python3"  # the newest also runs the tools
  raw=$work/raw/$tag
  rm -rf "$raw"
  "$work/$tag/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-build-isolation --no-deps \
    --config-settings=build-dir="$PWD/build-wheels" -w "$raw" .
  PATH=$work/$tag/bin:$PATH tools auditwheel repair --strip -w "$raw/repaired" "$raw"/*.whl
  tools wheel unpack -d "$raw" "$raw"/repaired/*.whl >/dev/null
  python3 packaging/licences.py "$raw"/r2pac-*/r2pac.libs "$(echo "$raw"/r2pac-*/r2pac-*.dist-info/licenses)"
  tools wheel pack -d "$dist" "$raw"/r2pac-*/ >/dev/null
done
cat "$raw"/r2pac-*/r2pac-*.dist-info/licenses/LIBRARIES.md
"$work/python3/bin/python" -c 'import scikit_build_core.build as b, sys; b.build_sdist(sys.argv[1])' "$dist" >/dev/null
ls -sh "$dist"/r2pac-*.whl "$dist"/r2pac-*.tar.gz
