"""The results as text, CSV and LaTeX."""

import csv
import io
import math
from typing import Callable, Sequence

import numpy as np

from rl.experiments.comparison.comparisons import NO_ESTIMATE, Estimate, Summary
from rl.experiments.comparison.report import (
    EnvReport,
    method_table,
    notes,
    task_table,
    titles,
)
from rl.experiments.plots.text import aligned
from rl.experiments.statistics.estimators import optimality_gap

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "_": r"\_",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}


def as_text(reports: Sequence[EnvReport]) -> str:
    """Tables and notes as they are printed."""
    parts = []
    for title, report in zip(titles(reports), reports):
        part = [title, "", aligned(method_table(report)), "", *notes(report)]
        tasks = task_table(report)
        if tasks:
            part.extend(["", aligned(tasks)])
        parts.append("\n".join(part) + "\n")
    return "\n".join(parts)


# CSV ----------------------------------------------------------------------------


def as_csv(reports: Sequence[EnvReport]) -> str:
    """A row for each env and method, and one for each task of theirs; a cell that has no meaning in
    a row is empty."""
    rows = []
    for report in reports:
        for summary in report.summaries:
            rows.append(_method_cells(report, summary))
            rows.extend(_task_cells(report, summary))
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    text = io.StringIO()
    writer = csv.DictWriter(text, list(names), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _method_cells(report: EnvReport, summary: Summary) -> dict[str, str]:
    method = summary.method
    cells = {"env": report.env, "method": method.label, "task": "", "runs": str(method.count)}
    cells["scores"] = _exact_scores(method.totals)
    _add_estimate(cells, "mean", summary.mean)
    _add_estimate(cells, "iqm", summary.iqm)
    _add_estimate(cells, "auc", summary.area)
    if report.target is not None:
        cells["optimality_gap"] = _exact(optimality_gap(method.scores, report.target))
    for title, values in method.beside.items():
        cells[title] = _exact(values.mean())
    difference = summary.difference
    cells["baseline"] = report.baseline
    _add_estimate(cells, "difference", difference.mean if difference else NO_ESTIMATE)
    cells["welch_p"] = _exact(difference.welch_p) if difference else ""
    cells["permutation_p"] = _exact(difference.permutation_p) if difference else ""
    cells["holm_p"] = _exact(difference.holm_p) if difference else ""
    _add_estimate(cells, "improvement", difference.improvement if difference else NO_ESTIMATE)
    needed = difference.runs_needed if difference else None
    cells["runs_needed"] = "" if needed is None else str(needed)
    return cells


def _task_cells(report: EnvReport, summary: Summary) -> list[dict[str, str]]:
    method = summary.method
    rows = []
    for task, mean, scores in zip(method.tasks, summary.tasks, method.scores.T):
        cells = {"env": report.env, "method": method.label, "task": task}
        cells["runs"] = str(method.count)
        cells["scores"] = _exact_scores(scores)
        _add_estimate(cells, "mean", mean)
        rows.append(cells)
    return rows


def _add_estimate(cells: dict[str, str], name: str, estimate: Estimate) -> None:
    cells[name] = _exact(estimate.value)
    cells[f"{name}_low"] = _exact(estimate.interval.low) if estimate.interval else ""
    cells[f"{name}_high"] = _exact(estimate.interval.high) if estimate.interval else ""
    cells[f"{name}_interval"] = estimate.kind


def _exact_scores(scores: np.ndarray) -> str:
    """One for each run, with spaces between them."""
    return " ".join(_exact(score) for score in scores)


def _exact(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))


# LaTeX --------------------------------------------------------------------------


def as_latex(reports: Sequence[EnvReport]) -> str:
    """A tabular of methods for each env, and one of tasks where there are any; no package is
    needed. The notes are comments."""
    lines = []
    for title, report in zip(titles(reports), reports):
        lines.append(f"% {_one_line(title)}")
        lines.extend(f"% {_one_line(note)}" for note in notes(report))
        lines.extend(_tabular(method_table(report)))
        tasks = task_table(report)
        if tasks:
            lines.extend(_tabular(tasks))
    return "\n".join(lines) + "\n"


def _tabular(rows: Sequence[Sequence[str]]) -> list[str]:
    header, *body = rows
    lines = [r"\begin{tabular}{l" + "r" * (len(header) - 1) + "}", r"\hline"]
    lines.append(_latex_row(header))
    lines.append(r"\hline")
    lines.extend(_latex_row(row) for row in body)
    lines.extend([r"\hline", r"\end{tabular}"])
    return lines


def _latex_row(cells: Sequence[str]) -> str:
    # Braces, since a row that begins with a bracket would be an argument of the one before.
    return " & ".join(f"{{{escape(cell)}}}" for cell in cells) + r" \\"


def escape(text: str) -> str:
    """Text as LaTeX prints it, on one line."""
    return "".join(SPECIAL.get(character, character) for character in _one_line(text))


def _one_line(text: str) -> str:
    return " ".join(text.split())


WRITERS: dict[str, Callable[[Sequence[EnvReport]], str]] = {
    ".csv": as_csv,
    ".tex": as_latex,
    ".txt": as_text,
}
