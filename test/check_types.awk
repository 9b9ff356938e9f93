# Finds names of types that stand for two types in one program, which C++ forbids and no linker reports:
#   awk -f test/check_types.awk FILE...
# A name is a struct, class, union or enum defined at namespace scope, with its namespaces; those in unnamed
# namespaces are a file's own. Sources test/*.cpp are programs of their own, so two of them may share a name.
# Prints each name with its files; exit status 1 if there is one.

# The file in `text` without comments, preprocessor lines, strings and characters.
function bare(text,    out, start) {
  gsub(/\\\n/, " ", text)
  while (match(text, /\/\/[^\n]*|\/\*([^*]|\*+[^*\/])*\*+\/|R"\([^)]*\)"|"([^"\\\n]|\\.)*"|[0-9a-fA-F]'[0-9a-fA-F]|'([^'\\\n]|\\.)*'|(^|\n)[ ]*#[^\n]*/)) {
    start = substr(text, RSTART, RLENGTH)
    out = out substr(text, 1, RSTART - 1) (start ~ /^(\/\/|\/\*)/ ? " " : start ~ /#/ ? "\n" : "0")
    text = substr(text, RSTART + RLENGTH)
  }
  return out text
}

# Notes the definitions in a file; `scope` is the namespace, or "-" inside anything else.
function read_file(file, text,    depth, scopes, head, name, mark, scope) {
  text = bare(text)
  depth = 0
  scopes[0] = "::"
  while (match(text, /[{};]/)) {
    head = head " " substr(text, 1, RSTART - 1)
    mark = substr(text, RSTART, 1)
    text = substr(text, RSTART + 1)
    if (mark == "{") {
      gsub(/[ \n\t]+/, " ", head)
      scope = scopes[depth++]
      scopes[depth] = "-"
      if (scope != "-" && match(head, /(^| )(inline )?namespace( [A-Za-z_0-9:]+)? $/)) {
        name = head
        sub(/.*namespace ?/, "", name)
        gsub(/ /, "", name)
        scopes[depth] = name == "" ? scope file "::" : scope name "::"
      } else if (scope != "-" && head ~ /extern 0 ?$/) {
        scopes[depth] = scope
      } else if (scope != "-" && match(head, /(^|[ >])(struct|class|union|enum|enum class|enum struct) [^()=]*$/)) {
        name = substr(head, RSTART)
        sub(/^[ >]?(enum class|enum struct|struct|class|union|enum) /, "", name)
        gsub(/alignas\([^)]*\)|\[\[[^]]*\]\]| final /, "", name)
        gsub(/::/, "\001", name)
        sub(/ *:.*| *$/, "", name)  # the base classes
        gsub(/\001/, "::", name)
        note(scope name, file)
      }
      head = ""
    } else {
      if (mark == "}" && depth > 0) --depth
      head = ""
    }
  }
}

function note(name, file) {
  if (name ~ /::$/ || (name, file) in seen) return  # an unnamed type
  seen[name, file] = 1
  files[name] = files[name] " " file
  if (file ~ /^test\/[^\/]*\.cpp$/) of_tests[name] = 1
  else ++others[name]
}

FNR == 1 && NR > 1 { read_file(previous, text); text = "" }
{ text = text $0 "\n"; previous = FILENAME }
END {
  read_file(previous, text)
  for (name in files)
    if (others[name] + (name in of_tests) > 1) {
      print "two types are called " name ":" files[name]
      bad = 1
    }
  exit bad
}
