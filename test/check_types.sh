#!/bin/sh
# No name stands for two types in the sources, and the check finds one that does: check_types.sh
cd "$(dirname "$0")/.." || exit 1
# shellcheck disable=SC2046
awk -f test/check_types.awk $(test/sources.sh) || exit 1

scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT && cd "$scratch" || exit 1
types() { printf 'namespace a {\n// a comment {\n%s\n}  // namespace a\n' "$2" >"$1"; }
check() { awk -f "$OLDPWD/test/check_types.awk" one.h two.h; }
types one.h 'struct Shape { int rows; };'
for other in 'struct Shape { long rows; };' 'template <class T>
class Shape final : public Base<T> {};' 'namespace b {} enum class Shape : char { round };' \
  'const char* text = "}"; struct Shape { char mark = '"'}'"'; };'; do
  types two.h "$other"
  check | grep -q 'two types are called ::a::Shape: one.h two.h' || { echo "not found: $other"; exit 1; }
done
for other in 'struct Form { int rows; };' 'namespace { struct Shape { long rows; }; }' 'struct Shape;' \
  'namespace b { struct Shape { long rows; }; }' 'void f(Shape shape) { struct Shape { int x; }; }' \
  'struct Form { struct Shape { int x; }; };' 'Shape shape{1};' 'template <> struct Shape<int> { int rows; };'; do
  types two.h "$other"
  check || { echo "is no fault: $other"; exit 1; }
done
