"""Learning-rate schedules: the fraction of the base rate for each update of a run."""

from typing import Any, Callable

import numpy as np

from rl.config import UserError
from rl.flags.schedule import Config


def _cyclic(progress: np.ndarray, config: Config) -> np.ndarray:
    """Triangular, Smith, 2015: https://arxiv.org/abs/1506.01186"""
    rise = 1 - np.abs(2 * (progress * config.lr_cycles % 1) - 1)
    return config.lr_end + (1 - config.lr_end) * rise


# name -> the fraction at a progress in [0, 1], an array. cosine: Loshchilov and Hutter, 2016: arXiv
# 1608.03983, eq. 5.
SCHEDULES: dict[str, Callable[[np.ndarray, Config], np.ndarray]] = {
    "constant": lambda progress, config: np.ones_like(progress),
    "linear": lambda progress, config: 1 + (config.lr_end - 1) * progress,
    "cosine": lambda progress, config: config.lr_end
    + (1 - config.lr_end) * (1 + np.cos(np.pi * progress)) / 2,
    "exponential": lambda progress, config: config.lr_end**progress,
    "cyclic": _cyclic,
    "plateau": lambda progress, config: np.ones_like(progress),
}


class Schedule:
    """The schedule of one run. "plateau" is driven by `observe`, the others by the update's number
    alone."""

    def __init__(self, config: Config) -> None:
        if config.lr_schedule == "exponential" and config.lr_end == 0:
            raise UserError("--lr_schedule exponential needs an --lr_end above 0")
        self.config = config
        self.first = 0
        self.begin(0)

    def begin(self, first: int) -> None:
        """Starts over: the schedule spans the updates from number `first` to the run's last."""
        self.first = first
        self.scale = 1.0
        self.best = -np.inf
        self.bad = 0

    def __call__(self, first: int, count: int, total: int) -> np.ndarray:
        """Fractions for the updates numbered `first <= k < first + count` of `total`, float32
        `(count,)`."""
        behind = np.arange(first - self.first, first - self.first + count)
        progress = np.clip(behind / max(1, total - self.first - 1), 0, 1)
        fractions = self.scale * SCHEDULES[self.config.lr_schedule](progress, self.config)
        return fractions.astype(np.float32)

    def observe(self, score: float) -> None:
        """Told the return of an epoch; "plateau" lowers the rate after `lr_patience` epochs without
        a better one."""
        if self.config.lr_schedule != "plateau":
            return
        self.bad = 0 if score > self.best else self.bad + 1
        self.best = max(self.best, score)
        if self.bad == self.config.lr_patience:
            self.scale = max(self.config.lr_end, self.scale * self.config.lr_factor)
            self.bad = 0

    def state(self) -> dict[str, Any]:
        """All that later fractions depend on."""
        return {
            "first": self.first,
            "scale": self.scale,
            "best": float(self.best),
            "bad": self.bad,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        self.first = state["first"]
        self.scale = state["scale"]
        self.best = state["best"]
        self.bad = state["bad"]
