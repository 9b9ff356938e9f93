#!/usr/bin/env bash
# Builds the image of Dockerfile and runs it, without a registry: packaging/check_image.sh [--cache] [--chroot] ROOT
# ROOT is a folder with a minimal Debian 12, as for packaging/check_clean.sh; it stands for debian:bookworm-slim. Needs
# root, the package buildah, and Debian's packages. It compiles the program, which takes about 20 minutes on two cores.
#   --cache   compile with this machine's ccache, which then is in the root, too
#   --chroot  run the instructions in copies of the root, without buildah: so it is done, too, where no namespaces may be made
set -euo pipefail
cd "$(dirname "$0")/.."
cache='' way=buildah root=''
for word in "$@"; do
  case "$word" in
    --cache) cache=$(ccache --get-config cache_dir) ;;
    --chroot) way=chroot ;;
    -h | --help) root='' && break ;;
    -*) echo "check_image: there is no option $word" >&2; exit 2 ;;
    *) root=$(realpath "$word") ;;
  esac
done
[ -n "$root" ] || { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' packaging/check_image.sh; exit 0; }
[ -x "$root/usr/bin/apt-get" ] || { echo "check_image: $root is no root of Debian" >&2; exit 2; }
if [ "$way" = buildah ] && ! unshare --mount true 2>/dev/null; then
  echo "check_image: no namespaces may be made here, so the instructions run in copies of the root"
  way=chroot
fi
compiling=()  # what the compilation finds in its environment
if [ -n "$cache" ]; then
  mkdir -p "$cache"
  [ -x "$root/usr/bin/ccache" ] || chroot "$root" apt-get install -y -qq --no-install-recommends ccache >/dev/null 2>&1
  compiling=(CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_DIR=/ccache CCACHE_BASEDIR=/r2pac
             CCACHE_NOHASHDIR=1 "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime")
  for name in LANG LC_ALL LC_CTYPE LC_MESSAGES; do [ -z "${!name-}" ] || compiling+=("$name=${!name}"); done  # parts of the key
fi
store=$(mktemp -d)
images() { buildah --storage-driver vfs --root "$store/images" --runroot "$store/run" "$@"; }
clean_up() {
  if [ "$way" = buildah ]; then images rm --all >/dev/null || true; fi
  rm -rf "$store"
}
trap clean_up EXIT

build_by_buildah() {
  local base options=()
  base=$(images from scratch)
  images copy -q "$base" "$root" / >/dev/null
  if [ -n "$cache" ]; then
    options=(--volume "$cache:/ccache")
    images config "${compiling[@]/#/--env=}" "$base"
  fi
  images commit -q "$base" docker.io/library/debian:bookworm-slim >/dev/null
  images rm "$base" >/dev/null
  images bud --isolation chroot --pull-never -q "${options[@]}" -t r2pac . >/dev/null
  made=$(images from --pull-never r2pac)
  inside() { images run --isolation chroot "$made" -- "$@"; }
}

# Each stage is a copy of the root. A cache is copied in and not out again.
build_by_chroot() {
  local instruction rest stage work source target
  while read -r instruction rest; do
    case "$instruction" in
      FROM)
        stage=$store/image work=/
        if [[ "$rest" == *" AS "* ]]; then stage=$store/${rest##* AS }; fi
        cp -a "$root" "$stage"
        if [ -n "$cache" ] && [ "$stage" != "$store/image" ]; then cp -a "$cache" "$stage/ccache"; fi ;;
      COPY)
        read -r source target <<<"${rest#--from=}"
        mkdir -p "$stage${target##* }"
        if [[ "$rest" == --from=* ]]; then cp -a "$store/$source${target% *}/." "$stage${target##* }"
        else git ls-files -z --cached --others --exclude-standard | tar --null -T - -c | tar -x -C "$stage$target"; fi ;;
      WORKDIR) work=$rest ;;
      RUN) chroot "$stage" /usr/bin/env "${compiling[@]}" sh -euc "cd $work; $rest" >/dev/null ;;
    esac
  done < <(sed -e ':join' -e '/\\$/{N;s/\\\n//;bjoin' -e '}' -e '/^#/d' Dockerfile)
  inside() { chroot "$store/image" "$@"; }
}

"build_by_$way"
inside r2pac --version
inside sh -euc 'cd /tmp; r2pac data make reach-avoid -o data.hdf5 --episodes 30 --seed 3 >/dev/null
  r2pac train --data data.hdf5 --preset tiny --quiet --out run; r2pac eval run --env reach-avoid --episodes 2 --gif a.gif'
echo "check_image: the image ($way) trains, scores and draws"
