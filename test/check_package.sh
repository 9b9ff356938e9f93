#!/bin/sh
# The tests of the Python package, with the package that is installed in the given Python:
# check_package.sh r2pac python [arguments of pytest]. Exit status 77 where it or pytest is missing.
set -eu
R2PAC_BINARY=$1
python=$2
shift 2
export R2PAC_BINARY
cd "$(dirname "$0")/.."
command -v "$python" >/dev/null && "$python" -c 'import pytest, r2pac._core' 2>/dev/null || {
  echo "skipped: $python does not have the package (pip install .) and pytest"
  exit 77
}
exec "$python" -m pytest -q -p no:cacheprovider "$@" python/tests
