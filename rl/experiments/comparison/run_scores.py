"""The score of a run: one number, and one for each of its tasks, from the rows that it wrote."""

from typing import NamedTuple

import numpy as np

from rl.experiments.plots.columns import STEPS, Run, column, find_name, tasks_of

CHOICES = ("mean", "last", "best")
LAST_ROWS = 3  # that "mean" is over, if nothing else is said
EPISODES = 10  # of a test, where a run doesn't say: Spinning Up's default


class Scoring(NamedTuple):
    """How a run's rows become its score.

    Attributes:
      value: the column. kind: of CHOICES. rows: how many of the last rows that have the column
        count; None: all of them. steps: env steps after which no row counts; None: none.
    """

    value: str
    kind: str = "mean"
    rows: int | None = LAST_ROWS
    steps: float | None = None

    def describe(self) -> str:
        """In words, such as "mean of the last 3 rows of TestSuccess"."""
        if self.kind == "last":
            rows = "last row"
        else:
            rows = f"{self.kind} of the last {self.rows} rows"
            if self.rows is None:
                rows = f"{self.kind} of all rows"
        until = "" if self.steps is None else f" up to {self.steps:g} env steps"
        return f"{rows} of {self.value}{until}"


class RunScore(NamedTuple):
    """What a run scored.

    Attributes:
      total: its score. by_task: those of its tasks; none where it has no column for each task.
      steps: env steps at the last row that counts. episodes: that the score is made of, at a guess
        where the run doesn't say how many a test has.
    """

    run: Run
    total: float
    by_task: dict[str, float]
    steps: float
    episodes: int


def score_run(run: Run, scoring: Scoring) -> RunScore | None:
    """The score of a run that has the column; None where no row that counts has a finite value.

    With "best" the scores of the tasks are those of the row that is best in all.
    """
    values = column(run, scoring.value)
    steps = column(run, STEPS)
    chosen = _choose_rows(values, steps, scoring)
    if not chosen.size:
        return None
    by_task = {}
    for task, of_task in task_columns(run, scoring.value).items():
        finite = of_task[chosen][np.isfinite(of_task[chosen])]
        if finite.size:
            by_task[task] = float(finite.mean())
    total = float(values[chosen].mean())
    episodes = _episodes(run) * len(chosen) * max(1, len(by_task))
    return RunScore(run, total, by_task, float(steps[chosen[-1]]), episodes)


def _choose_rows(values: np.ndarray, steps: np.ndarray, scoring: Scoring) -> np.ndarray:
    """Places of the rows whose mean is the score."""
    counting = np.isfinite(values) & np.isfinite(steps)
    if scoring.steps is not None:
        counting &= steps <= scoring.steps
    places = np.flatnonzero(counting)
    if scoring.kind == "last":
        return places[-1:]
    if scoring.rows is not None:
        places = places[-scoring.rows :]
    if scoring.kind == "best" and places.size:
        return places[[np.argmax(values[places])]]
    return places


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
