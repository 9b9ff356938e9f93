#!/usr/bin/env bash
# Installs what is missing (Debian packages), configures and builds: ./setup.sh [target]
# ./setup.sh --cuda installs, too, what the builds with the CUDA host layer need, and builds nothing.
# Safe to run again at any time.
set -euo pipefail
cd "$(dirname "$0")"

packages=(
  g++ cmake ninja-build
  libhdf5-dev libdnnl-dev libxxhash-dev
  libcli11-dev libtomlplusplus-dev nlohmann-json3-dev
  gnuplot-nox
  catch2 librandom123-dev   # for the tests
)
[ "${1-}" != --cuda ] || packages+=(clang libomp-dev binutils)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "setup: installing Debian packages: ${missing[*]}"
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "setup: run as root, or install: ${missing[*]}" >&2; exit 1; }
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
  echo "setup: all Debian packages are there"
fi
[ "${1-}" != --cuda ] || exit 0

cmake --preset release >/dev/null
echo "setup: building (a few minutes the first time)"
cmake --build --preset release --target "${@:-r2pac}" | tail -n 1
