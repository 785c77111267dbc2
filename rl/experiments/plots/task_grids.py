"""A column of every task over time, as a grid of cells."""

from typing import NamedTuple, Sequence

import numpy as np

from rl.experiments.plots.columns import Run, is_rate, tasks_of
from rl.experiments.plots.curves import read_curves
from rl.experiments.plots.estimates import ESTIMATORS
from rl.experiments.plots.options import Options
from rl.experiments.plots.text import listed, warn


class TaskGrid(NamedTuple):
    """Estimates over runs of every task: x `(points,)`, z `(tasks, points)`, nan where a run has no
    data."""

    tasks: list[str]
    x: np.ndarray
    z: np.ndarray


def make_grid(runs: Sequence[Run], value: str, options: Options) -> TaskGrid:
    """The estimate of every task where all runs have data; tasks that are blank since some run has
    none are named on stderr."""
    tasks: list[str] = []
    for run in runs:
        tasks.extend(task for task in tasks_of(run, value) if task not in tasks)
    curves = []
    blank = []
    for task in tasks:
        x, y = read_curves(runs, options.xaxis, f"{value}/{task}", options.window)
        everywhere = np.isfinite(y).all(axis=0)
        if len(y) == len(runs) and everywhere.any():
            estimate = ESTIMATORS[options.est](y[:, everywhere], axis=0)
            curves.append((x[everywhere], estimate))
        else:
            curves.append((np.empty(0), np.empty(0)))
            blank.append(task)
    if blank:
        warn(f"blank, having no {value} in some run: {listed(blank)}")
    points = np.unique(np.concatenate([np.empty(0), *(x for x, _ in curves)]))
    z = np.full((len(tasks), len(points)), np.nan)
    for row, (x, estimate) in enumerate(curves):
        if x.size:
            z[row] = np.interp(points, x, estimate, np.nan, np.nan)
    return TaskGrid(tasks, points, z)


def color_range(value: str, grids: Sequence[TaskGrid]) -> tuple[float, float]:
    """The values of the first and the last colour."""
    finite = np.concatenate([grid.z[np.isfinite(grid.z)] for grid in grids])
    if is_rate(value) or not finite.size:
        return 0.0, 1.0
    return finite.min(), finite.max()


def cell_edges(x: np.ndarray) -> np.ndarray:
    """Edges of cells around `x`, half-way between neighbours: one more."""
    if not x.size:
        return np.zeros(1)
    if x.size == 1:
        return np.array([x[0] - 0.5, x[0] + 0.5])
    middles = (x[:-1] + x[1:]) / 2
    return np.array([2 * x[0] - middles[0], *middles, 2 * x[-1] - middles[-1]])
