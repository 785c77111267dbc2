"""The sections of the page, each from the runs that it is about."""

import dataclasses
import os
from typing import NamedTuple, Sequence, Union

from rl.config import SPLITS, UserError
from rl.experiments.comparison.comparisons import IntervalOptions
from rl.experiments.comparison.env_reports import make_env_reports
from rl.experiments.comparison.report import NOTHING, EnvReport, method_table, notes, task_table
from rl.experiments.comparison.run_scores import Scoring
from rl.experiments.plots.columns import STEPS, find_name
from rl.experiments.plots.groups import Group, differences, pooled_differences
from rl.experiments.plots.options import Options
from rl.experiments.plots.text import listed, warn
from rl.experiments.report import markup
from rl.experiments.report.code_versions import CodeVersion, find_versions
from rl.experiments.report.costs import cost_table
from rl.experiments.report.curve_figures import CurveFigure, make_curve_figure
from rl.experiments.report.grid_figures import GridFigure, make_task_figures
from rl.experiments.report.split_figures import make_split_figures

NO_ENV = "env unknown"
MOST_OPEN = 12  # rows of a table that is shown without being asked for


@dataclasses.dataclass(frozen=True)
class Request:
    """What the page is to be about.

    Attributes:
      options: axes, values and smoothing. scorings: for each value, how runs become scores.
        baseline, target: as `make_env_reports` has them.
    """

    title: str
    options: Options
    scorings: tuple[Scoring, ...]
    intervals: IntervalOptions
    baseline: str | None
    target: float | None


class Section(NamedTuple):
    """A part of the page: what links call it, its heading, and its HTML; one without is left
    out."""

    name: str
    title: str
    body: list[str]


class Figures:
    """The figures of a page, numbered in the order in which it has them."""

    def __init__(self) -> None:
        self.found: list[Union[CurveFigure, GridFigure]] = []

    def place(self, figure: Union[CurveFigure, GridFigure], caption: str) -> str:
        """Takes a figure in; returns the HTML of its place in the page."""
        self.found.append(figure)
        return markup.figure(len(self.found) - 1, caption)


def styles_of(groups: Sequence[Group]) -> dict[str, int]:
    """The number of each label's look, the same in the whole page."""
    labels = dict.fromkeys(group.label for group in groups)
    return {label: number for number, label in enumerate(labels)}


def by_env(groups: Sequence[Group]) -> dict[str, list[Group]]:
    """The groups of each env, in their order."""
    found: dict[str, list[Group]] = {}
    for group in groups:
        found.setdefault(group.env, []).append(group)
    return found


def methods_section(groups: Sequence[Group]) -> Section:
    """Which methods there are, and in which flags they differ."""
    styles = styles_of(groups)
    rows = [["method", "env", "runs"]]
    for group in groups:
        rows.append([group.label, group.env or NO_ENV, str(len(group.runs))])
    numbers = [styles[group.label] for group in groups]
    body = [markup.table("Methods", rows, numbers)]
    flags = flag_table(groups)
    if flags:
        table = markup.table("Flags in which methods differ", flags)
        count = len(flags) - 1
        summary = f"Flags in which methods differ: {count}"
        body.append(markup.folded(summary, [table], is_open=count <= MOST_OPEN))
    elif len(groups) > 1:
        body.append(markup.paragraph("The methods differ in no flag."))
    pooled = pooled_differences(groups)
    lines = []
    for label, names in pooled.items():
        lines.append(f"the runs of {label} differ in {listed(names)}")
    body.append(markup.items(lines))
    return Section("methods", "Methods", body)


def flag_table(groups: Sequence[Group]) -> list[list[str]]:
    """A header, and a row for each flag in which methods differ, with the value of each method; []
    where they differ in none."""
    names, values = differences(groups)
    if not names:
        return []
    rows = [["flag", *(group.label for group in groups)]]
    for place, name in enumerate(names):
        rows.append([name, *(group_values[place] or NOTHING for group_values in values)])
    return rows


def curves_section(groups: Sequence[Group], request: Request, figures: Figures) -> Section:
    """Learning curves, by env and value."""
    styles = styles_of(groups)
    body = [
        markup.paragraph(
            "Lines are means over runs where all runs of a method have data, and thin beyond; "
            "bands are 95% intervals of the mean. Drag to zoom, double-click to reset; with the "
            "keyboard, arrows read values, + and - zoom, and 0 resets.",
            "hint",
        )
    ]
    for env, groups_of_env in by_env(groups).items():
        body.append(markup.heading(env or NO_ENV))
        for value in request.options.values:
            options = dataclasses.replace(request.options, values=(value,))
            figure = make_curve_figure(groups_of_env, styles, options, request.intervals)
            if figure is None:
                body.append(markup.paragraph(f"No run has finite values of {value}."))
            else:
                body.append(figures.place(figure, f"{value} over {figure.xaxis}"))
                if figure.thinned:
                    text = "Long curves are thinned to about 500 points, with all their peaks."
                    body.append(markup.paragraph(text, "hint"))
    return Section("curves", "Learning curves", body)


def comparison_section(groups: Sequence[Group], request: Request) -> Section:
    """The tables of `compare`, for each value."""
    styles = styles_of(groups)
    body = []
    for scoring in request.scorings:
        scored = _having(groups, scoring.value)
        if not scored:
            body.append(markup.paragraph(f"{scoring.value} is not compared: no run has {STEPS}"))
            continue
        try:
            reports = make_env_reports(
                scored, scoring, request.intervals, request.baseline, request.target
            )
        except UserError as error:
            body.append(markup.paragraph(f"{scoring.value} is not compared: {error}"))
            continue
        for report in reports:
            body.extend(_tables(report, styles))
    return Section("comparison", "Comparison", body)


def _having(groups: Sequence[Group], value: str) -> list[Group]:
    """The groups with only those runs that have a column and env steps."""
    chosen = []
    for group in groups:
        runs = [run for run in group.runs if find_name(run.columns, value)]
        runs = [run for run in runs if find_name(run.columns, STEPS)]
        if runs:
            chosen.append(group._replace(runs=runs))
    return chosen


def _tables(report: EnvReport, styles: dict[str, int]) -> list[str]:
    title = f"{report.scoring.value} in {report.env or NO_ENV}"
    numbers = [styles[summary.method.label] for summary in report.summaries]
    parts = [markup.table(title, method_table(report), numbers), markup.items(notes(report))]
    tasks = task_table(report)
    if tasks:
        parts.append(markup.table(f"{title}, by task", tasks))
    return parts


def tasks_section(groups: Sequence[Group], request: Request, figures: Figures) -> Section:
    """A heatmap for each method that has columns of tasks; empty where none has."""
    body = []
    for env, groups_of_env in by_env(groups).items():
        for value in request.options.values:
            options = dataclasses.replace(request.options, values=(value,))
            drawn = make_task_figures(groups_of_env, options)
            if drawn:
                body.append(markup.heading(f"{value} in {env or NO_ENV}"))
            for figure in drawn:
                body.append(figures.place(figure, figure.title))
    return Section("tasks", "Tasks", body)


def splits_section(groups: Sequence[Group], figures: Figures) -> Section:
    """What the networks of runs decided while they trained; empty where none did."""
    body: list[str] = []
    for group in groups:
        for run in group.runs:
            if not os.path.lexists(run.directory / SPLITS):
                continue
            try:
                networks = make_split_figures(run)
            except UserError as error:
                warn(f"left out: {error}")
                continue
            places = []
            for network in networks:
                places.append(markup.small_heading(network.title))
                places.extend(figures.place(figure, figure.title) for figure in network.figures)
            title = f"{group.label}: {run.directory.name}"
            body.append(markup.folded(title, places, is_open=not body))
    if not body:
        return Section("splits", "Structure", [])
    text = "Which copy of a layer each task uses, or which blocks, and how far tasks agree."
    return Section("splits", "Structure", [markup.paragraph(text, "hint"), *body])


def costs_section(groups: Sequence[Group]) -> Section:
    """Time and memory of every run."""
    return Section("costs", "Time and memory", [markup.table("By run", cost_table(groups))])


def commands_section(groups: Sequence[Group]) -> Section:
    """The command that makes each run again."""
    # pylint: disable-next=import-outside-toplevel
    from rl.experiments.report.reproduction import reproduce  # half a second, not for --help

    body: list[str] = []
    for group in groups:
        parts = []
        for run in group.runs:
            made = reproduce(run)
            parts.append(markup.small_heading(str(run.directory)))
            if made.command:
                parts.append(markup.command(made.command))
            if made.note:
                parts.append(markup.paragraph(made.note, "hint"))
        title = f"{group.label}, {group.env or NO_ENV} (n={len(group.runs)})"
        body.append(markup.folded(title, parts, is_open=not body))
    text = "The flags that are not the defaults; data_dir is left to who runs them."
    return Section("commands", "Commands", [markup.paragraph(text, "hint"), *body])


def code_section(groups: Sequence[Group]) -> Section:
    """Commits, packages and patches."""
    runs = [run for group in groups for run in group.runs]
    body: list[str] = []
    for version in find_versions(runs):
        body.append(markup.heading(f"Commit {version.commit}"))
        body.extend(_version_parts(version))
    return Section("code", "Code", body)


def _version_parts(version: CodeVersion) -> list[str]:
    lines = [f"runs: {listed(version.runs)}", f"digest of the source files: {version.digest}"]
    if version.resumed:
        lines.append(f"resumed with commit {listed(version.resumed)}")
    parts = [markup.items(lines)]
    if version.packages:
        rows = [["package", "version"], *map(list, version.packages)]
        parts.append(markup.folded("Packages", [markup.table("Packages", rows)]))
    for name, patch in version.patches:
        title = f"{name}: what differed from the commit"
        parts.append(markup.folded(title, [markup.preformatted(patch)]))
    return parts
