"""Methods: the runs of one label in one env, as an array of scores."""

import dataclasses
from pathlib import Path
from typing import Mapping, Sequence

import numpy as np

from rl.config import UserError
from rl.experiments.comparison.beside import Beside, values_beside
from rl.experiments.comparison.run_scores import RunScore, Scoring, score_column, score_run
from rl.experiments.plots.columns import STEPS, column, find_name
from rl.experiments.plots.curves import align
from rl.experiments.plots.groups import Group
from rl.experiments.plots.text import listed, warn
from rl.experiments.statistics.area import mean_heights

DECISIVE = ("episodes", "checkpoint", "split", "noise")  # flags of eval; seeds may differ
UNEVEN = 1.1  # times as many env steps, from which on methods count as trained for longer


@dataclasses.dataclass(frozen=True)
class Method:
    """The scores of a method in one env.

    Attributes:
      tasks: those that all methods of the env have; none where the runs have one score each.
      scores: `(runs, tasks)`, or `(runs, 1)` where there are no tasks. areas: `(runs,)`, each run's
        mean height of the learning curve; nan where it has none, or where the runs share no stretch
        of env steps.
      episodes: that a run's score is made of. beside: title -> `(runs,)`, what else a table has of
        the runs; nan where a run doesn't say.
    """

    label: str
    tasks: tuple[str, ...]
    scores: np.ndarray
    areas: np.ndarray
    episodes: int
    beside: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many runs there are."""
        return len(self.scores)

    @property
    def totals(self) -> np.ndarray:
        """The mean over tasks of each run, `(runs,)`."""
        return self.scores.mean(axis=1)


def read_methods(
    groups: Sequence[Group], scoring: Scoring, besides: Sequence[Beside] = ()
) -> dict[str, list[Method]]:
    """The methods of each env, in the order of `groups`.

    Runs without a score are left out and named on stderr, and so are uneven budgets.

    Args:
      besides: what a table has beside the scores.

    Raises:
      UserError: no run has a score, or none of an env has a column of `besides`.
    """
    by_env: dict[str, dict[str, list[RunScore]]] = {}
    lacking = []
    for group in groups:
        for run in group.runs:
            score = score_run(run, scoring)
            if score is None:
                lacking.append(run.directory)
            else:
                by_env.setdefault(group.env, {}).setdefault(group.label, []).append(score)
    if not by_env:
        raise UserError(f"no finite value for the {scoring.describe()} in {listed(lacking)}")
    if lacking:
        warn(f"left out, having no finite {scoring.value} that counts: {listed(lacking)}")
    methods = {}
    for env, scores_by_label in by_env.items():
        _warn_of_budgets(env, scores_by_label)
        _warn_of_evaluations(env, scores_by_label)
        methods[env] = _make_methods(scores_by_label, scoring, besides)
    return methods


def _make_methods(
    scores_by_label: dict[str, list[RunScore]], scoring: Scoring, besides: Sequence[Beside]
) -> list[Method]:
    scores = [score for scores in scores_by_label.values() for score in scores]
    tasks = _shared_tasks(scores)
    areas = _areas(scores, scoring, tasks)
    runs = [score.run for score in scores]
    columns = {beside.title: values_beside(runs, beside, scoring.steps) for beside in besides}
    methods = []
    first = 0
    for label, method_scores in scores_by_label.items():
        rows = []
        for score in method_scores:
            rows.append([score.by_task[task] for task in tasks] if tasks else [score.total])
        after = first + len(method_scores)
        episodes = min(score.episodes for score in method_scores)
        beside = {title: values[first:after] for title, values in columns.items()}
        methods.append(Method(label, tasks, np.array(rows), areas[first:after], episodes, beside))
        first = after
    return methods


def _shared_tasks(scores: Sequence[RunScore]) -> tuple[str, ...]:
    """The tasks that all runs have, in the first one's order; the others are named on stderr."""
    named: dict[str, None] = {}
    for score in scores:
        named.update(dict.fromkeys(score.by_task))
    shared = [task for task in named if all(task in score.by_task for score in scores)]
    missing = [task for task in named if task not in shared]
    if missing and shared:
        warn(f"left out, being tasks that not every run has: {listed(missing)}")
    elif missing:
        warn("the runs share no tasks: only their scores of all tasks are compared")
    return tuple(shared)


def _areas(scores: Sequence[RunScore], scoring: Scoring, tasks: Sequence[str]) -> np.ndarray:
    """`(runs,)`: of all runs that have a curve of these tasks over the same stretch of env steps;
    nan of the others."""
    curves = []
    places = []
    for place, score in enumerate(scores):
        if find_name(score.run.columns, scoring.value) is None:
            continue  # it was evaluated, and never tested while it learned
        steps = column(score.run, STEPS)
        values = score_column(score.run, scoring, tasks)
        if scoring.steps is not None:
            values = np.where(steps <= scoring.steps, values, np.nan)
        if (np.isfinite(steps) & np.isfinite(values)).any():
            curves.append((steps, values))
            places.append(place)
    areas = np.full(len(scores), np.nan)
    if curves:
        areas[places] = mean_heights(*align(curves))
    return areas


def _warn_of_evaluations(env: str, scores_by_label: dict[str, list[RunScore]]) -> None:
    """Says on stderr where evaluations of an env's runs can't be compared: they were asked for with
    other flags, or the run has gone on since."""
    evaluations = []
    for scores in scores_by_label.values():
        evaluations += [score for score in scores if score.asked]
    place = f" in {env}" if env else ""
    for flag in DECISIVE:
        values: dict[str, list[Path]] = {}
        for score in evaluations:
            values.setdefault(str(score.asked.get(flag)), []).append(score.run.directory)
        if len(values) > 1:
            parts = [f"{value} of {listed(places)}" for value, places in values.items()]
            warn(f"runs were evaluated with another --{flag}{place}: {'; '.join(parts)}")
    for score in evaluations:
        rows = column(score.run, STEPS)
        is_last = score.asked.get("checkpoint") == "last"
        if is_last and rows.size and score.steps < rows[-1]:
            warn(
                f"{score.run.directory} was evaluated at env step {score.steps:g} and has "
                f"{rows[-1]:g} now"
            )


def _warn_of_budgets(env: str, scores_by_label: dict[str, list[RunScore]]) -> None:
    """Says on stderr where runs of an env have not the same budget."""
    ends = [score.steps for scores in scores_by_label.values() for score in scores]
    if max(ends) <= UNEVEN * min(ends):
        return
    parts = []
    for label, scores in scores_by_label.items():
        method_steps = [score.steps for score in scores]
        low = min(method_steps)
        high = max(method_steps)
        parts.append(f"{label} {low:g}" if low == high else f"{label} {low:g} to {high:g}")
    place = f" in {env}" if env else ""
    warn(f"scores are of different numbers of env steps{place}: {'; '.join(parts)}; see --at")
