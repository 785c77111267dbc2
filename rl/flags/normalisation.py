"""Flags of normalisation."""

import dataclasses

from rl.config import flag


@dataclasses.dataclass(frozen=True)
class Config:
    """Normalisation flags."""

    obs_norm: bool = flag(
        False, "give networks observations minus their running mean, over their running std"
    )
    rew_norm: bool = flag(
        False, "learn from rewards over the running std of the discounted return, per task"
    )
