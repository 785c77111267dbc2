"""Flags of normalisation."""

import dataclasses

from rl.config import flag


@dataclasses.dataclass(frozen=True)
class Config:
    """Normalisation flags."""

    obs_norm: bool = flag(
        False, "normalise observations: subtract their running mean, divide by their running std"
    )
    rew_norm: bool = flag(
        False, "divide rewards by the running std of the discounted return, per task"
    )
    rew_norm_by: str = flag(
        "std",
        "rew_norm: divide by that std, or scale the largest discounted return of an episode so far "
        "to return_max, per task",
        choices=("std", "max"),
    )
    return_max: float = flag(10.0, "size that the largest return has by rew_norm_by max", above=0)
