"""A column of every task over time, as colours: one panel per experiment, one row per task."""

from typing import Any, NamedTuple, Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rl.config import UserError
from rl.experiments.plots.curves import Run, read_curves, shorten
from rl.experiments.plots.estimates import ESTIMATORS
from rl.experiments.plots.groups import Group
from rl.experiments.plots.panels import PANEL_HEIGHT, PANEL_WIDTH, Options


class Grid(NamedTuple):
    """Estimates over runs of every task: x `(points,)`, z `(tasks, points)`, nan where a run has no
    data."""

    tasks: list[str]
    x: np.ndarray
    z: np.ndarray


def tasks_of(run: Run, value: str) -> list[str]:
    """The tasks that have a column `<value>/<task>`, in the run's order. Raises a UserError if
    there are none."""
    tasks = [name.removeprefix(f"{value}/") for name in run.columns if name.startswith(f"{value}/")]
    if not tasks:
        known = sorted({name.split("/")[0] for name in run.columns if "/" in name})
        raise UserError(
            f"{run.directory} has no column {value}/<task>; by task it has: "
            f"{', '.join(known) or 'none'}"
        )
    return tasks


def make_grid(runs: Sequence[Run], value: str, options: Options) -> Grid:
    """The estimate of every task where all runs have data."""
    tasks = tasks_of(runs[0], value)
    curves = []
    for task in tasks:
        x, y = read_curves(runs, options.xaxis, f"{value}/{task}", options.window)
        everywhere = np.isfinite(y).all(axis=0)
        if len(y) == len(runs) and everywhere.any():
            estimate = ESTIMATORS[options.est](y[:, everywhere], axis=0)
            curves.append((x[everywhere], estimate))
        else:
            curves.append((np.zeros(1), np.full(1, np.nan)))
    points = np.unique(np.concatenate([x[np.isfinite(z)] for x, z in curves]))
    rows = [np.interp(points, x, z, np.nan, np.nan) for x, z in curves]
    return Grid(tasks, points, np.stack(rows))


def draw_tasks(groups: Sequence[Group], options: Options) -> Figure:
    """A panel per group, side by side, for each of the values in turn; success rates always span 0
    to 1."""
    rows = []
    for value in options.values:
        rows.append([make_grid(group.runs, value, options) for group in groups])
    most = max(len(grid.tasks) for grid in rows[0])
    height = max(PANEL_HEIGHT, 1.2 + 0.28 * most)
    size = (PANEL_WIDTH * len(groups) + 1.2, height * len(rows))
    several_envs = len({group.env for group in groups}) > 1
    with matplotlib.rc_context({"text.parse_math": False}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(len(rows), len(groups), squeeze=False)
        for panels, value, grids in zip(axes, options.values, rows):
            low, high = _limits(value, grids)
            for panel, group, grid in zip(panels, groups, grids):
                image = _draw_grid(panel, grid, low, high)
                env = f", {group.env}" if several_envs else ""
                panel.set_title(f"{shorten(group.label, 60)}{env} (n={len(group.runs)})")
                panel.set_xlabel(options.xaxis)
            figure.colorbar(image, ax=list(panels), label=f"{value}, {options.est} over n runs")
    return figure


def _limits(value: str, grids: Sequence[Grid]) -> tuple[float, float]:
    """The values of the first and the last colour."""
    finite = np.concatenate([grid.z[np.isfinite(grid.z)] for grid in grids])
    if "Success" in value or not finite.size:
        return 0.0, 1.0
    return finite.min(), finite.max()


def _draw_grid(panel: Any, grid: Grid, low: float, high: float) -> Any:
    rows = np.arange(len(grid.tasks))
    edges = np.arange(len(rows) + 1) - 0.5
    image = panel.pcolormesh(_edges(grid.x), edges, grid.z, vmin=low, vmax=high)
    panel.set(yticks=rows, yticklabels=grid.tasks)
    panel.invert_yaxis()
    panel.ticklabel_format(style="sci", axis="x", scilimits=(0, 4))
    return image


def _edges(x: np.ndarray) -> np.ndarray:
    """Edges of cells around `x`, half-way between neighbours: one more."""
    if len(x) < 2:
        return np.array([*(x - 0.5), *(x + 0.5)]) if len(x) else np.zeros(1)
    middles = (x[:-1] + x[1:]) / 2
    return np.array([2 * x[0] - middles[0], *middles, 2 * x[-1] - middles[-1]])
