#!/usr/bin/env bash
# Makes the wheel of one Python and the source distribution, and tries both: packaging/check_wheel.sh [--no-sources] [PYTHON]
# Each is installed in a virtual environment of its own, and used in an empty folder, where no file of the sources is found.
# PYTHON is python3 if not given. --no-sources: the wheel alone. Needs what packaging/wheels.sh needs.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1-}" in -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' packaging/check_wheel.sh; exit 0 ;; esac
sources=1
[ "${1-}" != --no-sources ] || { sources=0; shift; }
python=$(command -v "${1:-python3}") || { echo "check_wheel: there is no $1" >&2; exit 2; }
export CC=${CC:-cc} CXX=${CXX:-c++}  # as in wheels.sh
tag=$("$python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')

# What is unpacked lies in the folder of builds, so that a compiler cache knows its paths.
mkdir -p build
scratch=$(mktemp -d "$PWD/build/check_wheel.XXXX") empty=$(mktemp -d)
trap 'rm -rf "$scratch" "$empty"' EXIT
rm -f dist/r2pac-*-"$tag"-*.whl dist/r2pac-*.tar.gz
packaging/wheels.sh "$python" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }

# tried PACKAGE: installs it as a user does, and trains and acts with it.
tried() {
  rm -rf "$empty"/* "$scratch/venv"
  "$python" -m venv "$scratch/venv"
  TMPDIR=$scratch "$scratch/venv/bin/python" -m pip install -q --disable-pip-version-check "$1"
  (
    export PYTHONPATH= PATH=$scratch/venv/bin:/usr/bin:/bin
    learns=$PWD/packaging/learns.sh
    cd "$empty"
    "$learns" r2pac
    python -m r2pac methods >methods
    grep -q safe-chunks methods
    python - <<'END'
import numpy, pathlib, r2pac, sys
assert pathlib.Path(r2pac.__file__).is_relative_to(sys.prefix), r2pac.__file__
data = r2pac.Dataset("data.hdf5")
policy = r2pac.train({"task": "reach-avoid"}, data, preset="tiny", out="again")
action = policy.act(data.observations[0])
assert action.shape == (2,) and (abs(action) <= 1).all(), action
same = r2pac.Policy.load("run").act(data.observations[0])
assert numpy.array_equal(action, same), (action, same)  # the command's training has the same bits
END
  )
  echo "check_wheel: ${1##*/} trains and acts"
}
tried dist/r2pac-*-"$tag"-*.whl
[ $sources = 0 ] || tried dist/r2pac-*.tar.gz
