"""The score of a run: one number, and one for each of its tasks, from the rows that it wrote, or
from what `eval --save` found."""

from types import MappingProxyType
from typing import Any, Mapping, NamedTuple, Sequence

import numpy as np

from rl.config import UserError
from rl.experiments.plots.columns import STEPS, Run, column, find_name, tasks_of
from rl.experiments.rundir import EVALUATION, RunDir

CHOICES = ("mean", "last", "best")
LAST_ROWS = 3  # that "mean" is over, if nothing else is said
EVAL = "eval"  # beside CHOICES: no rows, but what `eval --save` found
EVALUATED = {"AverageTestEpRet": "return", "TestSuccess": "success"}  # columns, as `eval` has them
EPISODES = 10  # of a test, where a run doesn't say: Spinning Up's default


class Scoring(NamedTuple):
    """How a run's rows become its score.

    Attributes:
      value: the column. kind: of CHOICES, or EVAL. rows: how many of the last rows that have the
        column count; None: all of them. steps: env steps after which no row counts; None: none.
      scales: what the scores of tasks are divided by, where that isn't 1.
    """

    value: str
    kind: str = "mean"
    rows: int | None = LAST_ROWS
    steps: float | None = None
    scales: Mapping[str, float] = MappingProxyType({})

    def describe(self) -> str:
        """In words, such as "mean of the last 3 rows of TestSuccess"."""
        divided = "".join(f", {task} divided by {scale:g}" for task, scale in self.scales.items())
        if self.kind == EVAL:
            return f"{self.value} of the episodes of eval{divided}"
        if self.kind == "last":
            rows = "last row"
        else:
            rows = f"{self.kind} of the last {self.rows} rows"
            if self.rows is None:
                rows = f"{self.kind} of all rows"
        until = "" if self.steps is None else f" up to {self.steps:g} env steps"
        return f"{rows} of {self.value}{until}{divided}"


class RunScore(NamedTuple):
    """What a run scored.

    Attributes:
      total: its score. by_task: those of its tasks; none where it has no column for each task.
      steps: env steps at the last row that counts, of "best" too. episodes: that the score is made
        of, at a guess where the run doesn't say how many a test has.
      asked: of an evaluation, what decided it: the flags of eval.
    """

    run: Run
    total: float
    by_task: dict[str, float]
    steps: float
    episodes: int
    asked: Mapping[str, Any] = MappingProxyType({})


def score_run(run: Run, scoring: Scoring) -> RunScore | None:
    """The score of a run that has the column; None where no row that counts has a finite value, or
    where it has no evaluation.

    With "best" the scores of the tasks are those of the row that is best in all.

    Raises:
      UserError: the run lacks the column, or a task that has a scale; an evaluation can't be read.
    """
    if scoring.kind == EVAL:
        return _score_evaluation(run, scoring)
    values = score_column(run, scoring)
    steps = column(run, STEPS)
    rows = _counting_rows(values, steps, scoring)
    if not rows.size:
        return None
    end = float(steps[rows[-1]])
    if scoring.kind == "best":
        rows = rows[[np.argmax(values[rows])]]
    by_task = {}
    for task, scores in _scaled(run, task_columns(run, scoring.value), scoring).items():
        finite = scores[rows][np.isfinite(scores[rows])]
        if finite.size:
            by_task[task] = float(finite.mean())
    total = float(values[rows].mean())
    if scoring.scales:
        total = float(np.mean(list(by_task.values())))
    episodes = _episodes(run) * len(rows) * max(1, len(by_task))
    return RunScore(run, total, by_task, end, episodes)


def score_column(run: Run, scoring: Scoring, tasks: Sequence[str] = ()) -> np.ndarray:
    """What a run would score in each of its rows, `(rows,)`: the mean over the tasks that have a
    value there; nan where the column has none.

    Args:
      tasks: those that count; none: all. Of all, unless some are scaled, the column is the mean.

    Raises:
      UserError: as `score_run`.
    """
    values = column(run, scoring.value)
    by_task = _scaled(run, task_columns(run, scoring.value), scoring)
    counting = [scores for task, scores in by_task.items() if not tasks or task in tasks]
    if len(counting) == len(by_task) and not scoring.scales:
        return values
    means = np.ma.masked_invalid(counting).mean(axis=0).filled(np.nan)
    return np.where(np.isfinite(values), means, np.nan)


def _scaled(run: Run, by_task: dict[str, Any], scoring: Scoring) -> dict[str, Any]:
    """Numbers or columns of tasks, divided by their scales. Raises a UserError where there is no
    such task."""
    for task in scoring.scales:
        if task not in by_task:
            known = ", ".join(by_task) or "none"
            raise UserError(
                f"--scale: {run.directory} has no {scoring.value} of a task {task}; it has: {known}"
            )
    return {task: value / scoring.scales.get(task, 1.0) for task, value in by_task.items()}


def _score_evaluation(run: Run, scoring: Scoring) -> RunScore | None:
    """The score of a run by its last policy's episodes."""
    found = RunDir(run.directory).evaluation
    name = find_name(EVALUATED, scoring.value)
    if name is None:
        known = ", ".join(EVALUATED)
        raise UserError(f"--score eval: eval tells of {known}, got {scoring.value}")
    kind = EVALUATED[name]
    if f"{kind}_mean" not in found:
        return None
    try:
        total = float(found[f"{kind}_mean"])
        found_tasks = found.get("tasks", {})
        by_task = {task: float(scores[kind]) for task, scores in found_tasks.items()}
        steps = float(found["step"])
        episodes = int(found["episodes"])
        asked = dict(found.get("asked", {}))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        file = run.directory / EVALUATION
        raise UserError(f"{file} is not as eval --save writes it: {error}") from None
    if scoring.scales:
        by_task = _scaled(run, by_task, scoring)
        total = float(np.mean(list(by_task.values())))
    if not np.isfinite([total, *by_task.values()]).all():
        return None
    return RunScore(run, total, by_task, steps, episodes, asked)


def _counting_rows(values: np.ndarray, steps: np.ndarray, scoring: Scoring) -> np.ndarray:
    """Places of the rows whose mean, or best, is the score."""
    counting = np.isfinite(values) & np.isfinite(steps)
    if scoring.steps is not None:
        counting &= steps <= scoring.steps
    places = np.flatnonzero(counting)
    if scoring.kind == "last":
        return places[-1:]
    return places if scoring.rows is None else places[-scoring.rows :]


def task_columns(run: Run, value: str) -> dict[str, np.ndarray]:
    """The column of each task: `<value>/<task>`, and of AverageTestEpRet `TestEpRet/<task>`."""
    prefix = task_prefix(run, value)
    if not prefix:
        return {}
    return {task: run.columns[f"{prefix}/{task}"] for task in tasks_of(run, prefix)}


def task_prefix(run: Run, value: str) -> str:
    """What the columns of tasks begin with, before the slash; "" where there are none."""
    name = find_name(run.columns, value) or value
    for prefix in (name, name.removeprefix("Average")):
        if tasks_of(run, prefix):
            return prefix
    return ""


def _episodes(run: Run) -> int:
    """Test episodes of a task in a row."""
    count = run.config.get("num_test_episodes")
    return count if isinstance(count, int) and count > 0 else EPISODES
