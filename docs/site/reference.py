#!/usr/bin/env python3
"""Writes the pages of the site that come from the program: reference.py PROGRAM SOURCE_FOLDER FOLDER

The command line is that of `r2pac manual`, the settings those of `r2pac config show`, the Python interface that of the
package's stubs and of its modules in Python, and that of C and C++ the library's headers. Fails at what it does not know, so that no part of them is lost silently.
"""

import ast
import pathlib
import subprocess
import sys


def output_of(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def plain(roff):
    """Text of a line of the manual, as Markdown that shows it as it stands."""
    text = roff.replace("\\&", "").replace("\\-", "-").replace("\\e", "\\").strip()
    return "".join("\\" + c if c in "\\`*_{}[]<>#|~" else c for c in text)


def code(roff):
    return "`" + roff.replace("\\&", "").replace("\\-", "-").replace("\\e", "\\").replace('"', "").strip() + "`"


def command_line(manual):
    """The manual page, from its verbs on, in the macros that tools/manual.cpp writes."""
    out = ["# Command line"]
    lines = iter(manual[manual.index(".SH VERBS"):].splitlines())
    for line in lines:
        macro, _, rest = line.partition(" ")
        if macro == ".SH":
            out.append(f"## {plain(rest).capitalize()}")
        elif macro == ".SS":
            out.append(f"### {code(rest)}")
        elif macro == ".TP":
            name = next(lines)
            out.append(f"- {code(name.removeprefix('.B ').removeprefix('.I '))}:")
        elif macro == ".PP":
            out.append("")  # an example follows
        elif line.startswith("."):
            sys.exit(f"error: this program does not know {macro} of the manual")
        elif out[-1].startswith("- "):
            out[-1] += " " + plain(line)
        elif line.startswith("\\&  "):
            out.append(code(line))
        else:
            out.append(plain(line))
    return "\n\n".join(out) + "\n"


def declared(node):
    """A class or function of a module: its public parts and what they say, without bodies."""
    for part in [node, *ast.walk(node)]:
        if isinstance(part, ast.FunctionDef):
            says = ast.get_docstring(part, clean=False)
            part.body = ([ast.Expr(ast.Constant(says))] if says else []) + [ast.Expr(ast.Constant(...))]
    if isinstance(node, ast.ClassDef):
        node.body = [part for part in node.body
                     if not getattr(part, "name", "").startswith("_") or part.name in ("__init__", "__enter__")]
    return ast.unparse(node)


def python_interface(package):
    """Classes and functions that the package offers: of the stub file as they stand, of the modules without their bodies."""
    out = ["# Python", "What `import r2pac` brings; `help(r2pac.Policy)` and the like explain it."]
    for module in ("_core.pyi", "reach_avoid.py", "serve_client.py"):
        source = (package / module).read_text()
        for node in ast.parse(source).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_"):
                text = ast.get_source_segment(source, node) if module.endswith(".pyi") else declared(node)
                out += [f"## `{node.name}`", f"```python\n{text}\n```"]
    return "\n\n".join(out) + "\n"


def library_interface(folder):
    out = ["# C and C++", "[On a robot](../docs/library.md) explains how to use them."]
    for header, language in (("r2pac.h", "c"), ("r2pac.hpp", "cpp")):
        out += [f"## `{header}`", f"```{language}\n{(folder / header).read_text()}```"]
    return "\n\n".join(out) + "\n"


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    program, source, folder = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "command-line.md").write_text(command_line(output_of(program, "manual")))
    (folder / "python.md").write_text(python_interface(source / "python/r2pac"))
    (folder / "c.md").write_text(library_interface(source / "library"))
    (folder / "settings.md").write_text(
        "# Settings\n\nAll settings with meaning, range and value (`r2pac config show`). "
        "`--set key=value` changes one, `--config FILE` many.\n\n"
        f"```toml\n{output_of(program, 'config', 'show')}```\n")


if __name__ == "__main__":
    main()
