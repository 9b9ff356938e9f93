"""The command `r2pac`, as the package brings it: `r2pac ...` or `python -m r2pac ...`."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import NoReturn

from r2pac.errors import UsageError

PROGRAM = Path(__file__).parent / "_program" / "r2pac"


def main() -> NoReturn:
    """Becomes the program. The simulators of this Python are its simulators, unless others are named."""
    if not PROGRAM.exists():
        error = UsageError("this package was installed without the program", str(PROGRAM.parent),
                           "install the package (pip install .), or use the program of ./setup.sh: build/r2pac")
        sys.exit(error.report())
    if importlib.util.find_spec("gymnasium"):
        os.environ.setdefault("R2PAC_SIMULATORS_PYTHON", sys.executable)
    os.execv(PROGRAM, [str(PROGRAM), *sys.argv[1:]])


if __name__ == "__main__":
    main()
