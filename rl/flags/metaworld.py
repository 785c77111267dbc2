"""Flags of Meta-World."""

import dataclasses

from rl.config import flag


@dataclasses.dataclass(frozen=True)
class Config:
    """Meta-World's flags."""

    goals: str = flag(
        "random",
        "Meta-World: an episode's goal is one of the task's 50, or always the first",
        choices=("random", "fixed"),
    )
    reward: str = flag("v2", "Meta-World: version of its reward functions", choices=("v1", "v2"))
    split: str = flag(
        "train", "ML sets: the tasks and goals to train on", choices=("train", "test")
    )
