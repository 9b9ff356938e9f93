# Runs the commands of a page as they are printed. Sourced; the caller defines `small COMMAND`, which prints the command
# with small sizes, or nothing where another test runs it.

# run_page PAGE LEAST: each line of the page's plain blocks, in turn, in the current folder. At least LEAST must be run.
run_page() {
  local command printed ran=0
  while IFS= read -r printed; do
    command=$(small "$printed")
    [ -n "$command" ] || { echo "skipped: $printed"; continue; }
    echo "\$ $command"
    bash -c "$command" >out.txt 2>&1 </dev/null || { cat out.txt; return 1; }
    ran=$((ran + 1))
  done < <(awk '/^```/ { inside = !inside && $0 == "```"; next } inside' "$1" | sed -e ':a' -e '/\\$/ { N; s/\\\n *//; ba' -e '}' -e 's/  *# .*//')
  [ "$ran" -ge "$2" ] || { echo "$1 has only $ran commands that were run"; return 1; }
}

# require FILE...: what the commands must have made.
require() {
  local made
  for made; do [ -s "$made" ] || { echo "there is no $made"; ls -R . | head -60; return 1; }; done
}
