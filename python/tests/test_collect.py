"""Data from scripted drivers: what they draw, what is kept, and what is written."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from r2pac.collect import __main__ as command
from r2pac.collect import episodes, files, gaits, legs, navigating, policy, search
from r2pac.collect.action_noise import ActionNoise
from r2pac.collect.selection import keep
from r2pac.collect.styles import Style, by_step, plan
from r2pac.collect.tasks import TASKS, find_task
from r2pac.errors import DiskError, UsageError

WIDTHS = {"BallRun": 7, "CarRun": 7, "DroneRun": 17, "BallCircle": 8, "CarCircle": 8, "DroneCircle": 18}
WIDTHS |= {f"{robot}Goal{level}": width for robot, width in (("Point", 60), ("Car", 72)) for level in (1, 2)}
WIDTHS |= {
    f"{robot}{task}{level}": width
    for robot, width in (("Point", 76), ("Car", 88))
    for task in ("Button", "Push")
    for level in (1, 2)
}
WIDTHS |= {"AntRun": 33, "AntCircle": 34, "AntVelocity": 27, "HalfCheetahVelocity": 17, "SwimmerVelocity": 8}
ROOT = Path(__file__).parents[2]
SIMULATORS = Path(os.environ.get("R2PAC_SIMULATORS_PYTHON", ROOT / ".simulators" / "bin" / "python"))


class Space:
    def __init__(self, width):
        self.shape = (width,)


class FakeBall:
    """Costs where its action is positive, and ends after 100 steps."""

    observation_space, action_space = Space(7), Space(2)

    def reset(self, seed=None):
        self.random, self.steps = np.random.default_rng(seed), 0
        return self.random.standard_normal(7), {}

    def step(self, action):
        self.steps += 1
        return (
            self.random.standard_normal(7),
            float(action[0]),
            False,
            self.steps == 100,
            {"cost": float(action[0] > 0.9)},
        )

    def close(self):
        pass


@pytest.fixture
def fake_simulator(monkeypatch):
    monkeypatch.setattr(episodes, "_factory", lambda env_id: FakeBall)


def run(*arguments):
    return command.main(["--task", "BallRun", "--jobs", "1", "--quiet", *map(str, arguments)])


def test_a_plan_covers_an_episode_and_has_all_styles():
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(200):
        spans = plan(rng, 50)
        assert spans[0][0] == 0 and spans[-1][1] == 50
        assert all(before[1] == after[0] for before, after in zip(spans, spans[1:]))
        assert by_step(spans, lambda style: style.value).shape == (50,)
        seen |= {style for _, _, style in spans}
    assert seen == set(Style)


def test_action_noise_keeps_to_the_range_and_mostly_does_what_is_meant():
    meant = np.array([0.5, -0.5])
    taken = np.array(
        [
            [noise(meant) for _ in range(50)]
            for noise in (ActionNoise(np.random.default_rng(seed), 2) for seed in range(100))
        ]
    )
    assert taken.dtype == np.float32 and np.abs(taken).max() <= 1
    # Steady drivers are nearly exact; slips and faults concern few.
    assert np.median(np.abs(taken - meant)) < 0.2


@pytest.mark.parametrize("name", TASKS)
def test_drivers_answer_any_observation(name):
    task = find_task(name)
    rng = np.random.default_rng(2)
    means = []
    for seed in range(20):
        driver = task.driver(np.random.default_rng(seed), task.steps)
        again = task.driver(np.random.default_rng(seed), task.steps)
        for step in (0, 1, task.steps // 2, task.steps - 1):
            observation = rng.uniform(-1, 1, WIDTHS[name]).astype(np.float32)
            action = driver.act(observation, step)
            assert action.shape == (driver.actions,) and np.isfinite(action).all()
            assert np.array_equal(action, again.act(observation, step))
            means.append(action)
    assert np.std(means, axis=0).min() > 0


@pytest.mark.parametrize("angle", (0.0, 0.1, 1.2, 3.0, 5.9))
def test_a_single_object_is_where_its_readings_say(angle):
    readings, sector = np.zeros(16), int(angle / (np.pi / 8))
    share = angle / (np.pi / 8) - sector
    readings[sector] = 1 - 1.2 / 3
    readings[(sector + 1) % 16], readings[sector - 1] = share * readings[sector], (1 - share) * readings[sector]
    wanted = 1.2 * np.array([np.cos(angle - 0.5), np.sin(angle - 0.5)])
    assert navigating.place(readings, ahead=0.5) == pytest.approx(wanted, abs=1e-9)  # rounding
    assert navigating.place(np.zeros(16), ahead=0.5) is None


def test_pushing_goes_round_the_box_until_the_goal_is_behind_it():
    def course(goal):
        car = navigating.CarPush(np.random.default_rng(0), 10)
        readings = {"goal": np.zeros(16), "box": np.zeros(16)}
        for kind, (x, y) in (("box", (1.0, 0.0)), ("goal", goal)):
            angle = (np.arctan2(y, x) + car.ahead) % (2 * np.pi)
            sector = int(angle / (np.pi / 8))
            readings[kind][sector] = 1 - np.hypot(x, y) / 3
            readings[kind][(sector + 1) % 16] = (angle / (np.pi / 8) - sector) * readings[kind][sector]
        return car.target(readings)

    assert abs(course((2.0, 0.0))) < 1e-6  # rounding
    assert course((1.0, 1.0)) < -0.3 and course((1.0, -1.0)) > 0.3  # passes it on the side away from the goal


def test_an_ant_walks_alike_in_all_four_directions():
    robot, observation = legs.MujocoAnt, np.zeros(27)
    observation[robot.quaternion[0]] = 1.0  # looks along +x
    targets = []
    for direction in ((1.0, 0.0), (0.0, 1.0)):
        ant = robot(np.random.default_rng(0), np.random.default_rng(1).random(robot.numbers()))
        in_order = np.empty((4, 2))
        in_order[list(robot.legs)] = ant.target(observation, np.array(direction)).reshape(4, 2)
        targets.append(ant.by_leg(in_order))
    assert np.ptp(targets[0]) > 0.1
    # A quarter turn to the left: each leg does what its right neighbour did.
    assert targets[1] == pytest.approx(np.roll(targets[0], 1, axis=0), abs=1e-12)  # rounding
    assert not np.allclose(targets[1], targets[0], atol=0.01)


def an_ant(yaw=0.0, speed=0.0):
    observation = np.zeros(33)
    observation[8], observation[9] = np.sin(yaw / 2), np.cos(yaw / 2)
    observation[3:5] = 0.3 * speed * np.array([np.cos(yaw), np.sin(yaw)])
    return observation


@pytest.mark.parametrize("robot", (legs.RunningAnt, legs.CirclingAnt))
def test_an_ant_of_bullet_steers_by_how_far_its_hips_swing(robot):
    def reach(yaw, direction):
        ant = robot(np.random.default_rng(0))
        wanted = np.array([np.cos(direction), np.sin(direction)])
        ant._scale, targets = 1.0, []
        for ant._cycles in np.linspace(0, 1, 40, endpoint=False):
            targets.append(ant.target(an_ant(yaw), wanted))
        return np.ptp(targets, axis=0).reshape(4, 2)

    ahead, left, right = reach(0.0, 0.0), reach(0.0, 0.4), reach(3.0, 2.6)
    assert np.all(ahead[:, 0] > 0.5)
    assert np.allclose(ahead[:2, 0], ahead[3:1:-1, 0], atol=0.01)  # of 40 positions a cycle
    assert np.all(left[:2, 0] < ahead[:2, 0]) and np.all(left[2:, 0] > ahead[2:, 0])
    assert np.all(right[:2, 0] > ahead[:2, 0]) and np.all(right[2:, 0] < ahead[2:, 0])
    for turned in (left, right):
        assert turned[:, 1] == pytest.approx(ahead[:, 1], abs=1e-12)  # rounding


def test_a_running_ant_goes_limp_above_the_speed_that_is_wanted():
    wanted = np.array([0.6, 0.0])
    actions = [legs.RunningAnt(np.random.default_rng(0)).follow(an_ant(0.0, v), wanted) for v in (0.5, 1.2)]
    assert np.abs(actions[0]).max() > 0.1
    assert not actions[1].any()  # its joints rest


def test_turned_robots_and_wanted_velocities_give_the_same_action():
    still, turned = np.zeros(27), np.zeros(27)
    still[1] = 1.0
    turned[1], turned[4] = np.cos(np.pi / 6), np.sin(np.pi / 6)  # by 60 degrees
    gait = np.random.default_rng(1).random(legs.MujocoAnt.numbers())
    actions = [
        legs.MujocoAnt(np.random.default_rng(0), gait).follow(observation, np.array([np.cos(a), np.sin(a)]))
        for observation, a in ((still, 0.3), (turned, 0.3 + np.pi / 3))
    ]
    assert actions[0] == pytest.approx(actions[1], abs=1e-9)  # rounding


def test_the_scale_of_the_swings_follows_the_speed():
    cheetah = legs.HalfCheetah(np.random.default_rng(0), [0.5] * legs.HalfCheetah.numbers())
    observation, scales = np.zeros(17), []
    for speed in (0.0, 9.0):
        observation[8] = speed
        for _ in range(200):
            cheetah.follow(observation, np.array([3.0, 0.0]))
        scales.append(cheetah._scale)
    assert scales == [1.0, 0.0]


def test_every_gait_fits_its_robot():
    robots = [task.driver.robot for task in TASKS.values() if hasattr(task.driver, "robot")]
    walkers = {robot.gait: robot for robot in robots if issubclass(robot, legs.Legged)}
    assert set(walkers) == set(gaits.GAITS)
    for name, numbers in gaits.GAITS.items():
        assert len(numbers) == walkers[name].numbers() and all(0 <= number <= 1 for number in numbers)


def test_the_search_finds_the_top_of_a_hill_and_repeats_itself():
    top = np.array([0.2, 0.9, 0.5])

    def score(gait, number):
        return -float(np.sum((np.asarray(gait) - top) ** 2)) - number

    def found(seed):
        return search.search(score, 3, 40, 200, np.random.default_rng(seed), lambda line: None)

    value, gait = found(1)
    assert np.abs(np.asarray(gait) - top).max() < 0.05  # some of the last changes' deviation, 0.03
    assert value == min(score(gait, 0), score(gait, 1))
    assert found(1) == (value, gait) != found(2)


def test_tasks_are_found_by_alias_and_id_and_others_refused():
    assert find_task("ballrun") is find_task("SafetyBallRun-v0") is TASKS["BallRun"]
    with pytest.raises(UsageError) as refusal:
        find_task("HopperVelocity")
    assert all(name in refusal.value.todo for name in TASKS)


def test_crowded_cells_are_thinned_first():
    returns = np.concatenate([np.full(200, 1.0), np.linspace(0, 10, 20)])
    costs = np.concatenate([np.full(200, 30.0), np.linspace(0, 60, 20)])
    kept = keep(returns, costs, limit=5, cap=50, wanted=30, rng=np.random.default_rng(0))
    assert len(kept) == 30 and np.all(np.diff(kept) > 0)
    assert np.all(costs[kept] <= 50)
    apart = np.flatnonzero(costs[200:] <= 50) + 200
    assert set(apart) <= set(kept)  # nothing sparse is lost to the crowd
    assert len(keep(returns, costs, 5, 50, 1000, np.random.default_rng(0))) == np.sum(costs <= 50)
    assert len(keep(returns, costs + 100, 5, 50, 10, np.random.default_rng(0))) == 0


def test_a_file_holds_episodes_end_to_end(fake_simulator, tmp_path, capsys):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "SafetyBallRun-v0-80-5.hdf5"
    assert run("--episodes", 5, "--candidates", 9, "--out", path) == 0
    out = capsys.readouterr().out
    assert f"{path}: 5 episodes of 9, 500 rows, seed 0" in out and "within the cost limit of 5" in out
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    with h5py.File(path) as file:
        data = {name: file[name][()] for name in file}
    assert set(data) == {
        "observations",
        "next_observations",
        "actions",
        "rewards",
        "costs",
        "terminals",
        "timeouts",
    }
    assert data["observations"].shape == (500, 7) and data["actions"].shape == (500, 2)
    assert np.abs(data["actions"]).max() <= 1
    assert (
        np.flatnonzero(data["timeouts"]).tolist() == [99, 199, 299, 399, 499] and not data["terminals"].any()
    )
    inner = np.flatnonzero(~data["timeouts"])
    assert np.array_equal(data["observations"][inner + 1], data["next_observations"][inner])


def test_the_same_seed_gives_the_same_file(fake_simulator, tmp_path):
    pytest.importorskip("h5py")
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert run("--episodes", 3, "--seed", seed, "--out", tmp_path / name) == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "c").read_bytes()


def test_errors_say_what_to_do(fake_simulator, tmp_path, capsys, monkeypatch):
    pytest.importorskip("h5py")
    assert command.main(["--task", "HopperVelocity"]) == 2
    assert "there are no drivers for `HopperVelocity`" in capsys.readouterr().err
    assert run("--out", tmp_path / "missing" / "file.hdf5") == 2
    for wrong in (["--episodes", "0"], ["--seed", "-1"], ["--episodes", "5", "--candidates", "4"]):
        with pytest.raises(SystemExit) as stop:
            run(*wrong)
        assert stop.value.code == 2


def test_nothing_half_written_remains(tmp_path, monkeypatch):
    pytest.importorskip("h5py")
    monkeypatch.setattr(
        os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    row = {
        name: np.zeros((2, 1) if name.endswith(("observations", "actions")) else 2, np.float32)
        for name in files._ARRAYS
    }
    with pytest.raises(DiskError, match="No space left"):
        files.write(tmp_path / "data.hdf5", [row])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not SIMULATORS.exists(), reason="the simulators are not installed")
def test_a_simulator_gives_the_same_file_whatever_the_number_of_processes(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    for jobs in ("1", "2"):
        subprocess.run(
            [
                str(SIMULATORS),
                "-m",
                "r2pac.collect",
                "--task",
                "BallRun",
                "--episodes",
                "4",
                "--candidates",
                "6",
                "--seed",
                "1",
                "--jobs",
                jobs,
                "--out",
                tmp_path / jobs,
            ],
            check=True,
            env=environment,
        )
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_drivers_are_policies():
    seen = np.random.default_rng(1).uniform(0, 1, (5, 60)).astype(np.float32)

    def meant(number):
        driver = TASKS["PointGoal1"].driver(np.random.default_rng([3, number]), 1000)
        return [np.clip(driver.act(row, step), -1, 1) for step, row in enumerate(seen)]

    def acted(episode, **texts):
        driven = policy.make("PointGoal1", seed="3", **texts)
        driven.reset(episode)
        return [driven.act(row, step) for step, row in enumerate(seen)]

    np.testing.assert_array_equal(acted(7), meant(7))
    np.testing.assert_array_equal(acted(7, driver="4"), meant(4))
    assert not np.array_equal(meant(7), meant(4))
    for wrong in ({"driver": "-1"}, {"seed": "x"}):
        with pytest.raises(UsageError, match="no number"):
            policy.make("PointGoal1", **wrong)
    with pytest.raises(UsageError, match="Nowhere"):
        policy.make("Nowhere")
    with pytest.raises(UsageError, match="no drivers"):
        policy.make()
