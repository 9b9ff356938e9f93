"""What an environment has to give: every form that is understood, and every other one refused by place and type."""

from typing import Any

import numpy as np
import pytest

from r2pac.contract import action_box, as_observation, as_transition, observation_width
from r2pac.errors import SimulatorError

O = np.ones(3)  # noqa: E741


@pytest.mark.parametrize(
    "result",
    [
        (O, 1, True, {"cost": 2, "TimeLimit.truncated": True}),
        (O, 1, np.True_, {"cost": 2, "TimeLimit.truncated": np.array([True])}),
        (O, np.float64(1), False, True, {"cost": 2.0}),
        (O, np.float16(1), False, True, {"cost": np.uint8(2)}),
        (O, np.array([1.0]), np.array([False]), np.array(True), {"cost": np.array([[2]])}),
        (O, [1], False, True, {"cost": np.array(2, np.int8)}),
        (np.ones((3, 1), np.float32), 1.0, np.int64(2), np.False_, np.True_, {}),
        (O.tolist(), 1.0, 2, False, True, {"cost": 2.0}),
        (O.astype(bool), 1.0, 2, False, True, {"cost": np.float32(2)}),
    ],
)
def test_every_form_of_a_step_is_one_transition(result: tuple) -> None:
    transition = as_transition(result)
    assert transition.observation.tolist() == [1, 1, 1]
    assert transition.observation.dtype == np.float32
    assert transition[1:] == (1.0, 2.0, False, True)
    assert [type(value) for value in transition[1:]] == [float, float, bool, bool]


def test_an_old_episode_that_is_done_has_ended() -> None:
    assert as_transition((O, 0.0, True, {"cost": 0}))[3:] == (True, False)
    assert as_transition((O, 0.0, False, {"cost": 0, "TimeLimit.truncated": True}))[3:] == (False, False)


def test_a_cost_at_two_places_may_have_been_rounded() -> None:
    assert as_transition((O, 0.0, 0.1, False, False, {"cost": np.float32(0.1)})).cost == 0.1


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (None, "step returned of type NoneType (None), expected a tuple of 4, 5 or 6"),
        ((1, 2, 3), "of type tuple and length 3, expected a tuple of 4, 5 or 6"),
        ([O, 1, False, False, {"cost": 0}], "of type list and length 5"),
        ((O, 0.0, False, False, True, {}), "position 2 of the 6 .* `cost`, is of type bool (False)"),
        ((O, 0.0, np.False_, np.False_, np.float64(1), {}), "position 2 of the 6 .* `cost`, is of type bool"),
        ((O, 0.0, 0, 0, 1.0, {}), "position 3 of the 6 .* `terminated`, is of type int (0), expected a bool"),
        ((O, 0.0, False, False, 1.0, {}), "position 2 of the 6 .* `cost`, is of type bool (False), expected one number"),
        ((O, 0.0, 1.0, 0.0, False, {}), "position 3 of the 6 .* is of type float (0.0), expected a bool"),
        ((O, 0.0, 1.0, False, np.int64(1), {}), "position 4 of the 6 .* `truncated`, is of type int64"),
        ((O, 0.0, 1.0, False, False, 1.0), "position 5 of the 6 .* `info`, is of type float (1.0), expected a dict"),
        ((O, 0.0, False, False, {}), 'info has no "cost"'),
        ((O, 0.0, 1.0, False, {}), "position 2 of the 5 .* `terminated`, is of type float (1.0)"),
        ((O, 0.0, 1.0, False, {"cost": 1.0}), "position 2 of the 5 .* `terminated`, is of type float (1.0)"),
        ((O, 0.0, False, 1, {"cost": 1.0}), "position 3 of the 5 .* `truncated`, is of type int (1)"),
        ((O, 0.0, False, False, None), "position 4 of the 5 .* `info`, is of type NoneType"),
        ((O, 0.0, False, False, {"cost": True}), 'info["cost"] is of type bool (True), expected one number'),
        ((O, 0.0, False, False, {"cost": None}), 'info["cost"] is of type NoneType'),
        ((O, 0.0, False, False, {"cost": "1"}), 'info["cost"] is of type str'),
        ((O, 0.0, False, False, {"cost": 1j}), 'info["cost"] is of type complex'),
        ((O, 0.0, False, False, {"cost": 10**400}), 'info["cost"] is of type int'),
        ((O, 0.0, False, False, {"cost": np.ones(2)}), "is an array of shape (2,) and type float64, expected one"),
        ((O, 0.0, False, False, {"cost": np.array([True])}), "is an array of shape (1,) and type bool"),
        ((O, 0.0, False, False, {"cost": []}), "is of type list and length 0"),
        ((O, 0.0, False, False, {"cost": {"sum": 1}}), "is of type dict and length 1"),
        ((O, True, False, False, {"cost": 0}), "position 1 of the 5 .* `reward`, is of type bool (True)"),
        ((O, "1", False, False, {"cost": 0}), "`reward`, is of type str"),
        ((O, np.ones((2, 1)), False, False, {"cost": 0}), "`reward`, is an array of shape (2, 1)"),
        ((O, 0.0, 1, {"cost": 0}), "position 2 of the 4 .* `done`, is of type int (1), expected a bool"),
        ((O, 0.0, True, {"cost": 0, "TimeLimit.truncated": 1}), 'info["TimeLimit.truncated"] is of type int'),
        ((O, 0.0, 1.0, False, False, {"cost": 2.0}), '`cost`, is 1.0, but info["cost"] is 2.0'),
        ((O, 0.0, 1.0, False, False, {"cost": True}), 'info["cost"] is of type bool'),
        (({"a": 1}, 1.0, False, False, {"cost": 0}), "the observation is of type dict and length 1"),
        (((1, 2), 1.0, False, False, {"cost": 0}), "the observation is of type tuple"),
        ((None, 1.0, False, False, {"cost": 0}), "the observation is of type NoneType"),
        (("left", 1.0, False, False, {"cost": 0}), "the observation is of type str ('left')"),
        (([[1], [2, 3]], 1.0, False, False, {"cost": 0}), "the observation is of type list"),
        ((np.ones(3, complex), 1.0, False, False, {"cost": 0}), "and type complex128, expected an array of numbers"),
    ],
)
def test_other_results_are_refused(result: Any, text: str) -> None:
    with pytest.raises(SimulatorError) as refusal:
        as_transition(result)
    for part in text.split(" .* "):
        assert part in refusal.value.message
    assert refusal.value.todo


def test_a_missing_cost_names_the_keys_and_the_nearest() -> None:
    with pytest.raises(SimulatorError, match="its keys are 'time', 'constraint_costs'") as refusal:
        as_transition((O, 0.0, False, False, {"time": 1, "constraint_costs": 2}))
    assert "info['constraint_costs']" in refusal.value.todo.replace('info["cost"]', "")
    with pytest.raises(SimulatorError, match="it is empty"):
        as_transition((O, 0.0, False, False, {}))
    with pytest.raises(SimulatorError, match=r"'key18', 'key19', \.\.\.\n"):
        as_transition((O, 0.0, False, False, {f"key{i}": i for i in range(1000)}))


def test_observations_may_overflow_32_bits() -> None:
    assert as_observation(np.array([1e300, 1.0])).tolist() == [np.inf, 1.0]


class Env:
    def __init__(self, actions: Any, observations: Any = None) -> None:
        self.action_space, self.observation_space = actions, observations


class Space:
    """A space of one's own, without Gymnasium."""

    def __init__(self, **members: Any) -> None:
        self.__dict__.update(members)


def test_a_box_is_read() -> None:
    spaces = pytest.importorskip("gymnasium.spaces")
    box = action_box(Env(spaces.Box(np.array([-2, 0], np.float32), np.array([2, 1], np.float32))))
    assert (box.low.tolist(), box.high.tolist(), box.shape) == ([-2, 0], [2, 1], (2,))
    box = action_box(Env(spaces.Box(-np.inf, np.inf, (2, 3), np.float64)))
    assert (box.low.tolist(), box.high.tolist(), box.shape) == ([-np.inf] * 6, [np.inf] * 6, (2, 3))
    assert action_box(Env(spaces.Box(-1.0, 1.0, ()))).low.tolist() == [-1]


def test_a_space_of_ones_own_may_leave_its_bounds_open() -> None:
    assert action_box(Env(Space(shape=(2,), low=-1, high=[1, 2]))).high.tolist() == [1, 2]
    unknown = action_box(Env(Space(shape=(2,))))
    assert np.isnan(unknown.low).all()
    assert np.isnan(unknown.high).all()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda s: s.Discrete(3), r"is Discrete\(3\); expected a Box of real numbers"),
        (lambda s: s.MultiDiscrete([3, 3]), r"is MultiDiscrete\(\[3 3\]\)"),
        (lambda s: s.MultiBinary(4), r"is MultiBinary\(4\)"),
        (lambda s: s.Dict(a=s.Box(-1, 1, (2,))), "is Dict"),
        (lambda s: s.Tuple([s.Box(-1, 1, (2,))]), "is Tuple"),
        (lambda s: s.Text(4), "is Text"),
        (lambda s: s.Sequence(s.Box(-1, 1, (2,))), "is Sequence"),
        (lambda s: s.Box(0, 255, (2,), np.uint8), "is of uint8: Box"),
        (lambda s: s.Box(-3, 3, (2,), np.int64), "is of int64: Box"),
        (lambda s: None, "is None"),
        (lambda s: Space(), "is <"),
        (lambda s: Space(shape=(2,), nvec=[2, 2]), "is <"),
        (lambda s: Space(shape=(2,), low=-1), "has a bound that is not a number"),
        (lambda s: Space(shape=(2,), low=[-1, np.nan], high=[1, 1]), "has a bound that is not a number"),
        (lambda s: Space(shape=(2,), low=[1, 1], high=[1, 0]), r"has bounds \[1.0, 0.0\] in component 1"),
        (lambda s: Space(shape=(2,), low=[1, 1, 1], high=1), "has a low that does not fit its shape"),
        (lambda s: Space(shape=(2,), low="a", high=1), "has a low that does not fit its shape"),
    ],
)
def test_other_spaces_of_actions_are_refused_by_name(make: Any, text: str) -> None:
    with pytest.raises(SimulatorError, match="action_space " + text) as refusal:
        action_box(Env(make(pytest.importorskip("gymnasium.spaces"))))
    assert "wrap the environment" in refusal.value.todo


def test_observations_have_a_shape() -> None:
    assert observation_width(Env(None, Space(shape=(2, 3)))) == 6
    for space in (None, Space(), Space(shape=()), Space(shape=None)):
        with pytest.raises(SimulatorError, match="observation_space is"):
            observation_width(Env(None, space))
