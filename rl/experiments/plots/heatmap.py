"""A column of every task over time, as colours: one panel per experiment, one row per task."""

from typing import Any, Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rl.experiments.plots.groups import Group
from rl.experiments.plots.options import Options
from rl.experiments.plots.panels import PANEL_HEIGHT, PANEL_WIDTH
from rl.experiments.plots.task_grids import TaskGrid, cell_edges, color_range, make_grid
from rl.experiments.plots.text import shorten

TASK_HEIGHT = 0.28  # inches
MARGINS = 1.2  # inches, of a panel's title and axis, and of the colour bar


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


def _draw_grid(panel: Any, grid: TaskGrid, low: float, high: float) -> Any:
    rows = np.arange(len(grid.tasks))
    row_edges = np.arange(len(rows) + 1) - 0.5
    image = panel.pcolormesh(cell_edges(grid.x), row_edges, grid.z, vmin=low, vmax=high)
    panel.set(yticks=rows, yticklabels=grid.tasks)
    panel.invert_yaxis()
    panel.ticklabel_format(style="sci", axis="x", scilimits=(0, 4))
    return image
