"""Data sets from Python."""

import numpy as np
import pytest

r2pac = pytest.importorskip("r2pac")
pytest.importorskip("r2pac._core", reason="the extension is not installed")


def test_data_set_shows_its_episodes(robot_arrays, robot_data):
    data = robot_data
    assert (data.rows, data.episodes, data.observation_dim, data.action_dim) == (1200, 12, 7, 2)
    assert data.observations.shape == (1212, 7)
    assert list(data.episode_lengths) == [100] * 12
    assert list(data.episode_starts) == list(range(0, 1212, 101))
    np.testing.assert_array_equal(data.observations[data.row_indices], robot_arrays["observations"])
    np.testing.assert_array_equal(data.actions[data.row_indices], robot_arrays["actions"])
    rewards = robot_arrays["rewards"].reshape(12, 100).astype(np.float64)
    costs = robot_arrays["costs"].reshape(12, 100)
    # Sums of the same numbers in double precision, perhaps in another order.
    np.testing.assert_allclose(data.episode_returns, rewards.sum(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(data.episode_costs, costs.sum(axis=1))
    last = data.episode(-1)
    np.testing.assert_array_equal(last.observations[:-1], robot_arrays["observations"][-100:])
    np.testing.assert_array_equal(last.observations[-1], robot_arrays["next_observations"][-1])
    np.testing.assert_array_equal(last.actions, robot_arrays["actions"][-100:])
    assert last.rewards.shape == last.costs.shape == (100,)
    assert last.terminal is False
    with pytest.raises(IndexError):
        data.episode(12)


def test_arrays_are_read_only_views_that_keep_the_data_alive(robot_arrays):
    data = r2pac.Dataset.from_arrays(**robot_arrays)
    for name in ("observations", "actions", "rewards", "costs", "terminals"):
        view = getattr(data, name)
        assert np.shares_memory(view, getattr(data, name))
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 0
    assert np.shares_memory(data.episode(3).observations, data.observations)
    observations = data.observations
    expected = observations.copy()
    del data
    np.testing.assert_array_equal(observations, expected)


def test_a_file_gives_the_same_data(robot_arrays, robot_data, tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "SafetyBallRun-v0-80-12.hdf5"
    with h5py.File(path, "w") as file:
        for name, values in robot_arrays.items():
            file[name] = values
    data = r2pac.Dataset(path)
    assert data.name == path.stem
    assert data.fingerprint == robot_data.fingerprint
    assert data.warnings == []


def test_bad_data_are_refused(robot_arrays, tmp_path):
    missing = tmp_path / "missing.hdf5"
    with pytest.raises(r2pac.DataError) as caught:
        r2pac.Dataset(missing)
    assert caught.value.where == str(missing)
    assert caught.value.exit_code == 3
    with pytest.raises(ValueError, match=r"`rewards` must have the shape \[1200\], not \[1199\]"):
        r2pac.Dataset.from_arrays(**{**robot_arrays, "rewards": robot_arrays["rewards"][1:]})
    with pytest.raises(ValueError, match="`costs` holds a number that is not finite"):
        r2pac.Dataset.from_arrays(**{**robot_arrays, "costs": np.full(1200, np.nan)})
    with pytest.raises(ValueError, match="`actions` must be an array of real numbers"):
        r2pac.Dataset.from_arrays(**{**robot_arrays, "actions": np.full((1200, 2), "left")})
    with pytest.raises(ValueError, match="must have rows"):
        r2pac.Dataset.from_arrays(**{name: values[:0] for name, values in robot_arrays.items()})


def test_arrays_follow_the_rules_of_files(robot_arrays, robot_data):
    column = {name: values[:, None] for name, values in robot_arrays.items() if values.ndim == 1}
    halves = {"timeouts": robot_arrays["timeouts"].astype(np.float16), "costs": robot_arrays["costs"].astype(int)}
    for other in (column, halves):
        same = r2pac.Dataset.from_arrays(**{**robot_arrays, **other})
        assert same.fingerprint == robot_data.fingerprint
    rows = len(robot_arrays["timeouts"])
    for flags in (["False"] * rows, np.full(rows, "False"), np.full(rows, b"0"), np.full(rows, None)):
        with pytest.raises(ValueError, match="`timeouts` must be an array of real numbers"):
            r2pac.Dataset.from_arrays(**{**robot_arrays, "timeouts": flags})
    for flag in (0.5, 255, -1):
        with pytest.raises(ValueError, match="`terminals` has the value .* in row 0; flags must be 0 or 1"):
            r2pac.Dataset.from_arrays(**{**robot_arrays, "terminals": np.full(rows, flag)})
    with pytest.raises(ValueError, match="`timeouts` holds a number that is not finite"):
        r2pac.Dataset.from_arrays(**{**robot_arrays, "timeouts": np.full(rows, np.nan)})
    with pytest.raises(ValueError, match="discrete actions"):
        r2pac.Dataset.from_arrays(**{**robot_arrays, "actions": np.zeros((rows, 2), int)})


def test_what_is_odd_about_arrays_is_a_warning(robot_arrays, robot_data):
    assert robot_data.warnings == []
    restarted = np.roll(robot_arrays["observations"], -1, axis=0)
    data = r2pac.Dataset.from_arrays(**{**robot_arrays, "next_observations": restarted})
    assert any("next episode's first observation" in warning for warning in data.warnings)
    clock = 1.7e9 + 0.05 * np.arange(len(restarted) + 1)[:, None]
    timed = {
        "observations": np.hstack([robot_arrays["observations"], clock[:-1]]),
        "next_observations": np.hstack([robot_arrays["next_observations"], clock[1:]]),
    }
    data = r2pac.Dataset.from_arrays(**{**robot_arrays, **timed})
    assert any("column 7: what it varies by was lost" in warning for warning in data.warnings)
    order = np.random.default_rng(0).permutation(len(restarted))
    with pytest.raises(r2pac.DataError, match="the rows are in no order"):
        r2pac.Dataset.from_arrays(**{name: values[order] for name, values in robot_arrays.items()})
