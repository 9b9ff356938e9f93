#!/usr/bin/env bash
# Sets up, builds and runs all tests: ./test.sh [--cuda | --aarch64] [arguments of ctest]
# The checks against Python run if python3 has a venv module: the pinned packages go into .venv; otherwise they
# are reported as skipped, as are the tests of the Python package without the headers of python3-dev.
# --cuda: instead of the program, its CUDA sources on the CPU, in the three builds of cuda_host/README.md, and
# what nvcc makes of them; needs the CUDA toolkit, but no GPU.
# --aarch64: instead, what may differ on an Arm processor, cross-compiled, in an emulator (docs/library.md).
set -euo pipefail
cd "$(dirname "$0")"
case "${1-}" in
  -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' test.sh; exit 0 ;;
esac
run_preset() {
  echo "test: preset $1"
  cmake --preset "$1" "${options[@]}" >/dev/null
  cmake --build --preset "$1" -- --quiet  # prints what fails
  ctest --preset "$1" -j "$(nproc)" "${@:2}"
}
options=()
cuda=0
if [ "${1-}" = --aarch64 ]; then
  ./setup.sh --aarch64
  run_preset aarch64 "${@:2}"
  exit
elif [ "${1-}" = --cuda ]; then
  cuda=1
  shift
  [ -f "${CUDA_HOME:-${CUDA_PATH:-/usr/local/cuda}}/include/cuda_runtime.h" ] || {
    echo "test: there is no CUDA toolkit in ${CUDA_HOME:-${CUDA_PATH:-/usr/local/cuda}}; set CUDA_HOME" >&2
    exit 1
  }
  ./setup.sh --cuda
else
  ./setup.sh all
fi

python=$PWD/.venv/bin/python
if ! cmp -s python/requirements-test.txt .venv/requirements-test.txt; then
  echo "test: preparing .venv with python/requirements-test.txt"
  { python3 -m venv .venv && "$python" -m pip install --quiet --disable-pip-version-check \
      -r python/requirements-test.txt && cp python/requirements-test.txt .venv/; } ||
    echo "test: no Python packages; their checks will be skipped"
fi
has_headers='import os, sysconfig; exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'
if [ $cuda = 0 ] && [ -f .venv/requirements-test.txt ]; then
  if "$python" -c "$has_headers"; then
    echo "test: building the Python package"
    # By the names that CMake uses, too: a compiler cache keeps what g++ makes apart from what c++ makes.
    CC=${CC:-cc} CXX=${CXX:-c++} "$python" -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps \
      --force-reinstall --config-settings=build.targets=_core .
  else
    echo "test: there are no headers of Python (python3-dev); the tests of the package will be skipped"
  fi
fi
[ ! -x "$python" ] || options+=("-DR2PAC_PYTHON=$python")

if [ $cuda = 1 ]; then
  for preset in cuda-host cuda-host-asan cuda-host-check; do run_preset "$preset" "$@"; done
else
  run_preset release "$@"
fi
