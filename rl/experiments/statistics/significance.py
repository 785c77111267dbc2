"""Tests of whether two methods differ in mean score, from one number per run."""

import itertools
import math
from typing import NamedTuple, Sequence

import numpy as np

from rl.experiments.statistics.intervals import Interval, t_quantile

MOST_DIVISIONS = 20_000  # that a permutation test goes through one by one: 8 runs against 8
ROUNDING = 1e-9  # of a sum; sums in another order are equal


def variance(scores: np.ndarray) -> float:
    """Of runs that scores `(runs,)` are a sample of; of equal ones 0, which rounding would miss."""
    return float(scores.var(ddof=1)) if np.ptp(scores) else 0.0


class WelchTest(NamedTuple):
    """The interval of the difference of means, and the two-sided p value; nan where no run differs
    from the others of its method, but the methods do."""

    interval: Interval
    p: float


def welch(scores: np.ndarray, baseline: np.ndarray) -> WelchTest:
    """Welch's t test, for methods whose scores spread differently.

    Welch, 1947: https://doi.org/10.1093/biomet/34.1-2.28.

    Args:
      scores, baseline: `(runs,)` each, of at least two runs.
    """
    # pylint: disable-next=import-outside-toplevel, no-name-in-module
    from scipy.special import stdtr

    difference = float(scores.mean() - baseline.mean())
    variances = [variance(scores) / len(scores), variance(baseline) / len(baseline)]
    error = math.sqrt(sum(variances))
    if error == 0:
        p = 1.0 if difference == 0 else math.nan
        return WelchTest(Interval(difference, difference), p)
    shares = [part / sum(variances) for part in variances]
    freedom = 1 / (shares[0] ** 2 / (len(scores) - 1) + shares[1] ** 2 / (len(baseline) - 1))
    p = 2 * float(stdtr(freedom, -abs(difference) / error))
    half = t_quantile(freedom) * error
    return WelchTest(Interval(difference - half, difference + half), p)


def permutation_p(
    scores: np.ndarray, baseline: np.ndarray, rng: np.random.Generator, samples: int = 20_000
) -> float:
    """Two-sided p value of the difference of means, if it doesn't matter which run is whose.

    Exact, over all divisions of the runs into two methods, where these are at most MOST_DIVISIONS;
    else from `samples` random ones and the one observed.
    Of 5 runs against 5 the smallest is 2 / 252. It is nan where a score, or their sum, is not
    finite.

    Args:
      scores, baseline: `(runs,)` each.
    """
    pooled = np.concatenate([scores, baseline])
    count = len(scores)
    pooled = pooled - pooled.mean()  # so that a sum is as far from 0 as the means are apart
    if not np.isfinite(np.abs(pooled).sum()):
        return math.nan
    observed = abs(pooled[:count].sum())
    least = observed - ROUNDING * np.abs(pooled).sum()
    if math.comb(len(pooled), count) <= MOST_DIVISIONS:
        divisions = np.array(list(itertools.combinations(range(len(pooled)), count)))
        return float((np.abs(pooled[divisions].sum(axis=1)) >= least).mean())
    extreme = 0
    for _ in range(samples):
        extreme += int(abs(rng.permutation(pooled)[:count].sum()) >= least)
    return (1 + extreme) / (1 + samples)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values of several tests, adjusted so that one below 0.05 is a false alarm in at most 5% of
    families of tests.

    Holm, 1979: https://www.jstor.org/stable/4615733. A nan stays one and counts as no test.
    """
    adjusted = [math.nan] * len(p_values)
    tested = [place for place, p in enumerate(p_values) if not math.isnan(p)]
    tested.sort(key=lambda place: p_values[place])
    largest = 0.0
    for rank, place in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted
