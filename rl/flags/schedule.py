"""Flags of learning-rate schedules."""

import dataclasses

from rl.config import flag


@dataclasses.dataclass(frozen=True)
class Config:
    """Schedule flags."""

    lr_schedule: str = flag(
        "constant",
        "course of every learning rate over the run's updates",
        choices=("constant", "linear", "cosine", "exponential", "cyclic", "plateau"),
    )
    lr_end: float = flag(
        0.0, "fraction of the learning rate a schedule ends at, or its lowest", low=0, high=1
    )
    lr_cycles: int = flag(
        4, "triangles of the cyclic schedule, each from lr_end to 1 and back", low=1
    )
    lr_factor: float = flag(0.5, "what plateau multiplies the rate by", above=0, high=1)
    lr_patience: int = flag(10, "epochs without a better test return before plateau does so", low=1)
