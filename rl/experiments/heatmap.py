"""A column of every task over time, as colours: one panel per experiment, one row per task."""

from typing import Any, Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rl.config import UserError
from rl.experiments.curves import ESTIMATORS, Run, align, column, smooth


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


def grid(runs: Sequence[Run], value: str, args: Any) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """x `(points,)`, the estimate over runs `(tasks, points)`, and the tasks."""
    tasks, rows = tasks_of(runs[0], value), []
    for task in tasks:
        name = f"{value}/{task}"
        x, y = align(
            [(column(run, args.xaxis), smooth(column(run, name), args.smooth)) for run in runs]
        )
        rows.append((x, ESTIMATORS[args.est](y, axis=0)))
    points = np.unique(np.concatenate([x for x, _ in rows]))
    return points, np.stack([np.interp(points, x, y) for x, y in rows]), tasks


def draw_tasks(groups: Mapping[str, Sequence[Run]], args: Any) -> Figure:
    """A panel per group, side by side, for each of `args.value` in turn; success rates always span
    0 to 1."""
    panels = [[grid(runs, value, args) for runs in groups.values()] for value in args.value]
    most = max(len(tasks) for _, _, tasks in panels[0])
    figure = Figure(
        figsize=(6.4 * len(groups), (1.2 + 0.28 * most) * len(args.value)), layout="constrained"
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(args.value), len(groups), squeeze=False)
    for row, (value, line) in enumerate(zip(args.value, panels)):
        low, high = min(np.nanmin(z) for _, z, _ in line), max(np.nanmax(z) for _, z, _ in line)
        limits = (0.0, 1.0) if "Success" in value else (low, high)
        for axis, label, (x, z, tasks) in zip(axes[row], groups, line):
            image = axis.pcolormesh(
                x, np.arange(len(tasks)), z, vmin=limits[0], vmax=limits[1], shading="nearest"
            )
            axis.set(
                title=label, xlabel=args.xaxis, yticks=np.arange(len(tasks)), yticklabels=tasks
            )
            axis.invert_yaxis()
            axis.ticklabel_format(style="sci", axis="x", scilimits=(0, 4))
        figure.colorbar(image, ax=list(axes[row]), label=value)
    return figure
