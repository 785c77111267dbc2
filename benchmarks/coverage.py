"""How often 95% intervals hold the truth, by simulation: for normal, bounded and skewed scores, few
and many runs, one task and ten whose scores depend on the run.

python benchmarks/coverage.py

Prints a table and writes it to `benchmarks/results/coverage.csv`.
"""

import csv
import sys
from pathlib import Path
from typing import Callable, NamedTuple

import numpy as np
from scipy.special import betaincinv, ndtr

sys.path.insert(0, str(Path(__file__).parents[1]))

from rl.experiments.plots.text import aligned  # noqa: E402
from rl.experiments.statistics.bootstrap import (  # noqa: E402
    bca_difference_interval,
    bootstrap_interval,
    difference_interval,
)
from rl.experiments.statistics.estimators import iqm  # noqa: E402
from rl.experiments.statistics.intervals import (  # noqa: E402
    Interval,
    inside_unit,
    jackknife_interval,
    logit_t_interval,
    t_interval,
    wilson,
)
from rl.experiments.statistics.significance import welch  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "coverage.csv"
SIMULATIONS = 1000
RESAMPLES = 400
RUNS = (3, 5, 10, 20)
TASKS = (1, 10)
CORRELATION = 0.5  # of the tasks of a run, before they are made bounded or skewed
EPISODES = 50  # of a task, where scores are success rates
BETA = (2.0, 0.5)  # rates of the policies: 0.8 on average, most of them near 1
GRID = np.linspace(-6, 6, 4001)  # of normal deviates
BETA_QUANTILES = betaincinv(*BETA, ndtr(GRID))
FEWEST_FOR_BCA = 8
FOR_TRUTH = 200_000  # runs that stand for all that there could be

Rng = np.random.Generator


class Setting(NamedTuple):
    """What is simulated: the kind of scores, and how many tasks and runs."""

    scores: str
    tasks: int
    runs: int


class Finding(NamedTuple):
    """How often an interval of an estimate held the truth, and how wide it was on average."""

    setting: Setting
    estimate: str
    interval: str
    coverage: float
    width: float


def draw_normal(deviates: np.ndarray, _: Rng) -> np.ndarray:
    """Scores whose tasks have means from -1 to 1."""
    tasks = deviates.shape[1]
    return deviates + (np.linspace(-1, 1, tasks) if tasks > 1 else 0)


def draw_rates(deviates: np.ndarray, rng: Rng) -> np.ndarray:
    """Success rates in EPISODES of policies whose own rates are beta distributed."""
    rates = np.interp(deviates, GRID, BETA_QUANTILES)
    return rng.binomial(EPISODES, rates) / EPISODES


def draw_skewed(deviates: np.ndarray, _: Rng) -> np.ndarray:
    """Log-normal scores."""
    return np.exp(deviates)


SCORES: dict[str, Callable[[np.ndarray, Rng], np.ndarray]] = {
    "normal": draw_normal,
    "rates": draw_rates,
    "skewed": draw_skewed,
}


def draw(setting: Setting, rng: Rng) -> np.ndarray:
    """Scores `(runs, tasks)`."""
    of_runs = rng.normal(size=(setting.runs, 1))
    of_tasks = rng.normal(size=(setting.runs, setting.tasks))
    deviates = np.sqrt(CORRELATION) * of_runs + np.sqrt(1 - CORRELATION) * of_tasks
    return SCORES[setting.scores](deviates, rng)


def find_intervals(
    setting: Setting, scores: np.ndarray, others: np.ndarray, rng: Rng
) -> dict[tuple[str, str], Interval]:
    """Every interval of every estimate, by the names of both; `others` are of a second method that
    is as good."""
    totals = scores.mean(axis=1)
    other_totals = others.mean(axis=1)
    found = {
        ("mean", "t"): t_interval(totals),
        ("IQM", "jackknife t"): jackknife_interval(scores, iqm),
        ("difference", "Welch"): welch(totals, other_totals).interval,
    }
    if setting.scores == "rates":
        episodes = EPISODES * setting.tasks
        found["mean", "t or logit t"] = found["mean", "t"]
        if not inside_unit(found["mean", "t"]):
            found["mean", "t or logit t"] = logit_t_interval(totals, episodes)
        pooled = round(float(totals.sum()) * episodes)
        found["mean", "Wilson of pooled episodes"] = wilson(pooled, episodes * setting.runs)
    units = ("run", "task") if setting.tasks > 1 else ("run",)
    for unit in units:
        name = f"bootstrap by {unit}"
        found["mean", name] = bootstrap_interval(scores, np.mean, unit, RESAMPLES, rng)
        found["IQM", name] = bootstrap_interval(scores, iqm, unit, RESAMPLES, rng)
        found["difference", name] = difference_interval(scores, others, unit, RESAMPLES, rng)
    if setting.runs >= FEWEST_FOR_BCA:
        found["difference", "BCa"] = bca_difference_interval(totals, other_totals, RESAMPLES, rng)
    return found


def simulate(setting: Setting, rng: Rng) -> list[Finding]:
    """The coverage of every interval in one setting."""
    everything = draw(setting._replace(runs=FOR_TRUTH), rng)
    truth = {
        "mean": float(everything.mean()),
        "IQM": float(iqm(everything.ravel(), axis=0)),
        "difference": 0.0,
    }
    covered: dict[tuple[str, str], int] = {}
    widths: dict[tuple[str, str], float] = {}
    for _ in range(SIMULATIONS):
        found = find_intervals(setting, draw(setting, rng), draw(setting, rng), rng)
        for name, interval in found.items():
            holds = interval.low <= truth[name[0]] <= interval.high
            covered[name] = covered.get(name, 0) + holds
            widths[name] = widths.get(name, 0.0) + interval.high - interval.low
    findings = []
    for (estimate, interval_name), count in covered.items():
        width = widths[estimate, interval_name] / SIMULATIONS
        findings.append(Finding(setting, estimate, interval_name, count / SIMULATIONS, width))
    return findings


def print_table(findings: list[Finding]) -> None:
    """A row for each interval, a column for each number of runs."""
    rows: dict[tuple[str, ...], dict[int, str]] = {}
    for finding in findings:
        setting = finding.setting
        name = (finding.estimate, finding.interval, setting.scores, str(setting.tasks))
        rows.setdefault(name, {})[setting.runs] = f"{finding.coverage:.3f}"
    table = [["estimate", "interval", "scores", "tasks", *(f"n={runs}" for runs in RUNS)]]
    for name in sorted(rows):
        table.append([*name, *(rows[name].get(runs, "-") for runs in RUNS)])
    print(aligned(table))


def write_table(findings: list[Finding]) -> None:
    """Writes RESULTS."""
    with open(RESULTS, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["estimate", "interval", "scores", "tasks", "runs", "coverage", "width"])
        for finding in findings:
            names = [finding.estimate, finding.interval, *finding.setting]
            writer.writerow([*names, f"{finding.coverage:.3f}", f"{finding.width:.4g}"])


def main() -> None:
    """Simulates every setting."""
    rng = np.random.default_rng(0)
    findings = []
    for scores in SCORES:
        for tasks in TASKS:
            for runs in RUNS:
                findings.extend(simulate(Setting(scores, tasks, runs), rng))
    print_table(findings)
    write_table(findings)


if __name__ == "__main__":
    main()
