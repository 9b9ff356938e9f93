"""The built-in robot as a Gymnasium environment."""

from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from r2pac._core import ReachAvoid

_LARGEST_SEED = 2**53  # as `r2pac eval --seed` takes


class ReachAvoidEnv(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """A point robot with inertia that has to reach a goal and to stay out of two round hazards.

    Observation: 7 float32 numbers in [-1.5, 1.5]: position (2) and velocity (2), half the distance to the
    goal, and the clearance from each hazard. Action: the acceleration, 2 float32 numbers in [-1, 1]. An
    episode is truncated after 100 steps and never terminates. `step` reports the cost of the step, 0 or 1,
    as `info["cost"]`; an episode's cost should stay within `cost_limit`.

    The start of an episode is a function of (seed, episode): `reset(seed=s)` begins episode 0 of seed s, and
    each later `reset()` the next episode, just as `Policy.reset` counts. `options={"episode": k}` begins
    episode k. `r2pac eval --seed s` runs the same episodes.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 30}
    cost_limit: float = ReachAvoid.cost_limit

    def __init__(self, render_mode: str | None = None) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode must be `rgb_array` or None, not {render_mode!r}")
        self.render_mode = render_mode
        self._robot = ReachAvoid(1)
        self._seed: int | None = None
        self._episode = 0
        self._position = np.zeros(2, np.float32)
        self._over = True
        self.observation_space = spaces.Box(-1.5, 1.5, (self._robot.observation_dim,), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (self._robot.action_dim,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begins an episode; see the class for `seed` and `options`. Without a seed so far, draws one."""
        super().reset(seed=seed)
        if seed is None and self._seed is None:
            seed = int(self.np_random.integers(_LARGEST_SEED))
        if seed is not None:
            self._seed, self._episode = seed, 0
        else:
            self._episode += 1
        self._episode = int((options or {}).get("episode", self._episode))
        observation = self._robot.reset(self._seed, self._episode)[0]
        self._position = observation[:2]
        self._over = False
        return observation, {"seed": self._seed, "episode": self._episode}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Accelerates by `action` [2], clipped to [-1, 1]."""
        if self._over:
            raise RuntimeError("the episode is over, or none has begun; call reset")
        observations, rewards, costs, terminals, timeouts = self._robot.step(np.asarray(action)[None])
        self._position = observations[0, :2]
        terminated, truncated = bool(terminals[0]), bool(timeouts[0])
        self._over = terminated or truncated
        return observations[0], float(rewards[0]), terminated, truncated, {"cost": float(costs[0])}

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """The arena [-1, 1] x [-1, 1] from above, [256, 256, 3]; None without a render mode."""
        if self.render_mode is None:
            return None
        x, y = np.meshgrid(np.linspace(-1, 1, 256), np.linspace(1, -1, 256))
        image = np.full((256, 256, 3), 245, np.uint8)
        discs = [(*hazard, (225, 120, 110)) for hazard in ReachAvoid.hazards]
        discs += [(*ReachAvoid.goal, (120, 190, 130)), (*self._position, 0.03, (40, 70, 160))]
        for center_x, center_y, radius, color in discs:
            image[np.hypot(x - center_x, y - center_y) <= radius] = color
        return image


gymnasium.register("r2pac/ReachAvoid-v0", entry_point="r2pac.reach_avoid:ReachAvoidEnv")
