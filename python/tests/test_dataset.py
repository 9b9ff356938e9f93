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


class Tensor:
    """Converts itself, as tensors of other packages do."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        if isinstance(self.values, Exception):
            raise self.values
        return np.asarray(self.values, dtype=dtype)


SAME = {
    "lists": lambda a: {"observations": a["observations"].tolist(), "terminals": a["terminals"].tolist()},
    "tensors": lambda a: {name: Tensor(values) for name, values in a.items()},
    "columns first": lambda a: {"observations": np.asfortranarray(a["observations"])},
    "every other column": lambda a: {"actions": np.repeat(a["actions"], 2, axis=1)[:, ::2]},
    "every other row": lambda a: {"rewards": np.repeat(a["rewards"], 2)[::2]},
    "backwards": lambda a: {"observations": a["observations"][::-1].copy()[::-1]},
    "big-endian": lambda a: {name: a[name].astype(">f8") for name in ("observations", "rewards", "timeouts")},
    "wide": lambda a: {name: a[name].astype(np.longdouble) for name in ("actions", "costs")},
    "flags of other types": lambda a: {"timeouts": a["timeouts"].astype(float), "terminals": a["terminals"].astype(">u8")},
    "masks that hide nothing": lambda a: {"costs": np.ma.masked_array(a["costs"])},
}


@pytest.mark.parametrize("other", SAME.values(), ids=SAME)
def test_arrays_may_be_laid_out_in_any_way(robot_arrays, robot_data, other):
    data = r2pac.Dataset.from_arrays(**{**robot_arrays, **other(robot_arrays)})
    assert data.fingerprint == robot_data.fingerprint


def changed(values, index, to):
    values = values.copy()
    values[index] = to
    return values


REAL = "must be an array of real numbers, but "
GIVE = "; give numbers, as a NumPy array or as lists of equal lengths"
REFUSED = {
    "episodes stacked": ("observations", lambda v: v.reshape(12, 100, 7), r"not \[12, 100, 7\]; give \[T, S\]: the T steps"),
    "columns as rows": ("actions", lambda v: v.T, r"\[1200, any\], not \[2, 1200\]; .* each of the 1200 rows of `observations`"),
    "a column short": ("next_observations", lambda v: v[:, 1:], r"\[1200, 7\], not \[1200, 6\]; give what followed each"),
    "a row short": ("terminals", lambda v: v[1:], r"\[1200\], not \[1199\]; give a number for each of the 1200"),
    "one axis": ("actions", lambda v: v[:, 0], r"\[1200, any\], not \[1200\]; give a row of A numbers"),
    "a row of numbers": ("rewards", lambda v: v[None], r"not \[1, 1200\]; give a number for each"),
    "one number": ("costs", lambda v: 0.0, r"not \[\]; give a number for each"),
    "rows of ends": ("timeouts", np.flatnonzero, r"not \[12\]; give a number for each"),
    "nothing": ("observations", lambda v: [], r"\[any, any\], not \[0\]"),
    "ragged rows": ("observations", lambda v: [list(r[: 5 + i % 2]) for i, r in enumerate(v)], "is no array: .*inhomogeneous.*" + GIVE),
    "ragged episodes": ("observations", lambda v: [v[:100], v[100:]], "is no array: .*inhomogeneous.*" + GIVE),
    "objects": ("observations", lambda v: v.astype(object), REAL + "has the dtype object" + GIVE),
    "missing values": ("rewards", lambda v: [*v[1:], None], REAL + "has the dtype object" + GIVE),
    "texts": ("rewards", lambda v: [str(x) for x in v], REAL + "has the dtype <U.*" + GIVE),
    "complex": ("rewards", lambda v: v.astype(complex), REAL + "has the dtype complex128" + GIVE),
    "dates": ("rewards", lambda v: np.full(len(v), np.datetime64("2020-01-01")), REAL + r"has the dtype datetime64.*" + GIVE),
    "fields": ("rewards", lambda v: v.astype([("reward", "f4")]), REAL + "has the dtype .*" + GIVE),
    "whole numbers beyond 64 bits": ("rewards", lambda v: [10**30] * len(v), REAL + "has the dtype object" + GIVE),
    "none": ("timeouts", lambda v: None, REAL + "is of type NoneType" + GIVE),
    "a dict": ("observations", lambda v: {"position": v}, REAL + "is of type dict" + GIVE),
    "a generator": ("rewards", iter, REAL + "is of type .*iterator" + GIVE),
    "bytes": ("timeouts", lambda v: v.tobytes(), REAL + "is of type bytes" + GIVE),
    "a tensor that refuses": ("actions", lambda v: Tensor(RuntimeError("use detach()")), r"is no array: use detach\(\)" + GIVE),
    "masked": ("rewards", lambda v: np.ma.masked_array(v, np.arange(len(v)) == 5), "hides numbers behind a mask; fill such gaps"),
    "not a number": ("next_observations", lambda v: changed(v, (100, 5), np.nan), r"not finite .*: nan at \[100, 5\]; fill such gaps"),
    "beyond single precision": ("rewards", lambda v: changed(v.astype(float), 7, -1e300), r"not finite .*: -1e\+300 at \[7\]; fill"),
    "bytes of flags": ("timeouts", lambda v: 255 * v.astype(np.uint8), "in row 99; flags must be 0 or 1"),
    "choices": ("actions", lambda v: v[:, 0] > 0, "discrete actions; R2PAC needs continuous ones"),
}


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")  # NumPy says so, too
@pytest.mark.parametrize(("name", "wrong", "message"), REFUSED.values(), ids=REFUSED)
def test_wrong_arrays_are_named_with_what_to_do(robot_arrays, name, wrong, message):
    with pytest.raises(ValueError, match=f"`{name}` .*{message}"):
        r2pac.Dataset.from_arrays(**{**robot_arrays, name: wrong(robot_arrays[name])})


def test_wrong_names_of_arrays_are_told(robot_arrays):
    def refused(*arrays, **named):
        with pytest.raises(TypeError) as caught:
            r2pac.Dataset.from_arrays(*arrays, **named)
        return str(caught.value)

    assert r"**arrays for a dict of them" in refused(robot_arrays)
    assert "takes arrays by name" in refused(*robot_arrays.values())
    assert "no argument `reward`; did you mean `rewards`?" in refused(**robot_arrays, reward=0)
    assert "`name` must be a text" in refused(**robot_arrays, name=5)
    without = {name: values for name, values in robot_arrays.items() if name not in ("terminals", "timeouts")}
    missing = refused(**without)
    assert missing.startswith("from_arrays() misses `terminals` [T], 1 where an episode ended by itself")
    assert "`timeouts` [T], 1 where an episode was cut" in missing
    assert all(name not in missing for name in without)
