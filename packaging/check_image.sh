#!/usr/bin/env bash
# Builds the image of Dockerfile with buildah and runs it, without a registry: packaging/check_image.sh ROOT
# ROOT is a folder with a minimal Debian 12, as for packaging/check_clean.sh; it stands for debian:bookworm-slim. Needs
# root, the package buildah, and Debian's packages. It compiles the program, which takes about 20 minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1-}" in "" | -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' packaging/check_image.sh; exit 0 ;; esac
root=$(realpath "$1")
[ -x "$root/usr/bin/apt-get" ] || { echo "check_image: $root is no root of Debian" >&2; exit 2; }
store=$(mktemp -d)
images() { buildah --storage-driver vfs --root "$store/images" --runroot "$store/run" "$@"; }
trap 'images rm --all >/dev/null || true; rm -rf "$store"' EXIT

base=$(images from scratch)
images copy -q "$base" "$root" / >/dev/null
images commit -q "$base" docker.io/library/debian:bookworm-slim >/dev/null
images rm "$base" >/dev/null
images bud --isolation chroot --pull-never -q -t r2pac . >/dev/null
made=$(images from --pull-never r2pac)
inside() { images run --isolation chroot "$made" -- "$@"; }
inside r2pac --version
inside sh -euc 'cd /tmp; r2pac data make reach-avoid -o data.hdf5 --episodes 30 --seed 3 >/dev/null
  r2pac train --data data.hdf5 --preset tiny --quiet --out run; r2pac eval run --env reach-avoid --episodes 2 --gif a.gif'
echo "check_image: the image trains, scores and draws"
