"""Performance profiles: the share of scores above each threshold.

Agarwal et al., 2021: https://arxiv.org/abs/2108.13264.
"""

import numpy as np

from rl.experiments.statistics.bootstrap import count_runs, percentiles

RESAMPLES = 2000


def performance_profile(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """The share of scores `(runs, tasks)` that are above each of `thresholds` `(points,)`."""
    return (scores[:, :, None] > thresholds).mean(axis=(0, 1))


def profile_band(
    scores: np.ndarray, thresholds: np.ndarray, unit: str, rng: np.random.Generator
) -> np.ndarray:
    """Edges `(2, points)` of the percentile interval of each threshold's share, one by one."""
    runs, tasks = scores.shape
    above = (scores[:, :, None] > thresholds).astype(float)
    if unit == "run":
        above = above.mean(axis=1, keepdims=True)
        tasks = 1
    counts = count_runs(runs, tasks, unit, RESAMPLES, rng)
    shares = np.einsum("brt,rtp->bp", counts, above, optimize=True) / (runs * tasks)
    return percentiles(shares)
