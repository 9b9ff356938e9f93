#!/usr/bin/env bash
# Installs what is missing (Debian packages), configures and builds: ./setup.sh [target]
# ./setup.sh --cuda installs, too, what the builds with the CUDA host layer need, and builds nothing.
# ./setup.sh --aarch64 installs a cross compiler and an emulator, and unpacks Debian's libraries for Arm into
# build-aarch64/sysroot, for the preset aarch64; it builds nothing.
# ./setup.sh --fuzz installs, too, what test/fuzz.sh needs, and builds nothing.
# ./setup.sh --simulators makes .simulators/, the Python environment with the simulators of `r2pac eval --env`,
# from python/simulators.lock, and nothing else. PYTHON names its interpreter, python3 by default.
# ./setup.sh --baselines makes .baselines/, the Python environment with the published code that the methods bc, cpq
# and coptidice are checked against and that runs cdt, from python/baselines.lock and Debian's PyTorch, and nothing else.
# ./setup.sh --rivals makes .rivals/, the Python environment with the PyTorch and the JAX of `r2pac bench rivals`, from
# python/rivals.lock, and nothing else: 0.9 GB to load, 2.4 GB on disk.
# ./setup.sh --experiments makes .experiments/, the Python environment with the Snakemake of `r2pac experiment run`,
# from workflow/experiments.lock, and nothing else.
# ./setup.sh --site makes .site/, the Python environment of docs/build.sh, from docs/site/requirements.lock, and nothing else.
# ./setup.sh --umap makes .umap/, the Python environment of `python -m r2pac.value_map`, from python/umap.lock, and
# nothing else.
# ./setup.sh --render installs what moving pictures need (`r2pac eval --gif --mp4`): gnuplot, ffmpeg, and OSMesa for MuJoCo.
# Safe to run again at any time.
set -euo pipefail
cd "$(dirname "$0")"
case "${1-}" in
  --cuda | --fuzz | --aarch64 | --simulators | --baselines | --rivals | --experiments | --site | --umap | --render) [ $# -eq 1 ] || { echo "setup: $1 stands alone; see ./setup.sh --help" >&2; exit 2; } ;;
  -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' setup.sh; exit 0 ;;
  -*) echo "setup: unknown option $1; see ./setup.sh --help" >&2; exit 2 ;;
esac

target_packages=(  # for the processor that the program runs on
  libhdf5-dev libzip-dev libdnnl-dev libxxhash-dev
  libcli11-dev libtomlplusplus-dev nlohmann-json3-dev
  catch2 librandom123-dev   # for the tests
)
packages=(g++ cmake ninja-build gnuplot-nox "${target_packages[@]}")
[ "${1-}" != --cuda ] || packages+=(clang libomp-dev binutils)
[ "${1-}" != --aarch64 ] || packages+=(g++-aarch64-linux-gnu qemu-user)
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

# python_environment FOLDER LOCK PYTHON WHAT CHECK [-s SOURCES] [-v VENV_OPTION] [-b PACKAGE] [-p COMMAND]: makes FOLDER,
# unless it is there, with the packages of LOCK (PACKAGE may be built) and what is in the folder SOURCES, if COMMAND, given
# the folder of the packages, and then the Python program CHECK succeed.
python_environment() {
  local folder=$PWD/$1 lock=$PWD/$2 python=$3 what=$4 check=$5 wanted sources= venv=() pip=() prepare=: packages option
  shift 5
  while getopts s:v:b:p: option; do
    case $option in
      s) sources=$PWD/$OPTARG ;;
      v) venv+=("$OPTARG") ;;
      b) pip+=(--no-binary "$OPTARG") ;;
      p) prepare=$OPTARG ;;
      *) exit 2 ;;
    esac
  done
  wanted=$(sha256sum <"$lock")$PWD
  if [ "$(cat "$folder/made-from" 2>/dev/null)" = "$wanted" ] && [ -x "$folder/bin/python3" ]; then
    echo "setup: the $what are in ${folder##*/}/"
    return
  fi
  "$python" -c 'import venv, ensurepip' 2>/dev/null || install_packages python3-venv
  "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
    echo "setup: the versions of the $what are for Python 3.11, but $python is $("$python" -V); set PYTHON" >&2
    exit 1
  }
  echo "setup: installing the $what into ${folder##*/}/ (a minute)"
  rm -rf "$folder"
  "$python" -m venv "${venv[@]}" "$folder"
  # Python compiles what is imported; compiling all of it here would take longer than to install it.
  "$folder/bin/python3" -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --only-binary :all: \
    "${pip[@]}" -r "$lock"
  packages=$("$folder/bin/python3" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  [ -z "$sources" ] || echo "$sources" >"$packages/r2pac.pth"
  "$prepare" "$packages"
  "$folder/bin/python3" -c "$check"
  echo "$wanted" >"$folder/made-from"
}

# cuda_stand_ins PACKAGES: libraries beside PyTorch's own, with the names and versions of those of NVIDIA that it is linked
# with and that are not in its lock. Whoever calls one of their functions ends by SIGILL: on a CPU nobody does.
cuda_stand_ins() {
  local lib=$1/torch/lib scratch library
  [ -e "$lib/libtorch_cuda.so" ] || return 0  # as on Arm
  scratch=$(mktemp -d)
  {
    readelf --dyn-syms -W "$lib"/libtorch*.so | sed -n '/@libcudart\|@libcupti/d; s/.* UND \(\(cu\|nccl\)[A-Za-z0-9_]*\).*/\1/p' |
      sort -u | sed 's/.*/.globl &\n.type &, @function\n&:/'
    echo 'ud2'
    echo '.section .note.GNU-stack, "", @progbits'
  } >"$scratch/functions.s"
  for library in libcublas.so.12 libcublasLt.so.12 libcudnn.so.9 libcufft.so.11 libcurand.so.10 libcusparse.so.12 \
    libcusparseLt.so.0 libnccl.so.2; do
    echo "$library { *; };" >"$scratch/version"
    g++ -shared -nostdlib -Wl,-soname,"$library" -Wl,--version-script="$scratch/version" -o "$lib/$library" \
      "$scratch/functions.s"
  done
  rm -r "$scratch"
}

# unpack_packages FOLDER ARCHITECTURE PACKAGE...: unpacks them, and what they need, of the same release as this system's;
# installs nothing.
unpack_packages() {
  local folder=$PWD/$1 architecture=$2 package state link target
  shift 2
  if [ "$(cat "$folder/made-of" 2>/dev/null)" = "$*" ]; then
    echo "setup: Debian's packages for $architecture are in ${folder#"$PWD"/}"
    return
  fi
  echo "setup: unpacking Debian's packages for $architecture into ${folder#"$PWD"/} (30 MB)"
  rm -rf "$folder"
  mkdir -p "$folder"/apt/{lists,archives}/partial
  state=$folder/apt
  : >"$state/status"
  cat >"$state/apt.conf" <<END
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Sandbox::User "root";
Dir::State "$state";
Dir::State::status "$state/status";
Dir::Cache "$state";
END
  APT_CONFIG=$state/apt.conf apt-get update -qq
  APT_CONFIG=$state/apt.conf apt-get install -y -qq --no-install-recommends --download-only "$@" >/dev/null
  for package in "$state"/archives/*.deb; do dpkg-deb -x "$package" "$folder"; done
  rm -rf "$state"
  # Links to where the packages would be installed.
  find "$folder" -type l -lname '/*' -printf '%p\n%l\n' | while read -r link && read -r target; do
    ln -sfrT "$folder$target" "$link"
  done
  echo "$*" >"$folder/made-of"
}

case "${1-}" in
  --aarch64)
    install_packages "${packages[@]}"
    unpack_packages build-aarch64/sysroot arm64 "${target_packages[@]}"
    exit 0 ;;
  --render)
    install_packages gnuplot-nox ffmpeg libosmesa6
    exit 0 ;;
  --simulators)
    python_environment .simulators python/simulators.lock "${PYTHON:-python3}" simulators \
      'import r2pac.env_server as s; [s.factory(i) for i in ("SafetyBallRun-v0", "SafetyPointGoal1Gymnasium-v0")]' \
      -s python
    exit 0 ;;
  --baselines)
    # 600 MB; the wheel for this platform brings gigabytes of CUDA along. Its products are slow with the default BLAS.
    install_packages python3-torch libopenblas0-pthread
    python_environment .baselines python/baselines.lock "${PYTHON:-/usr/bin/python3}" baselines \
      'from osrl.algorithms import BC, CPQ, COptiDICE, CDT' -s python/stand_ins -v --system-site-packages
    exit 0 ;;
  --rivals)
    # PyTorch compiles by g++ and Python's headers.
    install_packages g++
    "${PYTHON:-python3}" -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null ||
      install_packages python3-dev
    python_environment .rivals python/rivals.lock "${PYTHON:-python3}" "rivals to measure" 'import jax, torch' \
      -p cuda_stand_ins
    exit 0 ;;
  --experiments)
    python_environment .experiments workflow/experiments.lock "${PYTHON:-python3}" "parts of Snakemake" \
      'import snakemake' -b connection_pool
    exit 0 ;;
  --site)
    python_environment .site docs/site/requirements.lock "${PYTHON:-python3}" "parts of the site" 'import mkdocs, material'
    exit 0 ;;
  --umap)
    python_environment .umap python/umap.lock "${PYTHON:-python3}" "parts of UMAP" \
      'import h5py, matplotlib.pyplot, umap, r2pac.value_map' -s python
    exit 0 ;;
esac
install_packages "${packages[@]}"
case "${1-}" in --cuda | --fuzz) exit 0 ;; esac

cmake --preset release >/dev/null
echo "setup: building (a few minutes the first time)"
cmake --build --preset release --target "${@:-r2pac}" | tail -n 1
