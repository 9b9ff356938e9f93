"""Policies of one's own, scored by the protocol of `r2pac eval`.

Wants pytest, numpy and the command, which R2PAC_BINARY names or the repository has. The comparison with a policy of
this program needs the extension, and in BallRun the simulators.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import r2pac
from r2pac import policy_server, score
from r2pac.errors import SimulatorError, UsageError

ROOT = Path(__file__).resolve().parents[2]
SIMULATORS = Path(os.environ.get("R2PAC_SIMULATORS_PYTHON", ROOT / ".simulators/bin/python3"))

MINE = '''
import numpy as np

def law(observations, episodes, steps):
    return 0.4 * np.tanh(observations[..., :2]) + 0.1 * np.stack([np.cos(episodes + steps), np.sin(steps)], -1)

class Batch:
    about = {"method": "law", "train_seed": 4, "step": 12, "cost_limit": 3}
    def act_batch(self, observations, *, episodes, steps):
        return law(observations, episodes, steps)

class Single:
    def act(self, observation, episode, step):
        return law(observation, episode, step)

class Stateful:
    """Counts its own steps and sums what it sees."""
    def reset(self, *, episode, cost_limit):
        assert cost_limit in (5, 7)  # the task's, or as asked for
        self.episode, self.step, self.spent, self.earned = episode, 0, 0.0, 0.0
    def act(self, observation, *, step, spent, earned):
        assert step == self.step and spent >= self.spent
        self.step, self.spent = step + 1, spent
        return law(observation, self.episode, step)

def named(*, scale):
    policy = Batch()
    policy.act_batch = lambda observations: np.full((len(observations), 2), float(scale))
    return policy

class Shape:
    def act_batch(self, observations): return np.zeros((len(observations), 3))
class SingleShape:
    def act(self, observation): return np.zeros((1, 2))
class Text:
    def act(self, observation): return ["left", "right"]
class Infinite:
    def act(self, observation): return [0.0, float("inf")]
class Outside:
    def act(self, observation): return np.array([0.0, 1.0 + 1e-6])
class Raises:
    def act(self, observation): raise ZeroDivisionError("the wheel came off")
class Odd:
    about = {"metod": "law"}
    def act(self, observation): return [0, 0]
class NoAct:
    pass
number = 3
'''


def run(*arguments, cwd=None):
    # The sources where they are used as they lie; packages that are installed are of this Python, not of the simulators'.
    sources = Path(r2pac.__file__).resolve().parents[1]
    path = str(sources) if sources == ROOT / "python" else ""
    more = {"PYTHONPATH": path, "R2PAC_SIMULATORS_PYTHON": str(SIMULATORS), "R2PAC_THREADS": "1"}
    return subprocess.run([*map(str, arguments)], cwd=cwd, env=os.environ | more, capture_output=True, text=True)


@pytest.fixture(scope="module")
def program():
    try:
        return score.r2pac_program()
    except UsageError:
        pytest.skip("there is no r2pac command; set R2PAC_BINARY")


@pytest.fixture
def scored(program, tmp_path):
    """Runs r2pac.score in a folder with mine.py; returns the process, and eval.json if there is one."""
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "broken.py").write_text("import no_such_package\n")

    def scored(make, *arguments, env="reach-avoid"):
        file = tmp_path / "eval.json"
        done = run(
            sys.executable, "-m", "r2pac.score", make, "--env", env, "--episodes", 3, *arguments, "-o", file,
            cwd=tmp_path,
        )  # fmt: skip
        return done, json.loads(file.read_text()) if file.exists() else None

    return scored


def test_batch_single_and_stateful_policies_get_the_same_scores(scored):
    done, batch = scored("mine:Batch")
    assert done.returncode == 0, done.stderr
    assert (batch["method"], batch["program"], batch["step"], batch["cost_limit"]) == ("law", "mine:Batch", 12, 3)
    assert len({row["return"] for row in batch["rows"]}) == 3
    assert scored("mine:Single")[1]["rows"] == scored("mine:Stateful")[1]["rows"] == batch["rows"]
    assert scored("mine:Stateful", "--cost-limit", 7)[1]["cost_limit"] == 7


def test_texts_reach_make(scored):
    one, other = (scored("mine:named", "--set", f"scale={scale}")[1]["rows"] for scale in (0.25, -0.25))
    assert one != other


@pytest.mark.parametrize(
    ("make", "text"),
    [
        ("mine:Shape", "act_batch returned an array of shape (3, 3), expected (3, 2)"),
        ("mine:SingleShape", "act returned an array of shape (1, 2), expected (2,)"),
        ("mine:Text", "expected an array of numbers"),
        ("mine:Infinite", "action 1 in episode 0 at step 0 is inf, not a finite number"),
        ("mine:Outside", "action 1 in episode 0 at step 0 is 1, outside [-1, 1]"),
        ("mine:Raises", "the policy raised ZeroDivisionError: the wheel came off"),
        ("mine:Odd", "let it be a dict with keys among method, program"),
        ("mine:NoAct", "what was made is of type NoAct and can neither act_batch nor act"),
        ("mine:number", "`mine:number` is of type int and cannot be called"),
        ("mine:Bacth", "the module `mine` has no `Bacth`"),
        ("mine:Bacth", "did you mean `Batch`?"),
        ("nowhere.at:make", "there is no module `nowhere`"),
        ("broken:make", "the policy raised ModuleNotFoundError: No module named 'no_such_package'"),
    ],
)
def test_what_is_wrong_is_said(scored, make, text):
    done, scores = scored(make)
    assert done.returncode == 9 and text in done.stderr, done.stderr
    assert scores is None


def test_faults_of_the_command_line_start_nothing(scored):
    for make, *more in (("mine",), ("mine:Batch", "--set", "scale"), ("mine:Batch", "--candidates", "3")):
        done, scores = scored(make, *more)
        assert done.returncode == 2 and "to do:" in done.stderr and scores is None


def test_only_what_a_function_asks_for_is_passed():
    names = ("episodes", "steps", "spent")
    assert policy_server.asked_for(lambda o, *, steps: o, names) == ["steps"]
    assert policy_server.asked_for(lambda o, **others: o, names) == list(names)
    assert policy_server.asked_for(lambda o: o, names) == []


def test_actions_are_refused_by_shape_and_type():
    assert policy_server.as_actions([[0, 1]], (1, 2), "act_batch").dtype == np.float32
    with pytest.raises(SimulatorError, match=r"shape \(2,\), expected \(1, 2\)"):
        policy_server.as_actions([0, 1], (1, 2), "act_batch")
    with pytest.raises(SimulatorError, match="bool"):
        policy_server.as_actions([[True, False]], (1, 2), "act_batch")


def own_policy_gets_the_scores_of_eval(program, folder, env, scored, tmp_path):
    (tmp_path / "ours.py").write_text(
        "import r2pac\n\ndef make(run):\n    return r2pac.Policy.load(run, threads=1)\n"
    )
    file = tmp_path / "native.json"
    native = run(program, "eval", folder, "--env", env, "--episodes", 3, "--seed", 5, "-o", file)
    assert native.returncode == 0, native.stderr
    done, scores = scored("ours:make", "--set", f"run={folder}", "--seed", 5, env=env)
    assert done.returncode == 0, done.stderr
    expected = json.loads(file.read_text())
    assert scores["rows"] == expected["rows"]  # as text, so to the last bit
    same = ("task", "method", "env", "step", "train_seed", "data_fingerprint", "cost_limit", "episodes", "seed")
    same += ("return_mean", "return_std", "cost_mean", "cost_std", "normalized_cost", "normalized_cost_std")
    same += ("share_within_limit", "share_within_limit_interval", "length_mean", "action_low", "action_high")
    assert {key: scores[key] for key in same} == {key: expected[key] for key in same}
    assert scores.get("normalized_return") == expected.get("normalized_return")
    assert set(expected) - set(scores) <= {"policy_checksum", "action_spread", "q_cost_spread"}


def test_an_own_policy_gets_the_scores_of_eval(program, robot_run, scored, tmp_path):
    own_policy_gets_the_scores_of_eval(program, robot_run, "reach-avoid", scored, tmp_path)


@pytest.mark.skipif(not SIMULATORS.exists(), reason="the simulators are not installed")
@pytest.mark.parametrize("method", ["r2pac", "safe-chunks"])
def test_an_own_policy_gets_the_scores_of_eval_in_a_simulator(program, method, scored, tmp_path):
    pytest.importorskip("r2pac._core", reason="the extension is not installed")
    data, folder = tmp_path / "SafetyBallRun-v0-80-3.hdf5", tmp_path / "run"
    made = run(SIMULATORS, "-m", "r2pac.collect", "--task", "BallRun", "--episodes", 3, "--jobs", 1, "-o", data)
    assert made.returncode == 0, made.stderr
    trained = run(program, "train", "--data", data, "--method", method, "--preset", "tiny", "--out", folder)
    assert trained.returncode == 0, trained.stderr
    own_policy_gets_the_scores_of_eval(program, folder, "BallRun", scored, tmp_path)
