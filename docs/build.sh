#!/usr/bin/env bash
# Makes the documentation site from the repository's pages and the program: docs/build.sh [FOLDER]
# FOLDER is build/site if not given; its index.html can be read from the disk. Needs ./setup.sh first, and makes .site/,
# the Python environment of docs/site/requirements.lock, once. Fails at any link or anchor that leads nowhere.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1-}" in -*) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' docs/build.sh; exit 0 ;; esac
folder=$(realpath -m "${1-build/site}")
./setup.sh --site
stage=$(mktemp -d) && trap 'rm -rf "$stage"' EXIT
cp docs/site/mkdocs.yml "$stage"
mkdir "$stage/pages"
git ls-files -z -- ':!test' '*.md' 'docs/*.png' 'docs/results/*' LICENSE CITATION.cff 'python/examples/*' |
  xargs -0 cp --parents -t "$stage/pages"
python3 docs/site/reference.py "${R2PAC:-build/bin/r2pac}" . "$stage/pages/reference"
NO_MKDOCS_2_WARNING=1 .site/bin/python3 -m mkdocs build --quiet --config-file "$stage/mkdocs.yml" --site-dir "$folder"
echo "docs: $folder/index.html"
