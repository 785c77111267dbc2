"""Intervals that are computed, not resampled: 95% if nothing else is said. NumPy, and SciPy for
quantiles."""

import math
from typing import NamedTuple

import numpy as np

from rl.experiments.statistics.estimators import Estimator

LEVEL = 0.95  # of the intervals


class Interval(NamedTuple):
    """Lower and upper edge."""

    low: float
    high: float


def t_quantile(freedom: float, level: float = LEVEL) -> float:
    """Half the width of a t interval, in standard errors.

    Args:
      freedom: degrees of freedom, above 0. level: how likely the interval is to hold the mean.
    """
    # pylint: disable-next=import-outside-toplevel, no-name-in-module
    from scipy.special import stdtrit  # a fifth of a second, for those who need it

    return float(stdtrit(freedom, (1 + level) / 2))


def normal_quantile() -> float:
    """Half the width of a LEVEL normal interval, in standard errors: 1.96."""
    # pylint: disable-next=import-outside-toplevel, no-name-in-module
    from scipy.special import ndtri

    return float(ndtri((1 + LEVEL) / 2))


def standard_error(values: np.ndarray) -> np.ndarray:
    """Of the mean over the first axis, of at least two values; it has the shape of the others."""
    return values.std(axis=0, ddof=1) / math.sqrt(len(values))


def t_interval(values: np.ndarray) -> Interval:
    """Student's interval of the mean of at least two values `(runs,)`."""
    centre = float(values.mean())
    half = t_quantile(len(values) - 1) * float(standard_error(values))
    return Interval(centre - half, centre + half)


def jackknife_interval(scores: np.ndarray, estimate: Estimator) -> Interval:
    """t interval of any smooth estimate over all scores, from what it is without each run.

    Tukey, 1958: https://doi.org/10.1214/aoms/1177706647. Of the mean it is `t_interval` of the
    runs' means.

    Args:
      scores: `(runs, tasks)`, of at least two runs.
    """
    runs = len(scores)
    whole = float(estimate(scores.ravel(), axis=0))
    pseudo_values = np.empty(runs)
    for run in range(runs):
        without = np.delete(scores, run, axis=0)
        pseudo_values[run] = runs * whole - (runs - 1) * estimate(without.ravel(), axis=0)
    half = t_quantile(runs - 1) * float(standard_error(pseudo_values))
    return Interval(whole - half, whole + half)


def logit_t_interval(rates: np.ndarray, episodes: int) -> Interval:
    """t interval of success rates on the logit scale, which stays inside [0, 1].

    A run with k successes in n episodes is `logit((k + 1/2) / (n + 1))`, so that none is infinite.
    That draws rates near 0 and 1 inwards, so the interval is widened to hold the mean of the rates
    where it would not. Runs that are all alike have an interval without width.

    Args:
      rates: `(runs,)` in [0, 1], of at least two runs. episodes: n, of each run.
    """
    if np.ptp(rates) == 0:
        return Interval(float(rates[0]), float(rates[0]))
    shrunk = (rates * episodes + 0.5) / (episodes + 1)
    low, high = t_interval(np.log(shrunk / (1 - shrunk)))
    mean = float(rates.mean())
    return Interval(min(_sigmoid(low), mean), max(_sigmoid(high), mean))


def _sigmoid(logit: float) -> float:
    return 0.5 * (1 + math.tanh(logit / 2))  # never overflows


def inside_unit(interval: Interval) -> bool:
    """Whether an interval is one that a rate can have."""
    return interval.low >= 0 and interval.high <= 1


def wilson(successes: int, episodes: int) -> Interval:
    """95% interval of a success rate. Wilson, 1927: https://doi.org/10.1080/01621459.1927.10502953.

    For the episodes of one policy; those of several seeds are not independent and must not be
    pooled.
    """
    z = normal_quantile()
    rate = successes / episodes
    spread = z**2 / episodes
    centre = (rate + spread / 2) / (1 + spread)
    half = z * math.sqrt(rate * (1 - rate) / episodes + spread / (4 * episodes)) / (1 + spread)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))
