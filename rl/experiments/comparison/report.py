"""What `compare` says of each env: a table of methods, one of tasks, and what to make of them."""

import dataclasses
import math
from typing import Sequence

from rl.experiments.comparison.comparisons import Estimate, IntervalOptions, Summary
from rl.experiments.comparison.run_scores import Scoring
from rl.experiments.plots.text import shorten
from rl.experiments.statistics.bootstrap import FEWEST_FOR_BOOTSTRAP
from rl.experiments.statistics.estimators import optimality_gap
from rl.experiments.statistics.intervals import Interval
from rl.experiments.statistics.power import MOST_RUNS

NOTHING = "-"
LINE = 300  # characters, at most
ENOUGH_FOR_BOOTSTRAP = 10  # runs; of fewer, docs/experiments.md shows what intervals miss
UNIT_NAMES = {"run": "whole runs", "task": "the runs of each task"}


@dataclasses.dataclass(frozen=True)
class EnvReport:
    """The results of an env; "" where the runs don't say which.

    Attributes:
      baseline: the label that the others are tested against; "" where there is none.
      target: scores above it don't count in the optimality gap; None: there is no gap.
    """

    env: str
    summaries: list[Summary]
    baseline: str
    scoring: Scoring
    options: IntervalOptions
    target: float | None = None


def method_table(report: EnvReport) -> list[list[str]]:
    """A header, and a row for each method."""
    header = ["method", "n", "mean [95%]", "IQM [95%]", "interval", "AUC [95%]"]
    if report.target is not None:
        header.append(f"gap to {number(report.target)}")
    header.extend(report.summaries[0].method.beside)
    if report.baseline:
        header.extend(
            [
                "difference [95%]",
                "interval",
                "Welch p",
                "permutation p",
                "Holm p",
                "P(X > baseline) [95%]",
            ]
        )
    rows = [header]
    for summary in report.summaries:
        row = [
            summary.method.label,
            str(summary.method.count),
            with_interval(summary.mean),
            with_interval(summary.iqm),
            _kinds(summary),
            with_interval(summary.area),
        ]
        if report.target is not None:
            row.append(number(optimality_gap(summary.method.scores, report.target)))
        row.extend(number(values.mean()) for values in summary.method.beside.values())
        if report.baseline:
            row.extend(_difference_cells(summary, report.baseline))
        rows.append(row)
    return rows


def _kinds(summary: Summary) -> str:
    """How the intervals of the mean, the IQM and the area were made."""
    kinds = dict.fromkeys([summary.mean.kind, summary.iqm.kind, summary.area.kind])
    return ", ".join(kind for kind in kinds if kind) or NOTHING


def _difference_cells(summary: Summary, baseline: str) -> list[str]:
    difference = summary.difference
    if difference is None:
        shown = "baseline" if summary.method.label == baseline else NOTHING
        return [shown] + [NOTHING] * 5
    return [
        with_interval(difference.mean),
        difference.mean.kind or NOTHING,
        p_value(difference.welch_p),
        p_value(difference.permutation_p),
        p_value(difference.holm_p),
        with_interval(difference.improvement),
    ]


def task_table(report: EnvReport) -> list[list[str]]:
    """A header and a row for each task, with every method's mean over runs; [] without tasks."""
    tasks = report.summaries[0].method.tasks
    if not tasks:
        return []
    rows = [["task", *(summary.method.label for summary in report.summaries)]]
    for place, task in enumerate(tasks):
        means = [with_interval(summary.tasks[place]) for summary in report.summaries]
        rows.append([task, *means])
    return rows


def notes(report: EnvReport) -> list[str]:
    """Lines below the table: what was computed, and what it can't tell."""
    lines = [f"score of a run: {report.scoring.describe()}"]
    tasks = report.summaries[0].method.tasks
    if tasks:
        lines[0] += f", each of {len(tasks)} tasks"
    lines.extend(_notes_on_intervals(report))
    if not report.baseline:
        lines.append("nothing is tested: there is no other method to compare with")
    for summary in report.summaries:
        lines.extend(_notes_on_method(summary, report))
    return [shorten(line, LINE) for line in lines]


def _notes_on_intervals(report: EnvReport) -> list[str]:
    counts = [summary.method.count for summary in report.summaries if summary.method.count > 1]
    options = report.options
    lines = []
    if any(count >= FEWEST_FOR_BOOTSTRAP for count in counts):
        resampled = "bootstrap intervals" if options.kind == "bootstrap" else "intervals of P"
        lines.append(f"{resampled} resample {UNIT_NAMES[options.unit]}, {options.resamples} times")
    if any(FEWEST_FOR_BOOTSTRAP <= count < ENOUGH_FOR_BOOTSTRAP for count in counts):
        if options.kind == "bootstrap":
            lines.append(
                f"bootstrap intervals of fewer than {ENOUGH_FOR_BOOTSTRAP} runs are rather narrow; "
                "--interval t gives wider ones"
            )
    if any(count < FEWEST_FOR_BOOTSTRAP for count in counts):
        lines.append(
            f"methods with fewer than {FEWEST_FOR_BOOTSTRAP} runs have t intervals, for which "
            "runs are taken to be normal, and no interval of P"
        )
    return lines


def _notes_on_method(summary: Summary, report: EnvReport) -> list[str]:
    label = summary.method.label
    lines = []
    if summary.method.count == 1:
        lines.append(f"{label} has one run: no interval and no test can be made of it")
    difference = summary.difference
    if difference is None or not math.isfinite(difference.welch_p) or difference.significant:
        return lines
    size = number(abs(difference.mean.value))
    line = f"too few seeds to tell {label} from {report.baseline}: "
    needed = f"more than {MOST_RUNS}"
    if difference.runs_needed is not None:
        needed = f"about {difference.runs_needed}"
    return [*lines, f"{line}the difference of {size} would take {needed} seeds a method"]


# Cells --------------------------------------------------------------------------


def number(value: float) -> str:
    """A score in a table: three digits after the point, fewer of large ones; NOTHING where there is
    none."""
    size = abs(value)
    if math.isnan(value):
        return NOTHING
    if 0.001 <= size < 10 or size == 0:
        return f"{value:.3f}"
    if 10 <= size < 1000:
        return f"{value:.1f}"
    return f"{value:.0f}" if 1000 <= size < 1e7 else f"{value:.2g}"


def with_interval(estimate: Estimate) -> str:
    """Such as "0.812 [0.700, 0.901]"; the number alone where there is no interval."""
    if estimate.interval is None:
        return number(estimate.value)
    return f"{number(estimate.value)} {_brackets(estimate.interval)}"


def _brackets(interval: Interval) -> str:
    return f"[{number(interval.low)}, {number(interval.high)}]"


def p_value(p: float) -> str:
    """A p value in a table."""
    if math.isnan(p):
        return NOTHING
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def titles(reports: Sequence[EnvReport]) -> list[str]:
    """A heading for each env."""
    return [shorten(report.env, LINE) or "env unknown" for report in reports]
