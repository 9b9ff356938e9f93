#!/bin/sh
# The tests of r2pac.score that need no extension: check_score.sh r2pac python. Where the package is installed, they run
# with its other tests (check_package.sh). Exit status 77 there, and where NumPy or pytest is missing.
set -eu
R2PAC_BINARY=$1
python=$2
export R2PAC_BINARY
cd "$(dirname "$0")/.."
if ! { command -v "$python" >/dev/null && "$python" -c 'import pytest, numpy' 2>/dev/null; }; then
  echo "skipped: $python does not have NumPy and pytest"
  exit 77
elif "$python" -c 'import r2pac._core' 2>/dev/null; then
  echo "skipped: these run with the tests of the package"
  exit 77
fi
PYTHONPATH=python exec "$python" -m pytest -q -p no:cacheprovider python/tests/test_score.py
