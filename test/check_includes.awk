# Checks that sources include only what the table of folders in docs/layout.md allows:
#   awk -f test/check_includes.awk docs/layout.md FILE...
# The table's last column names the folders that a folder may include besides itself: some of the rows above its
# own, so that no two can need each other, or "all above". Prints each fault; exit status 1 if there is one.

function fault(where, text) {
  print where ": " text
  bad = 1
}

FILENAME == "docs/layout.md" {
  if (/^\| folder \| what \| may include \|$/) in_table = 1
  else if (!/^\|/) in_table = 0
  if (!in_table || !/^\| `[a-z_]+\/` \|/) next
  split($0, cells, / *\| */)
  folder = cells[2]
  gsub(/[`\/]/, "", folder)
  count = split(cells[4], named, /, */)
  if (cells[4] == "all above")
    for (other in rows) may[folder, other] = 1
  else if (cells[4] != "")
    for (i = 1; i <= count; ++i) {
      if (!(named[i] in rows)) fault("docs/layout.md", folder "/ may not name `" named[i] "`, which has no row above")
      may[folder, named[i]] = 1
    }
  rows[folder] = may[folder, folder] = 1
  next
}

FNR == 1 {
  folder = FILENAME
  sub(/\/.*/, "", folder)
  if (!(folder in rows)) fault(FILENAME, "docs/layout.md has no row for the folder " folder "/")
}

/^[ \t]*#[ \t]*include[ \t]*["<][a-zA-Z_0-9]*\// {
  other = $0
  sub(/^[^"<]*/, "", other)
  library = other ~ /^</
  sub(/^./, "", other)
  sub(/\/.*/, "", other)
  if (library && !(other in rows)) next
  if ((folder in rows) && !((folder, other) in may))
    fault(FILENAME ":" FNR, folder "/ may not include " other "/ (docs/layout.md, table of folders)")
}

END { exit bad }
