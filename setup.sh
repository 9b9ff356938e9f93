#!/usr/bin/env bash
# Installs what is missing (Debian packages), configures and builds: ./setup.sh [target]
# ./setup.sh --cuda installs, too, what the builds with the CUDA host layer need, and builds nothing.
# ./setup.sh --fuzz installs, too, what test/fuzz.sh needs, and builds nothing.
# ./setup.sh --simulators makes .simulators/, the Python environment with the simulators of `r2pac eval --env`,
# from python/simulators.lock, and nothing else. PYTHON names its interpreter, python3 by default.
# ./setup.sh --experiments makes .experiments/, the Python environment with the Snakemake of `r2pac experiment run`,
# from workflow/experiments.lock, and nothing else.
# Safe to run again at any time.
set -euo pipefail
cd "$(dirname "$0")"
case "${1-}" in
  --cuda | --fuzz | --simulators | --experiments) [ $# -eq 1 ] || { echo "setup: $1 stands alone; see ./setup.sh --help" >&2; exit 2; } ;;
  -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' setup.sh; exit 0 ;;
  -*) echo "setup: unknown option $1; see ./setup.sh --help" >&2; exit 2 ;;
esac

packages=(
  g++ cmake ninja-build
  libhdf5-dev libzip-dev libdnnl-dev libxxhash-dev
  libcli11-dev libtomlplusplus-dev nlohmann-json3-dev
  gnuplot-nox
  catch2 librandom123-dev   # for the tests
)
[ "${1-}" != --cuda ] || packages+=(clang libomp-dev binutils)
[ "${1-}" != --fuzz ] || packages+=(clang libomp-dev libclang-rt-14-dev)

install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    echo "setup: all Debian packages are there"
    return
  fi
  echo "setup: installing Debian packages: ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup: run as root, or install: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# install_environment FOLDER LOCK WHAT SIZE PIP_OPTION...: a Python environment in the folder, from the lock's versions;
# does nothing where it is there already. `fresh` says whether it was made now.
install_environment() {
  local folder=$PWD/$1 lock=$PWD/$2 what=$3 size=$4 python=${PYTHON:-python3} wanted
  shift 4
  fresh=
  wanted=$(sha256sum <"$lock")$PWD
  if [ "$(cat "$folder/made-from" 2>/dev/null)" = "$wanted" ] && [ -x "$folder/bin/python3" ]; then
    echo "setup: $what: ${folder##*/}/ is there"
    return
  fi
  "$python" -c 'import venv, ensurepip' 2>/dev/null || install_packages python3-venv
  "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
    echo "setup: the versions of $what are for Python 3.11, but $python is $("$python" -V); set PYTHON" >&2
    exit 1
  }
  echo "setup: installing $what into ${folder##*/}/ (a minute, $size)"
  rm -rf "$folder"
  "$python" -m venv "$folder"
  "$folder/bin/python3" -m pip install --quiet --disable-pip-version-check --no-deps "$@" -r "$lock"
  fresh=$wanted
}

install_simulators() {
  install_environment .simulators python/simulators.lock "the simulators" "600 MB" --only-binary :all:
  [ -n "$fresh" ] || return 0
  local python=$PWD/.simulators/bin/python3
  echo "$PWD/python" >"$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/r2pac.pth"
  "$python" -c 'import r2pac.env_server as s; [s.factory(i) for i in
    ("SafetyBallRun-v0", "SafetyPointGoal1Gymnasium-v0")]'
  echo "$fresh" >.simulators/made-from
}

install_experiments() {
  install_environment .experiments workflow/experiments.lock Snakemake "300 MB" \
    --only-binary :all: --no-binary connection_pool
  [ -n "$fresh" ] || return 0
  .experiments/bin/snakemake --version >/dev/null
  echo "$fresh" >.experiments/made-from
}

case "${1-}" in
  --simulators) install_simulators; exit 0 ;;
  --experiments) install_experiments; exit 0 ;;
esac
install_packages "${packages[@]}"
case "${1-}" in --cuda | --fuzz) exit 0 ;; esac

cmake --preset release >/dev/null
echo "setup: building (a few minutes the first time)"
cmake --build --preset release --target "${@:-r2pac}" | tail -n 1
