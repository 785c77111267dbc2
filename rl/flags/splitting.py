"""Flags of what splits, and when and how."""

import dataclasses

from rl.config import UserError, flag
from rl.flags.changing import Changing

# Those of rl.splitting, by name.
CRITERIA = ("lagged", "gain", "conflict", "halfbatch", "v1", "v1_region", "v2")
# Those to which every update is a piece of evidence; to the others blocks of updates are.
BY_UPDATES = ("v1", "v2")
# Those that compare the halves of batches.
OF_HALVES = ("gain", "conflict", "halfbatch", "v1_region")
DEFAULT_CAPACITY = 16  # most copies of a region, where --split_capacity says nothing


@dataclasses.dataclass(frozen=True)
class Config(Changing):
    """Flags of splitting."""

    split_criterion: str = flag("lagged", "which regions split", choices=CRITERIA)
    split_block: int = flag(
        20,
        "least updates in a block, one piece of evidence (not v1, v2); it ends with a burst of "
        "updates, with ppo those of a rollout",
        low=1,
    )
    split_min_blocks: int = flag(
        8, "blocks that a region's statistics must hold before it splits (not v1, v2)", low=2
    )
    split_memory: float = flag(
        0.98, "decay of gradient statistics with each block (not v1, v2)", low=0.5, high=1
    )
    split_lag: float = flag(
        0.96,
        "lagged: decay with each block of the gradients that later ones are held against",
        low=0,
        high=1,
    )
    split_every: int = flag(500, "updates between two checks for splits", low=1)
    split_warmup: int = flag(
        2000, "v1, v2: updates that a region's statistics must hold before it splits", low=2
    )
    splits_per_check: int = flag(
        0,
        "most splits of a network at a check; 0: all (lagged, v1), else 1, or 0.5% of units, 0.1% "
        "of weights",
        low=0,
    )
    split_min_sharing: float = flag(
        0.1, "no splits at or under this sharing score; 1: all shared", low=0, high=1
    )
    split_reset: bool = flag(True, "start a region's statistics over when it has split")
    split_decay: float = flag(
        0.999,
        "decay with each update of v1's and v2's statistics, and of the inner products by which "
        "lagged weighs gains, moments are scaled at a split, and reports show cosines",
        low=0,
        high=1,
    )
    split_z: float = flag(3.0, "z above which a region splits (not v1, v2)", low=0)
    split_cosine: float = flag(
        0.0, "conflict: gradients split whose cosine is under minus this", low=0, high=1
    )
    split_kappa: float = flag(
        0.41, "gain: gradients split whose cosine is under this", low=0, high=1
    )
    split_alpha: float = flag(
        0.05, "v1: size of the test of each pair at each check", above=0, high=0.999
    )
    split_variance: float = flag(0.0, "v1: variance of a gradient component; 0: measure it", low=0)
    split_cap: bool = flag(True, "v1: count no more samples than the average remembers")
    split_metric: str = flag(
        "euclidean", "v2: how far apart gradients are", choices=("euclidean", "cosine")
    )


@dataclasses.dataclass(frozen=True)
class SplittingLayers(Config):
    """The flags of networks whose dense layers split while they train."""

    split_capacity: int = flag(
        0, "copies of a region there is room for; 0: one for each task, 16 at most", low=0
    )
    split_start: str = flag(
        "heads",
        "what tasks share at first: all but an output layer of each task's own, or all",
        choices=("heads", "shared"),
    )
    split_map: str = flag(
        "", "train the copies of this splits.json, or run directory, from scratch; no splits"
    )

    @property
    def heads_apart(self) -> bool:
        """Whether tasks have output layers of their own from the start."""
        return self.split_start == "heads" and not self.split_map


@dataclasses.dataclass(frozen=True)
class Splitting(SplittingLayers):
    """The flags of perceptrons that split while they train."""

    split_biases: bool = flag(False, "split kernels and biases independently")


@dataclasses.dataclass(frozen=True)
class SparseSplitting(Splitting):
    """The flags of networks whose units split, or single weights."""

    split_weights: bool = flag(False, "split single weights, not units")
    split_private: float = flag(
        0.1, "most of its weights a task may have for itself (split_weights)", low=0, high=1
    )

    @property
    def heads_apart(self) -> bool:
        """As Splitting's; with `split_weights` all is shared at first."""
        return super().heads_apart and not self.split_weights

    def __post_init__(self) -> None:
        if self.split_weights and self.split_map:
            raise UserError(
                "--split_map: maps are of regions, and with --split_weights single weights split"
            )
