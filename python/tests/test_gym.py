"""The built-in robot as a Gymnasium environment."""

import json
import os
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY

gymnasium = pytest.importorskip("gymnasium", minversion="1.0")
pytest.importorskip("r2pac._core", reason="the extension is not installed")

import r2pac  # noqa: E402
from r2pac import ReachAvoidEnv  # noqa: E402


def test_gymnasiums_checker_is_content():
    from gymnasium.utils.env_checker import check_env

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gymnasium.make("r2pac/ReachAvoid-v0").unwrapped)


def test_starts_are_a_function_of_seed_and_episode():
    env = ReachAvoidEnv()
    first, info = env.reset(seed=3)
    assert info == {"seed": 3, "episode": 0}
    second, info = env.reset()
    assert info == {"seed": 3, "episode": 1}
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(env.reset(options={"episode": 0})[0], first)
    np.testing.assert_array_equal(env.reset()[0], second)
    np.testing.assert_array_equal(env.reset(seed=3)[0], first)
    unseeded = [ReachAvoidEnv().reset()[1]["seed"] for _ in range(2)]
    assert unseeded[0] != unseeded[1]


def test_an_episode_runs_its_length_and_reports_cost():
    env = ReachAvoidEnv()
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(np.zeros(2))
    env.reset(seed=0)
    cost = 0.0
    for step in range(1, 101):
        observation, _, terminated, truncated, info = env.step(np.array([1.0, 0.0], np.float32))
        assert observation in env.observation_space
        assert info["cost"] in (0.0, 1.0)
        cost += info["cost"]
        assert (terminated, truncated) == (False, step == 100)
    assert cost > env.cost_limit  # straight ahead lie the hazards
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(np.zeros(2))
    env.reset()
    with pytest.raises(ValueError, match="not finite"):
        env.step(np.array([np.nan, 0.0]))


def test_picture_shows_where_the_robot_is():
    env = ReachAvoidEnv(render_mode="rgb_array")
    env.reset(seed=0)
    before = env.render()
    assert before.shape == (256, 256, 3)
    for _ in range(20):
        env.step(np.array([1.0, 1.0], np.float32))
    assert not np.array_equal(env.render(), before)
    assert ReachAvoidEnv().render() is None
    with pytest.raises(ValueError, match="render_mode"):
        ReachAvoidEnv(render_mode="human")


def check_episodes(run, policy, *flags):
    """Three episodes in Gymnasium have the scores of `r2pac eval` with the same flags."""
    command = os.environ.get("R2PAC_BINARY", "")
    if not Path(command).is_file():
        pytest.skip("R2PAC_BINARY does not name the r2pac command")
    env = ReachAvoidEnv()
    returns, costs = [], []
    for episode in range(3):
        observation, _ = env.reset(seed=11 if episode == 0 else None)
        policy.reset(seed=11 if episode == 0 else None)
        sums, truncated = np.zeros(2), False
        while not truncated:
            observation, reward, _, truncated, info = env.step(policy.act(observation, spent=sums[1]))
            sums += reward, info["cost"]
        returns.append(sums[0])
        costs.append(sums[1])
    done = subprocess.run(
        [command, "eval", run, "--env", "reach-avoid", "--episodes", "3", "--seed", "11", "--json", *flags],
        capture_output=True,
        text=True,
        check=True,
        cwd=run,
    )
    scores = json.loads(done.stdout)
    # The same rewards summed in the same order; the mean of three may round differently.
    assert scores["return_mean"] == pytest.approx(np.mean(returns), rel=1e-14)
    assert scores["cost_mean"] == pytest.approx(np.mean(costs), rel=1e-14)
    return returns


def test_episodes_are_those_of_the_command(robot_run, robot_policy):
    check_episodes(robot_run, robot_policy)


def test_episodes_within_another_limit_are_those_of_the_command(robot_data, tmp_path):
    run = tmp_path / "run"
    policy = r2pac.train(TINY | {"method": "budgeted"}, robot_data, out=run, threads=1)
    assert policy.cost_limit == 5
    usual = check_episodes(run, policy)
    assert policy.configure(cost_limit=0.5).cost_limit == 0.5
    assert check_episodes(run, policy, "--cost-limit", "0.5") != usual
    assert policy.configure(cost_limit=None).cost_limit == 0.5
    for wrong in (-1, float("nan"), float("inf")):
        with pytest.raises(r2pac.UsageError, match="the cost limit cannot be") as caught:
            policy.configure(cost_limit=wrong)
        assert caught.value.where == "cost_limit"
    with pytest.raises(TypeError):
        policy.configure(cost_limit="low")
    assert policy.cost_limit == 0.5
