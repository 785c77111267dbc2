"""The probability of improvement: how often a run of one method beats a run of another."""

import numpy as np

from rl.experiments.statistics.bootstrap import count_runs, percentiles
from rl.experiments.statistics.intervals import Interval


def probability_of_improvement(scores: np.ndarray, baseline: np.ndarray) -> float:
    """P(X > Y), a tie counted as half: the mean over tasks of Mann and Whitney's U / (n m).

    Agarwal et al., 2021: https://arxiv.org/abs/2108.13264.

    Args:
      scores, baseline: of X and Y, `(runs, tasks)` each, of the same tasks.
    """
    return float(_wins(scores, baseline).mean())


def improvement_interval(
    scores: np.ndarray,
    baseline: np.ndarray,
    unit: str,
    resamples: int,
    rng: np.random.Generator,
) -> Interval:
    """Its percentile interval, with both methods resampled by `unit`.

    It has no width where every run of one method beats every run of the other, however few they
    are.
    """
    wins = _wins(scores, baseline)
    if unit == "run":
        wins = wins.mean(axis=2, keepdims=True)
    runs, runs_of_baseline, tasks = wins.shape
    counts = count_runs(runs, tasks, unit, resamples, rng)
    counts_of_baseline = count_runs(runs_of_baseline, tasks, unit, resamples, rng)
    sums = np.einsum("bxt,xyt,byt->b", counts, wins, counts_of_baseline, optimize=True)
    low, high = percentiles(sums / wins.size)
    return Interval(float(low), float(high))


def _wins(scores: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """`(runs, runs of the baseline, tasks)`: 1 where the run is better, 1/2 where they tie."""
    better = scores[:, None] > baseline[None]
    equal = scores[:, None] == baseline[None]
    return better + 0.5 * equal
