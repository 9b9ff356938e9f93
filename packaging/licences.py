"""Collects the licences of Debian's libraries that a package carries: licences.py LIBRARIES TEXTS

LIBRARIES is the folder of the libraries, named as Debian names them or as auditwheel renames them. The copyright file of
each one's Debian package goes into the folder TEXTS, with a table of libraries, sizes and licences, LIBRARIES.md.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path


def debian_package(library: Path) -> tuple[str, str]:
    """Package and version; auditwheel has made libzip-0a1b2c3d.so.4.0 of libzip.so.4.0."""
    name = re.sub(r"-[0-9a-f]{8}(?=\.)", "", library.name)
    owners = subprocess.run(["dpkg", "-S", f"*/{name}"], capture_output=True, text=True, check=True).stdout
    package = owners.split(": ")[0].split(",")[0]
    version = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=True
    ).stdout
    return package.split(":")[0], version


def licences(copyright_file: Path) -> str:
    """The names of licences in a copyright file of Debian, in order."""
    names = re.findall(r"^License: *(\S.*)$", copyright_file.read_text(errors="replace"), re.MULTILINE)
    return ", ".join(dict.fromkeys(names)) or "see its text"


def main(libraries: Path, texts: Path) -> None:
    texts.mkdir(parents=True, exist_ok=True)
    rows = []
    for library in sorted(path for path in libraries.iterdir() if not path.is_symlink()):
        package, version = debian_package(library)
        text = Path("/usr/share/doc", package, "copyright")
        shutil.copyfile(text, texts / f"{package}.txt")
        rows.append(f"| {package} {version} | {library.stat().st_size / 1e6:.1f} | {licences(text)} |")
    table = "\n".join(["| library | MB | licences |", "|---|---:|---|", *rows])
    (texts / "LIBRARIES.md").write_text(f"Libraries of others in this package; the texts lie beside this file.\n\n{table}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
