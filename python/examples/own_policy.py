"""A policy of one's own, and its scores in BallRun, which needs the simulators (./setup.sh --simulators).

    python -m r2pac.score own_policy:make --env BallRun --episodes 20 -o eval.json
    python -m r2pac.score own_policy:make --set pace=0.3 --env BallRun --episodes 20 -o slow.json
    r2pac report eval.json slow.json -o report

Run that in this folder; this file alone does nothing. The ball rolls along +x as fast as `pace` says, and brakes once it
has paid. `make` is called with what `--set` says, as texts.
"""

import sys

import numpy as np


class Roll:
    def __init__(self, pace: float) -> None:
        self.pace = pace
        self.about = {"method": f"roll {pace:g}"}

    def act_batch(self, observations: np.ndarray, *, spent: np.ndarray) -> np.ndarray:
        """Actions [n, 2] for observations [n, S] of n episodes, of which each has cost spent [n] so far."""
        actions = np.zeros((len(observations), 2))
        actions[:, 0] = np.where(spent > 0, -self.pace, self.pace)
        return actions


def make(pace: str = "0.6") -> Roll:
    return Roll(float(pace))


if __name__ == "__main__":
    print(__doc__, end="", file=sys.stderr)
    sys.exit(2)  # as `r2pac` without arguments
