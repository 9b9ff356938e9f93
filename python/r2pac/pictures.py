"""What the camera of a simulator sees, without a display.

`picture(env)` draws by the environment's own `render`, which gymnasium and the older gym call in two ways:

    env.render()                     of an environment made with render_mode="rgb_array"
    env.render(mode="rgb_array")

and, of the simulators that papers score in, with a camera that shows where the robot drives. No number of an episode
depends on whether it was drawn (test/test_moving_pictures.cpp).
"""

from __future__ import annotations

import contextlib
import ctypes.util
import importlib.util
import inspect
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from r2pac.errors import SimulatorError

WIDEST = 2048  # pixels, and as high at most
SIDE = 480  # pixels, of MuJoCo's pictures
_VIEW = 36.0  # degrees that the camera far off sees: the whole arena of a navigation task
_RUN_DISTANCE = 6.0  # metres from which a robot is followed on its way
_LINE = 2.0  # metres that a line of a run task lies beside its way
_AWAY, _RED = (0.0, 0.0, -1000.0), (1.0, 0.1, 0.1, 1.0)

_SETUP = "./setup.sh --render"


def picture(env: Any) -> np.ndarray:
    """What its camera sees, [height, width, 3] uint8, at most WIDEST wide and high. Raises SimulatorError."""
    env = getattr(env, "unwrapped", env)
    render = getattr(env, "render", None)
    if not callable(render):
        raise SimulatorError(
            "the environment draws no pictures: it has no `render`", todo="leave --gif and --mp4 away"
        )
    with _prepared(env):
        by_mode = "mode" in inspect.signature(render).parameters
        drawn = render(mode="rgb_array") if by_mode else render()
    drawn = np.asarray(drawn)
    fits = drawn.ndim == 3 and drawn.shape[2] == 3 and 0 < min(drawn.shape) and max(drawn.shape) <= WIDEST
    if not fits or drawn.dtype.kind not in "iu" or drawn.min() < 0 or drawn.max() > 255:
        raise SimulatorError(
            f"its `render` returns no picture but {drawn.dtype.name} {list(drawn.shape)}",
            todo=f'let it return whole numbers [height, width, 3] of 0 to 255, at most {WIDEST} x {WIDEST};'
            ' Gymnasium\'s do so if they are made with render_mode="rgb_array"',
        )
    return np.ascontiguousarray(drawn, np.uint8)


def _prepared(env: Any) -> contextlib.AbstractContextManager[None]:
    package = type(env).__module__.split(".")[0]
    if package == "bullet_safety_gym":
        return _bullet_scene(env)
    if hasattr(env, "model") or package == "safety_gymnasium":
        _choose_opengl()
    if hasattr(env, "render_parameters"):  # safety-gymnasium's navigation tasks
        env.render_parameters.mode, env.render_parameters.camera_name = "rgb_array", "fixedfar"
        env.render_parameters.width = env.render_parameters.height = SIDE
        env.task.model.camera("fixedfar").fovy[:] = _VIEW
    elif getattr(env, "render_mode", "rgb_array") is None:
        if "rgb_array" in getattr(env, "metadata", {}).get("render_modes", ()):
            env.render_mode = "rgb_array"
    return contextlib.nullcontext()


@contextlib.contextmanager
def _bullet_scene(env: Any) -> Iterator[None]:
    """Within, a robot is red in steps with cost, and the camera of a run task sees it and the lines beside its way.

    Bullet's own renderer knows no transparency: the ball that marks a step with cost would always hide the robot.
    """
    agent, camera, scene = env.agent, env.world.camera, env.bc
    ball = agent.violation_body_id
    place = scene.getBasePositionAndOrientation(ball)
    view = camera.cam_base_pos, camera.cam_dist
    colors = {shape[1]: shape[7] for shape in scene.getVisualShapeData(agent.body_id)}  # by link
    x, y, _ = agent.get_position()
    scene.resetBasePositionAndOrientation(ball, _AWAY, place[1])
    if agent._violates_constraints:
        for link in colors:
            scene.changeVisualShape(agent.body_id, link, rgbaColor=_RED)
    if type(env.task).__name__ == "RunTask":
        aside = y - min(max(y, -_LINE), _LINE)
        camera.cam_base_pos, camera.cam_dist = (x + 1, aside, 0.5), _RUN_DISTANCE
    try:
        yield
    finally:
        camera.cam_base_pos, camera.cam_dist = view
        for link, color in colors.items():
            scene.changeVisualShape(agent.body_id, link, rgbaColor=color)
        scene.resetBasePositionAndOrientation(ball, *place)


def _choose_opengl() -> None:
    """Has MuJoCo draw without a display: by what MUJOCO_GL names, else by OSMesa on the CPU, else by EGL."""
    if importlib.util.find_spec("OpenGL") is None:
        raise SimulatorError(
            "MuJoCo draws by PyOpenGL, which is not installed", todo="install it with `./setup.sh --simulators`"
        )
    if os.environ.get("MUJOCO_GL"):
        return
    for name, library in (("osmesa", "OSMesa"), ("egl", "EGL")):
        if ctypes.util.find_library(library):
            os.environ["MUJOCO_GL"] = name
            return
    raise SimulatorError(
        "MuJoCo draws by OSMesa or EGL, and neither library was found", todo=f"install one with `{_SETUP}`"
    )
