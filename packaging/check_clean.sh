#!/usr/bin/env bash
# Tries what dist/ holds where nothing of ours is installed: packaging/check_clean.sh ROOT
# ROOT is a folder with a minimal Debian 12, as `debootstrap --variant=minbase bookworm ROOT` makes it; things are installed
# there. In this order: the tarball, without any package; the wheel of Debian's Python; the Debian packages, and a program
# compiled with them. Needs root, for chroot, pip, Debian's packages and the Python index. One line for each that works.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1-}" in "" | -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' packaging/check_clean.sh; exit 0 ;; esac
root=$(realpath "$1")
[ -x "$root/usr/bin/apt-get" ] || { echo "check_clean: $root is no root of Debian" >&2; exit 2; }
inside() { chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 sh -euc "$1"; }

rm -rf "$root/try"
mkdir -p "$root/try/dist"
cp dist/* "$root/try/dist/"
cp -r examples/control_loop "$root/try/"
cp packaging/learns.sh "$root/try/learns"
python3 -m pip download -q --disable-pip-version-check --only-binary :all: --python-version 3.11 -d "$root/try/dist" 'numpy>=1.26'
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
trap 'umount "$root/proc"' EXIT

inside 'cd /try; tar xzf dist/r2pac-*-linux-*.tar.gz; sh learns r2pac-*-linux-*/bin/r2pac'
echo "check_clean: the tarball runs on a bare system"

inside 'apt-get update -qq; apt-get install -y -qq --no-install-recommends python3-venv >/dev/null 2>&1'
inside 'cd /try; python3 -m venv venv; venv/bin/pip install -q --no-index --find-links dist dist/r2pac-*-cp311-*.whl; sh learns venv/bin/python -m r2pac
        venv/bin/python -c "import numpy, r2pac; print(r2pac.Policy.load(\"run\").act(numpy.zeros(7, \"f\")))"'
echo "check_clean: the wheel trains, and acts from Python"

inside 'cd /try; apt-get install -y -qq --no-install-recommends ./dist/*.deb g++ cmake make pkg-config >/dev/null 2>&1
        sh learns r2pac;
        for way in package pkgconfig; do
          cmake -S control_loop -B $way -DR2PAC=$way >/dev/null; cmake --build $way >/dev/null; $way/control_loop run 0.2 50
        done'
echo "check_clean: the Debian packages run, and a program links their library"
