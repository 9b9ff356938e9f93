#!/bin/sh
# Folders include only what the table of docs/layout.md allows them, and the check finds what it does not: check_includes.sh
# shellcheck disable=SC2016
cd "$(dirname "$0")/.." || exit 1
# shellcheck disable=SC2046
awk -f test/check_includes.awk docs/layout.md $(test/sources.sh) || exit 1

check=$PWD/test/check_includes.awk
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT && cd "$scratch" || exit 1
mkdir a b c docs
finds() {  # fault, may include of a, of b, includes of a/x.h, of b/x.h, of c/x.h
  printf '| folder | what | may include |\n|---|---|---|\n| `a/` | A | %s |\n| `b/` | B | %s |\n' "$2" "$3" >docs/layout.md
  printf '%b' "$4" >a/x.h
  printf '%b' "$5" >b/x.h
  printf '%b' "$6" >c/x.h
  found=$(awk -f "$check" docs/layout.md a/x.h b/x.h c/x.h)
  [ "$found" = "$1" ] || { echo "expected '$1', found '$found'"; exit 1; }
}
finds '' '' 'a' '#include <vector>\n#include "a/y.h"\n#include "y.h"\n' '#include "a/x.h"\n#include <sys/wait.h>\n' ''
finds '' '' 'all above' '' '#include "a/x.h"\n' ''
finds 'a/x.h:2: a/ may not include b/ (docs/layout.md, table of folders)' '' 'a' '\n#include "b/x.h"\n' '' ''
finds 'b/x.h:1: b/ may not include a/ (docs/layout.md, table of folders)' '' '' '' ' # include <a/x.h>\n' ''
finds 'b/x.h:1: b/ may not include d/ (docs/layout.md, table of folders)' '' 'a' '' '#include "d/x.h"\n' ''
finds 'docs/layout.md: a/ may not name `b`, which has no row above' 'b' 'a' '' '' ''
finds 'c/x.h: docs/layout.md has no row for the folder c/' '' 'a' '' '' 'int x;\n'
