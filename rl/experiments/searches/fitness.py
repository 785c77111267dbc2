"""What a run of a search is worth, from the rows that it wrote."""

import dataclasses
import math
from typing import Optional

import numpy as np

from rl.experiments.comparison.run_scores import Scoring, score_run, task_columns
from rl.experiments.plots.columns import STEPS, Run, column, find_name, tasks_of
from rl.experiments.rundir import RunDir
from rl.experiments.searches.definition import Search


@dataclasses.dataclass(frozen=True)
class Fitness:
    """Of one run.

    Attributes:
      total: of the fitness column. by_task: of each task's own column, in their order, nan where a
        task has no value; the total alone where there is no such column.
    """

    total: float
    by_task: tuple[float, ...]


def fitness_of(run: RunDir, search: Search) -> Optional[Fitness]:
    """The fitness of a run; None where no row has a finite one.

    Raises:
      UserError: the run has no such column.
    """
    read = _read(run, search)
    rows = search.rows if search.score == "mean" else None
    score = score_run(read, Scoring(search.fitness, search.score, rows))
    if score is None:
        return None
    sign = _sign(search)
    by_task = []
    for task in task_columns(read, search.fitness):
        by_task.append(sign * score.by_task.get(task, math.nan))
    return Fitness(sign * score.total, tuple(by_task) or (sign * score.total,))


def curve_of(run: RunDir, search: Search, epoch_steps: int) -> dict[int, float]:
    """The finite fitnesses of a run's rows, by the number of the row; none where there is no row.

    A run that is stopped writes a row of a part of an epoch, which is no more when it goes on: only
    rows at whole epochs count.

    Args:
      epoch_steps: env steps of an epoch.

    Raises:
      UserError: the run has no such column.
    """
    read = _read(run, search)
    if not read.columns:
        return {}
    values = _sign(search) * column(read, search.fitness)
    is_whole = column(read, STEPS) % epoch_steps == 0
    rows = np.flatnonzero(np.isfinite(values) & is_whole)
    return {row: float(values[row]) for row in rows.tolist()}


def _read(run: RunDir, search: Search) -> Run:
    """A run's columns, with those of the fitness negated where less is better: so that the best row
    is the highest one."""
    columns = {name: np.array(values) for name, values in run.rows.items()}
    read = Run(run.path, {}, columns)
    if search.maximise or not columns:
        return read
    name = find_name(columns, search.fitness) or search.fitness
    names = {name}
    for prefix in (name, name.removeprefix("Average")):
        names |= {f"{prefix}/{task}" for task in tasks_of(read, prefix)}
    for column_name in names:
        if column_name in columns:
            columns[column_name] = -columns[column_name]
    return read


def _sign(search: Search) -> int:
    return 1 if search.maximise else -1
