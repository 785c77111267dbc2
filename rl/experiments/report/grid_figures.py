"""Figures of coloured cells: tasks over time, what tasks share, and how far they agree."""

import dataclasses
from typing import Sequence

from rl.experiments.comparison.run_scores import task_prefix
from rl.experiments.plots.columns import Run
from rl.experiments.plots.groups import Group
from rl.experiments.plots.options import Options
from rl.experiments.plots.task_grids import cell_edges, color_range, make_grid
from rl.experiments.plots.text import shorten
from rl.experiments.report.numbers import exact, rounded
from rl.experiments.report.thinning import thin_columns

ROW_NAME_LENGTH = 60  # characters


@dataclasses.dataclass(frozen=True)
class GridFigure:
    """Cells in rows of equal height, one for each task.

    Attributes:
      colors: "values" from `low` to `high`, "copies", which are whole numbers, or "cosines" from -1
        to 1. edges: of the columns, one more than there are. cells: `(rows, columns)`, None where
        there is no data. columns: names of the columns; [] where they are stretches of `xaxis`.
    """

    kind: str
    title: str
    colors: str
    low: float
    high: float
    xaxis: str
    rows: list[str]
    columns: list[str]
    edges: list[float | None]
    cells: list[list[float | None]]


def make_task_figures(groups: Sequence[Group], options: Options) -> list[GridFigure]:
    """A figure for each group whose runs have a column for each task, all with the same colours.

    Args:
      groups: of one env. options: whose first value is drawn.
    """
    drawn = []
    grids = []
    for group in groups:
        by_prefix: dict[str, list[Run]] = {}
        for run in group.runs:
            by_prefix.setdefault(task_prefix(run, options.values[0]), []).append(run)
        by_prefix.pop("", None)
        for prefix, runs in by_prefix.items():
            grid = make_grid(runs, prefix, options)
            if grid.x.size:
                drawn.append(f"{group.label} (n={len(runs)})")
                grids.append(grid)
    if not grids:
        return []
    low, high = color_range(options.values[0], grids)
    figures = []
    for title, grid in zip(drawn, grids):
        kept = thin_columns(len(grid.x))
        figure = GridFigure(
            kind="grid",
            title=title,
            colors="values",
            low=float(low),
            high=float(high),
            xaxis=options.xaxis,
            rows=row_names(grid.tasks),
            columns=[],
            edges=exact(cell_edges(grid.x[kept])),
            cells=rounded(grid.z[:, kept]),
        )
        figures.append(figure)
    return figures


def row_names(tasks: Sequence[object]) -> list[str]:
    """Names of tasks, short enough for a page."""
    return [shorten(str(task), ROW_NAME_LENGTH) for task in tasks]
