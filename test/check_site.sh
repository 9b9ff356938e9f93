#!/usr/bin/env bash
# The documentation site is made from the pages and the program; a link or an anchor that leads nowhere is found:
# check_site.sh PROGRAM. Exits with 77 if the site's Python environment is not there.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x .site/bin/python3 ] || { echo "skipped: ./setup.sh --site makes what this needs"; exit 77; }
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT
R2PAC=$1 docs/build.sh "$scratch/site"
for page in command-line settings python c; do [ -s "$scratch/site/reference/$page.html" ]; done
grep -q 'id="r2pac-train"' "$scratch/site/reference/command-line.html"
grep -q 'cost_limit' "$scratch/site/reference/settings.html"

mkdir "$scratch/pages"
sed '/^nav:/,$d' docs/site/mkdocs.yml >"$scratch/mkdocs.yml"
printf '# Here\n\n[a page](missing.md) [a place](#nowhere)\n' >"$scratch/pages/README.md"
if found=$(.site/bin/python3 -m mkdocs build --config-file "$scratch/mkdocs.yml" 2>&1); then
  echo "a broken link was not found"
  exit 1
fi
for broken in missing.md '#nowhere'; do
  [[ $found == *"$broken"* ]] || { echo "not found: $broken in: $found"; exit 1; }
done
