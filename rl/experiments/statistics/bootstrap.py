"""Bootstrap intervals: what an estimate is with other runs, drawn from those that there are.

Efron and Tibshirani, 1993, An Introduction to the Bootstrap. A `unit` says what is drawn:

    run     whole runs. One run trains all its tasks together, so its scores are not independent.
    task    the runs of each task apart, as rliable does: https://arxiv.org/abs/2108.13264
"""

import numpy as np

from rl.experiments.statistics.estimators import Estimator
from rl.experiments.statistics.intervals import LEVEL, Interval, normal_quantile

UNITS = ("run", "task")
FEWEST_FOR_BOOTSTRAP = 5  # runs; of fewer, resamples are too much alike
CHUNK = 2_000_000  # numbers that are resampled at once


def draw_runs(
    runs: int, tasks: int, unit: str, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Which runs each resample has, `(resamples, runs, tasks)` whole numbers; whole runs are the
    same for all tasks, and have an axis of length 1 for them."""
    if unit == "run":
        return rng.integers(runs, size=(resamples, runs))[:, :, None]
    return rng.integers(runs, size=(resamples, runs, tasks))


def count_runs(
    runs: int, tasks: int, unit: str, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """How often each run is in each resample, `(resamples, runs, tasks)`; the sum over runs is
    `runs`."""
    chosen = draw_runs(runs, tasks, unit, resamples, rng)
    counts = np.empty(chosen.shape)
    for run in range(runs):
        counts[:, run] = (chosen == run).sum(axis=1)
    return np.broadcast_to(counts, (resamples, runs, tasks))


def percentiles(estimates: np.ndarray) -> np.ndarray:
    """Edges `(2, ...)` of the percentile interval of resampled estimates `(resamples, ...)`."""
    return np.quantile(estimates, ((1 - LEVEL) / 2, (1 + LEVEL) / 2), axis=0)


def bootstrap_interval(
    scores: np.ndarray, estimate: Estimator, unit: str, resamples: int, rng: np.random.Generator
) -> Interval:
    """Percentile interval of an estimate over all scores `(runs, tasks)`."""
    runs, tasks = scores.shape
    chosen = draw_runs(runs, tasks, unit, resamples, rng)
    estimates = np.empty(resamples)
    length = max(1, CHUNK // scores.size)
    for start in range(0, resamples, length):
        part = scores[chosen[start : start + length], np.arange(tasks)]
        estimates[start : start + length] = estimate(part.reshape(len(part), -1), axis=1)
    low, high = percentiles(estimates)
    return Interval(float(low), float(high))


def bootstrap_band(
    y: np.ndarray, estimate: Estimator, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Edges `(2, points)` of the percentile interval of each point's estimate over runs.

    Args:
      y: `(runs, points)`; whole runs are drawn, the same for every point.
    """
    runs, points = y.shape
    chosen = draw_runs(runs, 1, "run", resamples, rng)[:, :, 0]
    edges = np.empty((2, points))
    width = max(1, CHUNK // chosen.size)
    for start in range(0, points, width):
        resampled = estimate(y[:, start : start + width][chosen], axis=1)
        edges[:, start : start + width] = percentiles(resampled)
    return edges


def resampled_means(
    scores: np.ndarray, unit: str, resamples: int, rng: np.random.Generator
) -> np.ndarray:
    """Means `(resamples,)` over resampled scores `(runs, tasks)`."""
    runs, tasks = scores.shape
    if unit == "run":
        scores = scores.mean(axis=1, keepdims=True)
        tasks = 1
    counts = count_runs(runs, tasks, unit, resamples, rng)
    return np.einsum("brt,rt->b", counts, scores) / scores.size


def difference_interval(
    scores: np.ndarray,
    baseline: np.ndarray,
    unit: str,
    resamples: int,
    rng: np.random.Generator,
) -> Interval:
    """Percentile interval of the difference of two methods' means, both resampled.

    Args:
      scores, baseline: `(runs, tasks)` each, of any numbers of runs.
    """
    differences = resampled_means(scores, unit, resamples, rng)
    differences = differences - resampled_means(baseline, unit, resamples, rng)
    low, high = percentiles(differences)
    return Interval(float(low), float(high))


def bca_difference_interval(
    scores: np.ndarray, baseline: np.ndarray, resamples: int, rng: np.random.Generator
) -> Interval:
    """The same for whole runs, corrected for bias and for skewness (BCa).

    Efron, 1987: https://doi.org/10.1080/01621459.1987.10478410; of two samples as in
    `scipy.stats.bootstrap`. It needs about 8 runs of each to know the skewness.

    Args:
      scores, baseline: `(runs,)` each, one number a run.
    """
    # pylint: disable-next=import-outside-toplevel, no-name-in-module
    from scipy.special import ndtr, ndtri

    observed = scores.mean() - baseline.mean()
    differences = resampled_means(scores[:, None], "run", resamples, rng)
    differences = differences - resampled_means(baseline[:, None], "run", resamples, rng)
    below = 0.5 * ((differences < observed).mean() + (differences <= observed).mean())
    bias = ndtri(np.clip(below, 1 / resamples, 1 - 1 / resamples))
    acceleration = _acceleration(scores, baseline)
    shifted = bias + np.array([-1, 1]) * normal_quantile()
    low, high = np.quantile(differences, ndtr(bias + shifted / (1 - acceleration * shifted)))
    return Interval(float(low), float(high))


def _acceleration(scores: np.ndarray, baseline: np.ndarray) -> float:
    """Skewness of the difference of means, a sixth of it: from the mean's influence function, which
    is how far a run is from the mean."""
    influences = (scores - scores.mean(), -(baseline - baseline.mean()))
    third = 0.0
    second = 0.0
    for influence in influences:
        third += (influence**3).sum() / len(influence) ** 3
        second += (influence**2).sum() / len(influence) ** 2
    return third / (6 * second**1.5) if second > 0 else 0.0
