"""`r2pac bench rivals`: check_rivals.py R2PAC. Its refusals, its protocol and its arithmetic with small processes that
stand in for the program and for PyTorch and JAX; and, if `./setup.sh --rivals` was run, the work of the real ones."""

import contextlib
import csv
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import types
import unittest
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parent.parent
RIVALS_PYTHON = ROOT / ".rivals/bin/python3"
PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else ROOT / "build/bin/r2pac"
sys.path.insert(0, str(ROOT / "bench"))

import reference  # noqa: E402
import rivals  # noqa: E402

STAND_IN_PROGRAM = """#!{python}
import json, sys
words = sys.argv[1:]
assert words[0] == "bench" and "--json" in words, words
flag = lambda name: words[words.index(name) + 1]
about = {{"version": "9", "commit": "abc", "processor": "stand-in", "instruction_set": "none", "rows": []}}
if "peak" in words:
    about["rows"] = [{{"name": "multiply-adds, fp32", "peak": 100.0}}, {{"name": "multiply-adds, bf16", "peak": 200.0}}]
elif flag("--precision") == "bf16" and "step" in words:
    sys.exit("error: steps are not taken in bf16\\n  to do: nothing")
else:
    ms = {{"fp32": 20.0, "bf16": 5.0}}[flag("--precision")]
    about["rows"] = [{{"name": flag("--filter"), "shape": "small", "median_ms": ms, "trials": int(flag("--trials")),
                      "noisy": False, "gflop": 1.0}}]
print(json.dumps(about))
"""
STAND_IN_RIVAL = """
import sys
sys.path.insert(0, {bench!r})
import reference
def make(work):
    print("a library says something")
    if work == "action":
        raise NotImplementedError("no actions|here\\nsecond line")
    return lambda: sum(range(1000))
if "--mute" in sys.argv:
    sys.exit("it has no licence")
reference.serve("Stand-in 1.0", make)
"""


class Scratch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
        return path


class TestRefusals(Scratch):
    def bench(self, *words):
        (self.folder / "bin").mkdir(exist_ok=True)
        program = self.folder / "bin/r2pac"
        if not program.exists():
            shutil.copy(PROGRAM, program)
        return subprocess.run([program, "bench", "rivals", *words], capture_output=True, text=True)

    def test_without_the_environment(self):
        done = self.bench()
        self.assertEqual(done.returncode, 2)
        self.assertIn("./setup.sh --rivals", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_flags_that_mean_nothing(self):
        for words in (["--device", "cuda"], ["--precision", "bf16"], ["--policy", "x"], ["--batch", "3"], ["a", "b"],
                      ["--flow-steps", "3"], ["-o", "rows.txt"], ["--trials", "0"], ["--seconds", "nan"]):
            with self.subTest(words):
                done = self.bench(*words)
                self.assertEqual(done.returncode, 2)
                self.assertNotIn("./setup.sh --rivals", done.stderr)

    def test_what_the_driver_is_told(self):
        self.file(".rivals/bin/python3", '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 5\n')
        script = self.file("bench/rivals.py", "")
        out = self.folder / "rows.csv"
        done = self.bench("--threads", "3", "--trials", "7", "--seconds", "2.5", "--filter", "joint step", "-o", out,
                          "--json")
        self.assertEqual(done.returncode, 5)
        self.assertEqual(done.stdout.splitlines(), [
            str(script), "--program", str(self.folder / "bin/r2pac"), "--threads", "3", "--trials", "7", "--seconds", "2.5",
            "--filter=joint step", f"--out={out}", "--json"])


class TestArithmetic(unittest.TestCase):
    def test_quartiles(self):
        self.assertEqual(rivals.quartiles([5, 1, 4, 2, 3]), [2, 3, 4])
        self.assertEqual(rivals.quartiles([7]), [7, 7, 7])
        self.assertEqual(rivals.quartiles([2, 1]), [1, 1, 1])
        self.assertFalse(rivals.is_wide([10, 11, 11.9, 12, 12]))
        self.assertTrue(rivals.is_wide([10, 10, 11, 14, 14]))

    def answer(self, trials, **more):
        return rivals.parse_answer(json.dumps({"trials": trials, "processors": 1.5, "first_run": 2} | more), 3)

    def test_disturbed_trials_are_dropped_while_enough_remain(self):
        turn = self.answer([[1, False], [9, True], [2, False], [3, False]])
        self.assertEqual(turn, rivals.Turn(2, 3, True, 1.5, 2))  # from 1 to 3 is wide
        turn = self.answer([[9.0, True], [2, False]])
        self.assertEqual((turn.ms, turn.trials, turn.noisy), (2, 1, False))
        turn = self.answer([[8, True], [8, True], [8.1, True]])
        self.assertEqual((turn.ms, turn.trials, turn.noisy), (8, 3, True))

    def test_answers_that_are_none(self):
        for line in ("", "{", "3", "[]", "{}", '{"trials": []}', '{"trials": 3}', '{"trials": [[1]]}',
                     '{"trials": [["x", false]], "processors": 1, "first_run": 1}',
                     '{"trials": [[-1, false]], "processors": 1, "first_run": 1}',
                     '{"trials": [[NaN, false]], "processors": 1, "first_run": 1}',
                     '{"trials": [[1, false]], "first_run": 1}'):
            with self.subTest(line), self.assertRaisesRegex(rivals.Refused, "no answer"):
                rivals.parse_answer(line, 3)
        with self.assertRaisesRegex(rivals.Refused, "^too small$"):
            rivals.parse_answer('{"refused": "too small"}', 3)

    def test_shares_and_ratios_are_those_of_the_same_round(self):
        peaks = [{"fp32": 100}, {"fp32": 80}, {"fp32": 50}, {"fp32": 40}]
        theirs = {0: rivals.Turn(20, 3, False, 1, 4), 1: rivals.Turn(25, 3, False, 1, 4), 2: rivals.Turn(80, 3, True, 1, 4)}
        ours = {0: rivals.Turn(10, 3, False), 2: rivals.Turn(20, 3, False)}
        contestant = types.SimpleNamespace(name="A", precision="fp32")
        row = rivals.summarize(contestant, theirs, peaks, ours, gflop=1)
        self.assertEqual((row["lower_ms"], row["median_ms"], row["upper_ms"]), (20, 25, 25))
        self.assertEqual((row["rounds"], row["trials"], row["noisy"]), (3, 9, False))
        # Shares: 50 of 100, 40 of 80, 12.5 of 50, in GFLOP/s.
        self.assertEqual((row["gflops"], row["peak"], row["peak_fraction"]), (40, 80, 0.5))
        self.assertEqual(row["ratio"], 2)  # of 2 and 4, as the lower of two is their median
        self.assertEqual(row["first_run_seconds"], 4)
        theirs[1] = theirs[1]._replace(noisy=True)
        self.assertTrue(rivals.summarize(contestant, theirs, peaks, ours, gflop=1)["noisy"])  # two of three turns
        contestant.precision = "bf16"
        row = rivals.summarize(contestant, theirs, peaks, {}, gflop=1)
        for key in ("peak", "peak_fraction", "ratio"):
            self.assertNotIn(key, row)
        self.assertIn("| - | - |", rivals.table_line({"name": "x"} | row, threads=1))


class Scripted:
    """A contestant with times that were written down."""

    def __init__(self, name, times):
        self.name, self.precision, self.times, self.asked = name, "fp32", iter(times), []

    def turn(self, work, trials, seconds):
        self.asked.append(seconds)
        ms = next(self.times)
        if ms is None:
            raise rivals.Refused("no more")
        log.append(self.name)
        return rivals.Turn(ms, 2, False)


log = []


class TestRounds(unittest.TestCase):
    def test_turns_alternate_and_end(self):
        log.clear()
        a, b, c = Scripted("a", [1000, 1000, 1000]), Scripted("b", [1, 1, 1]), Scripted("c", [1, None])
        peaks = iter([{"fp32": i} for i in range(10)])
        turns, found = rivals.measure("w", [a, b, c], lambda: next(peaks), trials=7, seconds=3)
        self.assertEqual(log, ["a", "b", "c", "b", "a", "b"])  # c gives up in the second round, a has had its time
        self.assertEqual(a.asked, [3, 1])
        self.assertEqual(list(turns[b]), [0, 1, 2])
        self.assertEqual(turns[c], "no more")
        self.assertEqual(len(found), 4)

    def test_there_is_one_turn_without_time(self):
        log.clear()
        turns, _ = rivals.measure("w", [Scripted("a", [5, 5])], lambda: {}, trials=6, seconds=0)
        self.assertEqual(len(log), 1)


class TestWholeRun(Scratch):
    def run_driver(self, *words, rivals_list=None):
        program = self.file("r2pac", STAND_IN_PROGRAM.format(python=sys.executable))
        script = self.file("rival.py", STAND_IN_RIVAL.format(bench=str(ROOT / "bench")))
        listed = rivals_list or [("Stand-in", "fp32", (script,)), ("Stand-in", "bf16", (script,)),
                                 ("Mute", "fp32", (script, "--mute"))]
        kept, sys.argv = sys.argv, ["rivals.py", "--program", str(program), "--trials", "4", "--seconds", "5", *words]
        table, before = rivals.RIVALS, dict(os.environ)
        os.environ |= {"OPENBLAS_CORETYPE": "Haswell"}
        rivals.RIVALS = listed
        out, errors = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
                status = rivals.main()
        except SystemExit as end:
            status = end.code
        finally:
            sys.argv, rivals.RIVALS = kept, table
            os.environ.clear()
            os.environ.update(before)
        return status, out.getvalue(), errors.getvalue()

    def test_table_and_files(self):
        path = self.folder / "rows"
        for form in ("md", "csv", "json"):
            status, out, _ = self.run_driver(f"--out={path}.{form}", *(["--json"] if form == "json" else []))
            self.assertEqual(status, 0)
            text = pathlib.Path(f"{path}.{form}").read_text()
            if form == "csv":
                listed = list(csv.DictReader(io.StringIO(text)))
                self.assertEqual(len(listed), 20)
                self.assertEqual({row["commit"] for row in listed}, {"abc"})
            else:
                self.assertEqual(text, out)
            if form == "md":
                self.assertIn("unset for PyTorch and JAX: OPENBLAS_CORETYPE", text)
                self.assertIn("| joint step: r2pac, bf16 | - | - | - | - | - | steps are not taken in bf16 |", text)
                self.assertIn("| NotImplementedError: no actions/here |", text)
                self.assertIn("| its process ended with status 1: it has no licence |", text)
        rows = {row["name"]: row for row in json.loads(text)["rows"]}
        self.assertEqual(len(rows), 6 + 2 * 3)
        own = rows["action: r2pac, bf16"]
        self.assertEqual((own["median_ms"], own["rounds"], own["trials"], own["ratio"]), (5, 2, 6, 1))
        self.assertEqual((own["peak"], own["peak_fraction"], own["shape"]), (200, 1.0, "small"))
        theirs = rows["action, 8 observations: Stand-in 1.0, bf16"]
        self.assertGreater(theirs["median_ms"], 0)
        self.assertAlmostEqual(theirs["ratio"] * 5, theirs["median_ms"], places=5)
        self.assertNotIn("ratio", rows["joint step: Stand-in 1.0, bf16"])  # we have no time to compare with

    def test_filter(self):
        status, out, _ = self.run_driver("--filter", "8 observations: Stand-in", "--json")
        self.assertEqual(status, 0)
        self.assertEqual({row["name"] for row in json.loads(out)["rows"]},
                         {f"action, 8 observations: {name}, {precision}" for name in ("r2pac", "Stand-in 1.0")
                          for precision in ("fp32", "bf16")})
        status, out, errors = self.run_driver("--filter", "nothing")
        self.assertEqual((status, out), (2, ""))
        self.assertIn("no row has `nothing`", errors)

    def test_a_program_that_fails(self):
        broken = "#!/bin/sh\necho error: broken >&2; exit 4\n"
        with unittest.mock.patch.object(sys.modules[__name__], "STAND_IN_PROGRAM", broken):
            status, out, errors = self.run_driver()
        self.assertEqual((status, out), (9, ""))
        self.assertIn("error: broken", errors)
        status, out, errors = self.run_driver("--program", str(self.folder / "nowhere"))
        self.assertEqual((status, out), (9, ""))
        self.assertIn("nowhere: No such file", errors)


class TestTrials(unittest.TestCase):
    def test_rule(self):
        runs = []
        answer = reference.take_trials(lambda: runs.append(1), 3, 60)
        self.assertLessEqual(len(answer["trials"]), 12)
        self.assertGreaterEqual(len(answer["trials"]), 3)
        self.assertEqual(len(runs), len(answer["trials"]) + 1)
        self.assertEqual(len(reference.take_trials(lambda: None, 3, 0)["trials"]), 1)


@unittest.skipUnless(RIVALS_PYTHON.exists(), "there is no PyTorch and JAX; ./setup.sh --rivals")
class TestReal(Scratch):
    def test_same_work(self):
        data, trace = self.folder / "data.hdf5", self.folder / "trace.safetensors"
        subprocess.run([PROGRAM, "data", "make", "reach-avoid", "-o", data, "--episodes", "10"], check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run([PROGRAM, "trace", "--data", data, "--hidden", "24,24,24,24", "--batch", "65", "--schedule", "joint",
                        "--set", "alpha=0.9", "--set", "penalty=1", "--steps", "2", "-o", trace], check=True,
                       stdout=subprocess.DEVNULL)
        for which in ("torch", "jax"):
            done = subprocess.run([RIVALS_PYTHON, ROOT / "test/rivals_step.py", which, trace], capture_output=True,
                                  text=True)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_they_answer(self):
        for script, *words in (("torch_reference.py", "--device", "cpu"), ("jax_reference.py",)):
            for precision in rivals.PRECISIONS:
                with self.subTest((script, precision)):
                    command = [str(RIVALS_PYTHON), str(ROOT / "bench" / script), *words, "--serve", "--threads", "1",
                               "--precision", precision]
                    rival = rivals.Rival(script, precision, command, rivals.rival_environment(1, str(self.folder))[0])
                    self.addCleanup(rival.close)
                    rival.introduce()
                    self.assertRegex(rival.name, "^(PyTorch|JAX) [0-9.]+")
                    for work in ("joint step, small", "action"):
                        self.assertGreater(rival.turn(work, 1, 1).ms, 0)
                    with self.assertRaisesRegex(rivals.Refused, "KeyError"):
                        rival.turn("unknown", 1, 1)


if __name__ == "__main__":
    unittest.main()
