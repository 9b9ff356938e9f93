"""Which pictures of an environment are taken, and what is said of the others."""

import numpy as np
import pytest

from r2pac.errors import SimulatorError
from r2pac.pictures import picture


class Drawing:
    def __init__(self, drawn):
        self.drawn = drawn

    def render(self):
        return self.drawn


class OlderDrawing(Drawing):
    def render(self, mode="human"):
        return self.drawn if mode == "rgb_array" else None


class LateDrawing(Drawing):
    metadata, render_mode = {"render_modes": ["rgb_array"]}, None

    def render(self):
        return self.drawn if self.render_mode == "rgb_array" else None


@pytest.mark.parametrize("kind", [Drawing, OlderDrawing, LateDrawing])
def test_whole_numbers_of_any_type_are_a_picture(kind):
    drawn = np.arange(24, dtype=np.int64).reshape(2, 4, 3)
    for one in (drawn, drawn.astype(np.uint8), drawn[::-1]):
        taken = picture(kind(one))
        assert taken.dtype == np.uint8 and taken.flags.c_contiguous
        assert np.array_equal(taken, one)


@pytest.mark.parametrize(
    "drawn",
    [
        None,
        np.zeros((4, 4)),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3)),
        np.full((4, 4, 3), 256),
        np.full((4, 4, 3), -1),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((1, 2049, 3), np.uint8),
    ],
)
def test_anything_else_is_refused(drawn):
    with pytest.raises(SimulatorError, match="returns no picture") as caught:
        picture(Drawing(drawn))
    assert "rgb_array" in caught.value.todo


def test_an_environment_without_render_is_refused():
    with pytest.raises(SimulatorError, match="no `render`"):
        picture(object())


def test_the_random_streams_stay_as_they_are():
    from r2pac.env_server import Copy

    class Robot:
        action_space = type("Box", (), {"shape": (1,), "low": -np.ones(1), "high": np.ones(1)})()

        def reset(self, seed=None):
            return np.random.uniform(size=1)

        def step(self, action):
            return np.random.uniform(size=1), 0.0, 0.0, False, False, {}

        def render(self):
            return np.random.randint(0, 255, (2, 2, 3))

        def close(self):
            pass

    def episode(filmed):
        copy = Copy(Robot, reuse=False)
        seen = [copy.reset(3)]
        for _ in range(3):
            if filmed:
                copy.picture()
            seen.append(copy.step(np.zeros(1)).observation)
        return np.concatenate(seen)

    assert np.array_equal(episode(False), episode(True))
