"""Methods of one env in numbers: each with its intervals, and against the baseline."""

import dataclasses
import math
from typing import NamedTuple, Sequence

import numpy as np

from rl.experiments.comparison.methods import Method
from rl.experiments.statistics.bootstrap import (
    FEWEST_FOR_BOOTSTRAP,
    bca_difference_interval,
    bootstrap_interval,
    difference_interval,
)
from rl.experiments.statistics.estimators import Estimator, iqm
from rl.experiments.statistics.improvement import (
    improvement_interval,
    probability_of_improvement,
)
from rl.experiments.statistics.intervals import (
    Interval,
    inside_unit,
    jackknife_interval,
    logit_t_interval,
    t_interval,
)
from rl.experiments.statistics.power import ALPHA, runs_needed
from rl.experiments.statistics.significance import holm, permutation_p, variance, welch

FEWEST_FOR_BCA = 8
KINDS = ("t", "bootstrap")


class Estimate(NamedTuple):
    """A number and its 95% interval; None where one run says nothing of others."""

    value: float
    interval: Interval | None
    kind: str  # of the interval


NO_ESTIMATE = Estimate(math.nan, None, "")


class IntervalOptions(NamedTuple):
    """How intervals are made: `kind` is of KINDS, `unit` of `bootstrap.UNITS`."""

    kind: str = "t"
    unit: str = "run"
    resamples: int = 10_000
    seed: int = 0

    def rng(self) -> np.random.Generator:
        """A generator for one interval: the same every time, whatever else is computed."""
        return np.random.default_rng(self.seed)

    def by_bootstrap(self, runs: int) -> bool:
        """Whether the intervals of estimates over so many runs are resampled."""
        return self.kind == "bootstrap" and runs >= FEWEST_FOR_BOOTSTRAP


@dataclasses.dataclass(frozen=True)
class Difference:
    """A method against the baseline; p values are two-sided, nan where there is no test.

    Attributes:
      mean: the method's less the baseline's. holm_p: Welch's p, adjusted for the env's methods.
      improvement: how likely a run of the method is to beat one of the baseline. runs_needed: of
        each method, to find a difference like this one after Holm's correction; None where that
        can't be said.
    """

    mean: Estimate
    welch_p: float
    permutation_p: float
    holm_p: float
    improvement: Estimate
    runs_needed: int | None

    @property
    def significant(self) -> bool:
        """Whether the methods differ, by Welch's test after Holm's correction."""
        return self.holm_p < ALPHA


@dataclasses.dataclass(frozen=True)
class Summary:
    """A method in numbers; `difference` is None for the baseline, and where there is none.

    Attributes:
      tasks: the mean of each task.
    """

    method: Method
    mean: Estimate
    tasks: list[Estimate]
    iqm: Estimate
    area: Estimate
    difference: Difference | None


def summarise(
    methods: Sequence[Method], baseline: Method | None, rate: bool, options: IntervalOptions
) -> list[Summary]:
    """Every method of an env by itself and against `baseline`, which is one of them or None.

    Args:
      rate: the scores are success rates, whose intervals stay inside [0, 1].
    """
    differences: dict[str, Difference] = {}
    if baseline is not None:
        others = [method for method in methods if method is not baseline]
        tests = sum(min(method.count, baseline.count) > 1 for method in others)
        for method in others:
            differences[method.label] = _difference(method, baseline, rate, options, tests)
        adjusted = holm([differences[method.label].welch_p for method in others])
        for method, p in zip(others, adjusted):
            found = differences[method.label]
            differences[method.label] = dataclasses.replace(found, holm_p=p)
    summaries = []
    for method in methods:
        mean = estimate_mean(method.scores, method.episodes, rate, options)
        area = NO_ESTIMATE
        if np.isfinite(method.areas).all():
            area = estimate_mean(method.areas[:, None], method.episodes, rate, options)
        middle = _estimate_iqm(method.scores, rate, options)
        difference = differences.get(method.label)
        tasks = _estimate_tasks(method, rate, options)
        summaries.append(Summary(method, mean, tasks, middle, area, difference))
    return summaries


def estimate_mean(
    scores: np.ndarray, episodes: int, rate: bool, options: IntervalOptions
) -> Estimate:
    """The mean of scores `(runs, tasks)`.

    Its t interval, where it is of rates and leaves [0, 1], gives way to one on the logit scale.
    """
    value = float(scores.mean())
    if len(scores) < 2:
        return Estimate(value, None, "")
    if options.by_bootstrap(len(scores)):
        return Estimate(value, _bootstrap(scores, np.mean, options), "bootstrap")
    totals = scores.mean(axis=1)
    interval = t_interval(totals)
    if rate and not inside_unit(interval):
        return Estimate(value, logit_t_interval(totals, episodes), "logit t")
    return Estimate(value, interval, "t")


def _estimate_tasks(method: Method, rate: bool, options: IntervalOptions) -> list[Estimate]:
    """The mean of each task, over runs."""
    estimates = []
    for place in range(len(method.tasks)):
        task_scores = method.scores[:, [place]]
        episodes = max(1, method.episodes // len(method.tasks))
        estimates.append(estimate_mean(task_scores, episodes, rate, options))
    return estimates


def _estimate_iqm(scores: np.ndarray, rate: bool, options: IntervalOptions) -> Estimate:
    value = float(iqm(scores.ravel(), axis=0))
    if len(scores) < 2:
        return Estimate(value, None, "")
    if options.by_bootstrap(len(scores)):
        return Estimate(value, _bootstrap(scores, iqm, options), "bootstrap")
    interval = jackknife_interval(scores, iqm)
    if rate:
        interval = _clip(interval, 0, 1)
    return Estimate(value, interval, "t")


def _bootstrap(scores: np.ndarray, estimate: Estimator, options: IntervalOptions) -> Interval:
    return bootstrap_interval(scores, estimate, options.unit, options.resamples, options.rng())


def _clip(interval: Interval, low: float, high: float) -> Interval:
    return Interval(max(low, interval.low), min(high, interval.high))


def _difference(
    method: Method, baseline: Method, rate: bool, options: IntervalOptions, tests: int
) -> Difference:
    """The difference, with Holm's p value still to come; `tests` is how many it is adjusted for."""
    value = float(method.scores.mean() - baseline.scores.mean())
    fewest = min(method.count, baseline.count)
    improvement = Estimate(probability_of_improvement(method.scores, baseline.scores), None, "")
    if fewest < 2:
        nothing = Estimate(value, None, "")
        return Difference(nothing, math.nan, math.nan, math.nan, improvement, None)
    test = welch(method.totals, baseline.totals)
    mean = Estimate(value, test.interval, "t")
    if options.by_bootstrap(fewest):
        mean = _bootstrap_difference(method, baseline, value, options)
    if fewest >= FEWEST_FOR_BOOTSTRAP:
        interval = improvement_interval(
            method.scores,
            baseline.scores,
            options.unit,
            options.resamples,
            options.rng(),
        )
        improvement = improvement._replace(interval=interval, kind="bootstrap")
    if rate and mean.interval is not None:
        mean = mean._replace(interval=_clip(mean.interval, -1, 1))
    p = permutation_p(method.totals, baseline.totals, options.rng())
    variances = [variance(method.totals), variance(baseline.totals)]
    # The level is what Holm's correction asks of the smallest p value.
    needed = runs_needed(value, math.sqrt(sum(variances) / 2), ALPHA / tests)
    return Difference(mean, test.p, p, math.nan, improvement, needed)


def _bootstrap_difference(
    method: Method, baseline: Method, value: float, options: IntervalOptions
) -> Estimate:
    fewest = min(method.count, baseline.count)
    rng = options.rng()
    if options.unit == "run" and fewest >= FEWEST_FOR_BCA:
        interval = bca_difference_interval(method.totals, baseline.totals, options.resamples, rng)
        return Estimate(value, interval, "BCa")
    interval = difference_interval(
        method.scores, baseline.scores, options.unit, options.resamples, rng
    )
    return Estimate(value, interval, "bootstrap")
