"""What `r2pac bench rivals` runs: the same work by this program, PyTorch and JAX, in turn, in one run.

Each round measures the peak, and then each contestant by a few trials; the first of them changes from round to round.
PyTorch and JAX are processes that live to the end of the run (bench/reference.py says how they are asked). This program
is one process of `r2pac bench` for each turn. A share is that of the peak of the same round and precision, a ratio that to
this program in the same round and precision; printed are medians over the rounds. Needs only the standard library.
"""

import argparse
import contextlib
import csv
import datetime
import io
import json
import math
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict, namedtuple

FOLDER = pathlib.Path(__file__).resolve().parent
WORKS = {  # what bench/reference.py calls it -> suite of `r2pac bench`, text by which it finds this row alone
    "joint step": ("step", "joint step: "),
    "joint step, small": ("step", "joint step, small: "),
    "action": ("action", "action: "),
    "action, 8 observations": ("action", "action, 8 observations: "),
}
PRECISIONS = ("fp32", "bf16")
RIVALS = [  # name, precision, script with its arguments
    ("PyTorch, eager", "fp32", ("torch_reference.py", "--device", "cpu", "--mode", "eager")),
    ("PyTorch, compiled", "fp32", ("torch_reference.py", "--device", "cpu", "--mode", "compiled")),
    ("PyTorch, eager", "bf16", ("torch_reference.py", "--device", "cpu", "--mode", "eager")),
    ("PyTorch, compiled", "bf16", ("torch_reference.py", "--device", "cpu", "--mode", "compiled")),
    ("JAX, jit", "fp32", ("jax_reference.py",)),
    ("JAX, jit", "bf16", ("jax_reference.py",)),
]
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # by which OpenBLAS takes slower products than it could
TOLD = ("OMP_", "KMP_", "GOMP_", "MKL_", "OPENBLAS_", "DNNL_", "ONEDNN_", "TORCH", "XLA_", "JAX_")
CHILD_FAILED = 9  # exit status, as of other commands (base/error.h)
PER_TURN = 3  # undisturbed trials of a contestant in a round

Turn = namedtuple("Turn", "ms trials noisy processors first_run", defaults=(None, None))


class Refused(Exception):
    """A contestant cannot do this work."""


def quartiles(values):
    """Lower quartile, median, upper quartile, by the rule of `r2pac bench`."""
    ordered = sorted(values)
    return [ordered[int(share * (len(ordered) - 1))] for share in (0.25, 0.5, 0.75)]


def is_wide(values):
    lower, middle, upper = quartiles(values)
    return upper - lower > 0.2 * middle


def parse_answer(line, wanted):
    """The turn that a contestant's line tells, of which `wanted` trials should be undisturbed. Disturbed ones are
    dropped while a third of these remains."""
    try:
        answer = json.loads(line)
        if "refused" in answer:
            raise Refused(str(answer["refused"]))
        trials = [(float(ms), bool(preempted)) for ms, preempted in answer["trials"]]
        clean = [ms for ms, preempted in trials if not preempted]
        disturbed = not clean or 3 * len(clean) < wanted
        times = [ms for ms, _ in trials] if disturbed else clean
        if not all(ms > 0 and math.isfinite(ms) for ms in times):
            raise ValueError
        return Turn(quartiles(times)[1], len(times), disturbed or is_wide(times), float(answer["processors"]),
                    float(answer["first_run"]))
    except (ValueError, TypeError, KeyError, IndexError):
        raise Refused(f"this is no answer: {line.strip()[:100]!r}") from None


class Rival:
    """A process that is asked by lines."""

    def __init__(self, name, precision, command, environment):
        self.name, self.precision = name, precision
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        env=environment, text=True)

    def line(self):
        line = self.process.stdout.readline()
        if line:
            return line
        status = self.process.wait()
        self.errors.seek(0)
        said = [text.strip() for text in self.errors if text.strip()]
        raise Refused(f"its process ended with status {status}" + (f": {said[-1]}" if said else ""))

    def introduce(self):
        """Its name with its version, which is the first that it says."""
        with contextlib.suppress(Refused, ValueError, TypeError, KeyError):  # as above
            self.name = str(json.loads(self.line())["name"])

    def turn(self, work, trials, seconds):
        with contextlib.suppress(BrokenPipeError):  # then it has no line for us either, and we say why
            print(json.dumps({"work": work, "trials": trials, "seconds": seconds}), file=self.process.stdin, flush=True)
        return parse_answer(self.line(), trials)

    def close(self):
        self.process.kill()
        for file in (self.process.stdin, self.process.stdout, self.errors):
            with contextlib.suppress(BrokenPipeError):
                file.close()
        self.process.wait()


class Own:
    """This program, and what it says of the machine."""

    def __init__(self, program, threads):
        self.command = [program, "bench", "--json", "--threads", str(threads)]

    def bench(self, suite, *arguments):
        try:
            done = subprocess.run([*self.command, suite, *arguments], capture_output=True, text=True)
        except OSError as reason:  # as while it is being built
            raise Refused(f"{self.command[0]}: {reason.strerror}") from None
        if done.returncode != 0:
            raise Refused(done.stderr.partition("\n")[0].removeprefix("error: ") or f"status {done.returncode}")
        return json.loads(done.stdout)

    def peaks(self):
        """GFLOP/s by precision, and what is true of the machine."""
        found = self.bench("peak", "--filter", "multiply-adds", "--trials", "1")
        return {row["name"].rpartition(" ")[2]: row["peak"] for row in found["rows"]}, found

    def row(self, work, precision, trials, seconds):
        suite, text = WORKS[work]
        (row,) = self.bench(suite, "--filter", text, "--precision", precision, "--trials", str(trials), "--seconds",
                            str(seconds))["rows"]
        return row


class OwnContestant:
    name = "r2pac"

    def __init__(self, own, precision):
        self.own, self.precision, self.rows = own, precision, {}

    def turn(self, work, trials, seconds):
        row = self.rows[work] = self.own.row(work, self.precision, trials, seconds)
        return Turn(row["median_ms"], row["trials"], row["noisy"])


def measure(work, contestants, peaks, trials, seconds, say=lambda text: None):
    """Turns of each contestant by round, or why it has none; and the peaks around the rounds, one more than there are.
    `peaks()` measures them; no contestant takes a further turn after `seconds` of its own."""
    rounds = math.ceil(trials / PER_TURN)
    turns, spent = {contestant: {} for contestant in contestants}, defaultdict(float)
    found = [peaks()]
    for turn in range(rounds):
        first = turn % len(contestants)
        asked = [c for c in contestants[first:] + contestants[:first]
                 if isinstance(turns[c], dict) and (turn == 0 or spent[c] < seconds)]
        for contestant in asked:
            say(f"{work}, round {turn + 1} of {rounds}: {contestant.name}, {contestant.precision}")
            try:
                taken = contestant.turn(work, PER_TURN, max(seconds - spent[contestant], 0))
            except Refused as reason:
                turns[contestant] = str(reason)
                continue
            turns[contestant][turn] = taken
            spent[contestant] += taken.ms * taken.trials / 1e3
        if not asked:
            break
        found.append(peaks())
    return turns, found


def summarize(contestant, turns, peaks, ours, gflop):
    """The row of one contestant: medians over its rounds. `ours`: the turns of this program in the same precision, {}
    for none; `gflop`: of the work."""
    times = [turn.ms for turn in turns.values()]
    lower, median, upper = quartiles(times)
    row = {"contestant": contestant.name, "precision": contestant.precision, "median_ms": median, "lower_ms": lower,
           "upper_ms": upper, "rounds": len(times), "trials": sum(turn.trials for turn in turns.values()),
           "noisy": is_wide(times) or 2 * sum(turn.noisy for turn in turns.values()) >= len(times),
           "gflop": gflop, "gflops": 1e3 * gflop / median}
    # The peak before a round or after it, whichever was less disturbed.
    peak = {turn: max(side.get(contestant.precision, 0) for side in peaks[turn : turn + 2]) for turn in turns}
    if all(peak.values()):
        row["peak"] = quartiles(peak.values())[1]
        row["peak_fraction"] = quartiles(1e3 * gflop / turns[turn].ms / peak[turn] for turn in turns)[1]
    both = [turns[turn].ms / ours[turn].ms for turn in turns if turn in ours]
    if both:
        row["ratio"] = quartiles(both)[1]
    for key, values in (("processors", [turn.processors for turn in turns.values() if turn.processors is not None]),
                        ("first_run_seconds", [turn.first_run for turn in turns.values() if turn.first_run is not None])):
        if values:
            row[key] = quartiles(values)[1]
    return row


def rows_of(work, contestants, turns, peaks, threads):
    """Rows of those that have turns, and {name, refused} of the others, in the order of the contestants."""
    own = {c.precision: c for c in contestants if isinstance(c, OwnContestant)}
    about = own["fp32"].rows[work]  # it is there: without it there was no measurement
    rows = []
    for contestant in contestants:
        named = {"name": f"{work}: {contestant.name}, {contestant.precision}"}
        if not isinstance(turns[contestant], dict):
            rows.append(named | {"refused": turns[contestant]})
            continue
        ours = turns.get(own.get(contestant.precision), {})
        rows.append(named | {"shape": about["shape"], "threads": threads} |
                    summarize(contestant, turns[contestant], peaks, ours if isinstance(ours, dict) else {},
                              about["gflop"]))
    return rows


COLUMNS = ("work and contestant", "ms", "of peak", "by ours", "first run", "trials", "")


def table_line(row, threads):
    if "refused" in row:
        return f"| {row['name']} | - | - | - | - | - | {row['refused'].replace('|', '/')} |"
    notes = ["noisy"] if row["noisy"] else []
    if row.get("processors", 0) > threads + 0.25:
        notes.append(f"used {row['processors']:.1f} processors")
    share = f"{100 * row['peak_fraction']:.1f}%" if "peak_fraction" in row else "-"
    ratio = f"{row['ratio']:.2f}" if "ratio" in row else "-"
    first = f"{row['first_run_seconds']:.1f} s" if "first_run_seconds" in row else "-"
    return (f"| {row['name']} | {row['median_ms']:.3f} [{row['lower_ms']:.3f}, {row['upper_ms']:.3f}] | {share} | {ratio}"
            f" | {first} | {row['trials']} | {', '.join(notes)} |")


def head(facts):
    peaks = ", ".join(f"{precision} {facts['peaks'][precision]:.1f} GFLOP/s" for precision in facts["peaks"])
    lines = [f"r2pac {facts['version']} ({facts['commit']}), {facts['processor']}, {facts['utc']}",
             f"threads: {facts['threads']}; peaks at the start: {peaks}; {', '.join(facts['contestants'])}"]
    if facts["unset"]:
        lines.append(f"unset for PyTorch and JAX: {', '.join(facts['unset'])}")
    if facts["environment"]:
        lines.append(f"set in the environment: {', '.join(facts['environment'])}")
    lines += ["ms: median of the rounds [quartiles]; of peak: of the peak of that precision in the same round; by ours:",
              "time by r2pac's in the same round and precision; first run: until its end, with compilation; noisy: half of",
              "the turns were disturbed, or the quartiles lie more than 20 % of the median apart", "",
              f"| {' | '.join(COLUMNS)} |", "|---|---:|---:|---:|---:|---:|---|"]
    return "\n".join(lines) + "\n"


def csv_text(facts, rows):
    keys = ["name", "shape", "contestant", "precision", "threads", "median_ms", "lower_ms", "upper_ms", "rounds", "trials",
            "noisy", "gflop", "gflops", "peak", "peak_fraction", "ratio", "first_run_seconds", "processors", "refused",
            "version", "commit", "processor", "utc"]
    out = io.StringIO()
    writer = csv.DictWriter(out, keys, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow(facts | row | ({"noisy": str(row["noisy"]).lower()} if "noisy" in row else {}))
    return out.getvalue()


def write(path, text):
    """Whole or not at all."""
    with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(os.path.abspath(path)), delete=False) as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def rival_environment(threads, cache):
    """For PyTorch and JAX; and the names of what was taken out of ours. `cache`: an empty folder for torch.compile, since
    what it finds there from an earlier run may be for another number of threads."""
    unset = [name for name in UNSET if name in os.environ]
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return kept | {"OMP_NUM_THREADS": str(threads), "TORCHINDUCTOR_CACHE_DIR": cache}, unset


def give_up(status, what, todo):
    print(f"error: {what}\n  to do: {todo}", file=sys.stderr)
    sys.exit(status)


def run(options, rivals, cache):
    environment, unset = rival_environment(options.threads, cache)
    own = Own(options.program, options.threads)
    ours = [OwnContestant(own, precision) for precision in PRECISIONS]

    def wanted(work, contestant):
        return options.filter in f"{work}: {contestant.name}, {contestant.precision}"

    peaks, machine = own.peaks()  # before anybody else starts
    started = [Rival(name, precision, [sys.executable, str(FOLDER / script), *arguments, "--serve", "--precision",
                                       precision, "--threads", str(options.threads)], environment)
               for name, precision, (script, *arguments) in rivals]
    try:
        for rival in started:
            rival.introduce()
        names = list(dict.fromkeys(rival.name for rival in started))
        facts = {key: machine[key] for key in ("version", "commit", "processor", "instruction_set")} | {
            "suite": "rivals", "threads": options.threads, "peaks": peaks, "contestants": names, "unset": unset,
            "utc": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "environment": [f"{name}={value}" for name, value in sorted(os.environ.items())
                            if name.startswith(TOLD) and name not in unset]}
        plan = {work: [c for c in ours + started if c in ours or wanted(work, c)] for work in WORKS
                if any(wanted(work, c) for c in ours + started)}
        if not plan:
            give_up(2, f"no row has `{options.filter}` in its name", "leave --filter out to see all")
        text, rows = head(facts), []

        def show(part):
            if not options.json:
                print(part, end="", flush=True)

        def say(part):
            if sys.stderr.isatty():
                print(f"\r{part:<100}\r", end="", file=sys.stderr, flush=True)

        show(text)
        for work, contestants in plan.items():
            turns, found = measure(work, contestants, lambda: own.peaks()[0], options.trials, options.seconds, say)
            if not isinstance(turns[ours[0]], dict):
                give_up(CHILD_FAILED, f"`r2pac bench` does not measure `{work}`: {turns[ours[0]]}", "try it alone")
            new = rows_of(work, contestants, turns, found, options.threads)
            say("")
            lines = "".join(table_line(row, options.threads) + "\n" for row in new)
            show(lines)
            text, rows = text + lines, rows + new
    finally:
        for rival in started:
            rival.close()
    measured, refused = ([row for row in rows if ("refused" in row) == without] for without in (False, True))
    whole = json.dumps(facts | {"rows": measured, "refused": refused}, indent=2) + "\n"
    if options.json:
        print(whole, end="")
    if options.out:
        write(options.out, {".md": text, ".csv": csv_text(facts, rows), ".json": whole}[
            pathlib.Path(options.out).suffix])
    return 0


def main():
    parser = argparse.ArgumentParser(description="The same work by this program, PyTorch and JAX: r2pac bench rivals")
    parser.add_argument("--program", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--trials", type=int, default=31)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--filter", default="")
    parser.add_argument("--out", default="")
    parser.add_argument("--json", action="store_true")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory() as cache:
            return run(parser.parse_args(), RIVALS, cache)
    except Refused as reason:
        give_up(CHILD_FAILED, str(reason), "try `r2pac bench peak`")
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
