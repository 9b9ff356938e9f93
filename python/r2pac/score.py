"""Scores a policy of one's own by the protocol of `r2pac eval`.

    python -m r2pac.score my_policy:make --env BallRun --episodes 20 --seed 0 -o eval.json

Starts, scores, cost and files are those of `r2pac eval`, for it is `r2pac eval` that runs: all its options may be
given. The policy stays in a process of this interpreter (r2pac.policy_server says what `make` returns;
docs/interop.md). `--set KEY=VALUE` gives `make` a text by name.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from pathlib import Path

from r2pac.errors import Error, UsageError
from r2pac.policy_server import assignments
from r2pac.wire import split_name


def r2pac_program() -> str:
    """The `r2pac` command: what R2PAC_BINARY names, that of the repository around this file, or of PATH."""
    if named := os.environ.get("R2PAC_BINARY"):
        return named
    for folder in Path(__file__).resolve().parents:
        if (built := folder / "build" / "bin" / "r2pac").is_file():
            return str(built)
    if found := shutil.which("r2pac"):
        return found
    raise UsageError(
        "the command r2pac, which does the scoring, is not found",
        todo="build it with ./setup.sh, and put it into PATH or name it in R2PAC_BINARY",
    )


def command(make: str, settings: list[str], rest: list[str]) -> list[str]:
    """The arguments of `r2pac eval`. Raises UsageError."""
    assignments(settings)
    split_name(make)
    server = [sys.executable, "-m", "r2pac.policy_server", make]
    for text in settings:
        server += ["--set", text]
    # As it is here: r2pac puts its own folder first, which has no extension.
    path = shlex.quote(os.environ.get("PYTHONPATH", ""))
    return [r2pac_program(), "eval", f"cmd:PYTHONPATH={path} exec {shlex.join(server)}", *rest]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m r2pac.score",
        description=(__doc__ or "").split("\n")[0],
        epilog="All other options are those of `r2pac eval`: --env, --episodes, --seed, --cost-limit, -o, ...",
        allow_abbrev=False,
    )
    parser.add_argument("make", metavar="MODULE:FUNCTION", help="function that makes a policy")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="text that the function gets by name"
    )
    options, rest = parser.parse_known_args(arguments)
    try:
        words = command(options.make, options.set, rest)
        sys.stdout.flush()
        os.execv(words[0], words)
    except OSError as error:
        print(f"error: {words[0]} cannot be started: {error.strerror}", file=sys.stderr)
        return 2
    except Error as error:
        return error.report()


if __name__ == "__main__":
    sys.exit(main())
