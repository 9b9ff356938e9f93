#!/usr/bin/env bash
# Sets up, builds and runs all tests. The checks against Python run if python3 has a venv module: the pinned
# packages go into .venv; otherwise they are reported as skipped.
set -euo pipefail
cd "$(dirname "$0")"
./setup.sh all

python=$PWD/.venv/bin/python
if [ ! -x "$python" ] || ! "$python" -c 'import jax, safetensors, h5py' 2>/dev/null; then
  echo "test: preparing .venv with python/requirements-test.txt"
  { python3 -m venv .venv && "$python" -m pip install --quiet --disable-pip-version-check \
      -r python/requirements-test.txt; } || echo "test: no Python packages; their checks will be skipped"
fi
if [ -x "$python" ]; then cmake --preset release -DR2PAC_PYTHON="$python" >/dev/null; cmake --build --preset release | tail -n 1; fi

ctest --preset release -j "$(nproc)" "$@"
