#!/usr/bin/env bash
# Installs what is missing (Debian packages), configures and builds: ./setup.sh [target]
# ./setup.sh --cuda installs, too, what the builds with the CUDA host layer need, and builds nothing.
# ./setup.sh --fuzz installs, too, what test/fuzz.sh needs, and builds nothing.
# ./setup.sh --simulators makes .simulators/, the Python environment with the simulators of `r2pac eval --env`,
# from python/simulators.lock, and nothing else. PYTHON names its interpreter, python3 by default.
# ./setup.sh --baselines makes .baselines/, the Python environment with the published code that the methods bc, cpq
# and coptidice are checked against, from python/baselines.lock and Debian's PyTorch, and nothing else.
# Safe to run again at any time.
set -euo pipefail
cd "$(dirname "$0")"
case "${1-}" in
  --cuda | --fuzz | --simulators | --baselines) [ $# -eq 1 ] || { echo "setup: $1 stands alone; see ./setup.sh --help" >&2; exit 2; } ;;
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

# python_environment FOLDER LOCK PYTHON WHAT SOURCES CHECK [venv option...]: makes FOLDER, unless it is there, with the
# packages of LOCK and what is in SOURCES, if the Python program CHECK then runs in it.
python_environment() {
  local folder=$PWD/$1 lock=$PWD/$2 python=$3 what=$4 sources=$PWD/$5 check=$6 wanted
  shift 6
  wanted=$(sha256sum <"$lock")$PWD
  if [ "$(cat "$folder/made-from" 2>/dev/null)" = "$wanted" ] && [ -x "$folder/bin/python3" ]; then
    echo "setup: the $what are in ${folder##*/}/"
    return
  fi
  "$python" -c 'import venv, ensurepip' 2>/dev/null || install_packages python3-venv
  "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
    echo "setup: the $what' versions are for Python 3.11, but $python is $("$python" -V); set PYTHON" >&2
    exit 1
  }
  echo "setup: installing the $what into ${folder##*/}/ (a minute)"
  rm -rf "$folder"
  "$python" -m venv "$@" "$folder"
  "$folder/bin/python3" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: -r "$lock"
  echo "$sources" >"$("$folder/bin/python3" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/r2pac.pth"
  "$folder/bin/python3" -c "$check"
  echo "$wanted" >"$folder/made-from"
}

if [ "${1-}" = --simulators ]; then
  python_environment .simulators python/simulators.lock "${PYTHON:-python3}" simulators python \
    'import r2pac.env_server as s; [s.factory(i) for i in ("SafetyBallRun-v0", "SafetyPointGoal1Gymnasium-v0")]'
  exit 0
fi
if [ "${1-}" = --baselines ]; then
  install_packages python3-torch  # 600 MB; the wheel for this platform brings gigabytes of CUDA along
  python_environment .baselines python/baselines.lock "${PYTHON:-/usr/bin/python3}" baselines python/stand_ins \
    'from osrl.algorithms import BC, CPQ, COptiDICE' --system-site-packages
  exit 0
fi
install_packages "${packages[@]}"
case "${1-}" in --cuda | --fuzz) exit 0 ;; esac

cmake --preset release >/dev/null
echo "setup: building (a few minutes the first time)"
cmake --build --preset release --target "${@:-r2pac}" | tail -n 1
