"""Flags of replay."""

import dataclasses

from rl.config import flag


@dataclasses.dataclass(frozen=True)
class Config:
    """Replay flags."""

    batch_size: int = flag(100, "transitions in a batch, per task", low=1)
    replay_size: int = flag(1_000_000, "transitions kept, per task", low=1)
    n_step: int = flag(1, "rewards in a return before it bootstraps", low=1)
    replay: str = flag("uniform", "how transitions are sampled", choices=("uniform", "prioritised"))
    per_alpha: float = flag(0.6, "prioritised: power of the TD error, 0 is uniform", low=0, high=1)
    per_beta: float = flag(
        0.4, "prioritised: share of its bias corrected at first, rising to 1", low=0, high=1
    )
