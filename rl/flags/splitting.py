"""Flags of when and how networks split."""

import dataclasses

from rl.config import flag

# Those of rl.splitting, by name.
CRITERIA = ("conflict", "halfbatch", "v1", "v1_region", "v2")


@dataclasses.dataclass(frozen=True)
class Config:
    """Flags of splitting."""

    split_criterion: str = flag("conflict", "which regions split", choices=CRITERIA)
    split_every: int = flag(500, "updates between two checks for splits", low=1)
    split_warmup: int = flag(
        2000, "updates whose gradients a region's statistics must hold before it splits", low=2
    )
    splits_per_check: int = flag(
        0,
        "most splits of a network at a check (not v1); 0: 1, or 0.5% of units, 0.1% of weights",
        low=0,
    )
    split_min_sharing: float = flag(
        0.1, "no splits at or under this sharing score; 1: all shared", low=0, high=1
    )
    split_reset: bool = flag(True, "start a region's statistics over when it has split")
    split_decay: float = flag(
        0.999, "of the running averages of gradient statistics", low=0, high=1
    )
    split_z: float = flag(
        4.0, "z above which a region splits (conflict, halfbatch, v1_region, split_weights)", low=0
    )
    split_cosine: float = flag(
        0.0, "conflict: gradients split whose cosine is under minus this", low=0, high=1
    )
    split_alpha: float = flag(
        0.05, "v1: size of the test of each pair at each check", above=0, high=1
    )
    split_variance: float = flag(0.0, "v1: variance of a gradient component; 0: measure it", low=0)
    split_cap: bool = flag(True, "v1: count no more samples than the average remembers")
    split_metric: str = flag(
        "euclidean", "v2: how far apart gradients are", choices=("euclidean", "cosine")
    )
