#!/usr/bin/env bash
# Makes Debian packages and a tarball for machines without root, in dist/: packaging/packages.sh
#   r2pac_VERSION_ARCH.deb, libr2pac1_..., libr2pac-dev_...: the program, the library, and what one compiles with it
#   r2pac-VERSION-linux-ARCH.tar.gz: all of this, and the libraries of others; bin/r2pac runs wherever it is unpacked
# Needs ./setup.sh and dpkg-dev. Nothing is published.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1-}" in -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' packaging/packages.sh; exit 0 ;; esac
command -v dpkg-shlibdeps >/dev/null || { echo "packages: dpkg-shlibdeps is not there; install dpkg-dev" >&2; exit 1; }

# build FOLDER GENERATOR OPTION...: a build without tests, packed.
build() {
  local folder=build-$1 generator=$2
  cmake --preset release -B "$folder" -DR2PAC_TESTS=OFF "${@:3}" >/dev/null
  cmake --build "$folder" -- --quiet
  rm -rf "$folder/packages"
  (cd "$folder" && cpack -G "$generator" -B packages >cpack.log) || { cat "$folder/cpack.log" >&2; exit 1; }
}
mkdir -p dist
build deb DEB -DCMAKE_INSTALL_PREFIX=/usr
mv build-deb/packages/*.deb dist/
build tarball TGZ -DR2PAC_BUNDLE=ON
mv build-tarball/packages/*.tar.gz dist/
ls -sh dist/*.deb dist/*.tar.gz
