"""How many runs it takes to tell two methods apart."""

import math

from rl.experiments.statistics.intervals import t_quantile

POWER = 0.8
ALPHA = 0.05  # the level of tests
MOST_RUNS = 1000


def power(difference: float, deviation: float, runs: int, alpha: float = ALPHA) -> float:
    """How likely a t test of two methods is to find their difference.

    Args:
      difference: of their means. deviation: the standard deviation over runs, of both. runs: of
        each method, at least 2. alpha: the level of the test.
    """
    # pylint: disable-next=import-outside-toplevel, no-name-in-module
    from scipy.special import nctdtr

    freedom = 2 * runs - 2
    noncentrality = abs(difference) / deviation * math.sqrt(runs / 2)
    critical = t_quantile(freedom, 1 - alpha)
    above = 1 - float(nctdtr(freedom, noncentrality, critical))
    below = float(nctdtr(freedom, noncentrality, -critical))
    return above + (0.0 if math.isnan(below) else below)  # nan where it is too small a number


def runs_needed(difference: float, deviation: float, alpha: float = ALPHA) -> int | None:
    """The fewest runs of each method with which a t test finds the difference with POWER.

    None where it is 0, where it takes more than MOST_RUNS, and where the runs of a method don't
    differ, so that nothing is known of how they would.
    """
    if difference == 0 or not deviation > 0:
        return None
    few = 1
    many = MOST_RUNS
    if power(difference, deviation, many, alpha) < POWER:
        return None
    while many - few > 1:
        middle = (few + many) // 2
        if power(difference, deviation, middle, alpha) < POWER:
            few = middle
        else:
            many = middle
    return many
