"""A column of every task over time, as colours: one panel per experiment, one row per task."""

from typing import Any, NamedTuple, Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rl.experiments.plots.columns import Run, is_rate, tasks_of
from rl.experiments.plots.curves import read_curves
from rl.experiments.plots.estimates import ESTIMATORS
from rl.experiments.plots.groups import Group
from rl.experiments.plots.panels import PANEL_HEIGHT, PANEL_WIDTH, Options
from rl.experiments.plots.text import shorten

TASK_HEIGHT = 0.28  # inches
MARGINS = 1.2  # inches, of a panel's title and axis, and of the colour bar


class TaskGrid(NamedTuple):
    """Estimates over runs of every task: x `(points,)`, z `(tasks, points)`, nan where a run has no
    data."""

    tasks: list[str]
    x: np.ndarray
    z: np.ndarray


def make_grid(runs: Sequence[Run], value: str, options: Options) -> TaskGrid:
    """The estimate of every task where all runs have data."""
    tasks: list[str] = []
    for run in runs:
        tasks.extend(task for task in tasks_of(run, value) if task not in tasks)
    curves = []
    for task in tasks:
        x, y = read_curves(runs, options.xaxis, f"{value}/{task}", options.window)
        everywhere = np.isfinite(y).all(axis=0)
        if len(y) == len(runs) and everywhere.any():
            estimate = ESTIMATORS[options.est](y[:, everywhere], axis=0)
            curves.append((x[everywhere], estimate))
        else:
            curves.append((np.empty(0), np.empty(0)))
    points = np.unique(np.concatenate([np.empty(0), *(x for x, _ in curves)]))
    z = np.full((len(tasks), len(points)), np.nan)
    for row, (x, estimate) in enumerate(curves):
        if x.size:
            z[row] = np.interp(points, x, estimate, np.nan, np.nan)
    return TaskGrid(tasks, points, z)


def draw_tasks(groups: Sequence[Group], options: Options) -> Figure:
    """A panel per group, side by side, for each of the values in turn; success rates always span 0
    to 1."""
    rows = []
    for value in options.values:
        rows.append([make_grid(group.runs, value, options) for group in groups])
    most = max(len(grid.tasks) for grid in rows[0])
    height = max(PANEL_HEIGHT, MARGINS + TASK_HEIGHT * most)
    size = (PANEL_WIDTH * len(groups) + MARGINS, height * len(rows))
    several_envs = len({group.env for group in groups}) > 1
    with matplotlib.rc_context({"text.parse_math": False}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(len(rows), len(groups), squeeze=False)
        for panels, value, grids in zip(axes, options.values, rows):
            low, high = color_range(value, grids)
            for panel, group, grid in zip(panels, groups, grids):
                image = _draw_grid(panel, grid, low, high)
                env = f", {group.env}" if several_envs else ""
                panel.set_title(f"{shorten(group.label, 60)}{env} (n={len(group.runs)})")
                panel.set_xlabel(options.xaxis)
            figure.colorbar(image, ax=list(panels), label=f"{value}, {options.est} over n runs")
    return figure


def color_range(value: str, grids: Sequence[TaskGrid]) -> tuple[float, float]:
    """The values of the first and the last colour."""
    finite = np.concatenate([grid.z[np.isfinite(grid.z)] for grid in grids])
    if is_rate(value) or not finite.size:
        return 0.0, 1.0
    return finite.min(), finite.max()


def _draw_grid(panel: Any, grid: TaskGrid, low: float, high: float) -> Any:
    rows = np.arange(len(grid.tasks))
    row_edges = np.arange(len(rows) + 1) - 0.5
    image = panel.pcolormesh(cell_edges(grid.x), row_edges, grid.z, vmin=low, vmax=high)
    panel.set(yticks=rows, yticklabels=grid.tasks)
    panel.invert_yaxis()
    panel.ticklabel_format(style="sci", axis="x", scilimits=(0, 4))
    return image


def cell_edges(x: np.ndarray) -> np.ndarray:
    """Edges of cells around `x`, half-way between neighbours: one more."""
    if not x.size:
        return np.zeros(1)
    if x.size == 1:
        return np.array([x[0] - 0.5, x[0] + 0.5])
    middles = (x[:-1] + x[1:]) / 2
    return np.array([2 * x[0] - middles[0], *middles, 2 * x[-1] - middles[-1]])
