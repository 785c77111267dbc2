"""What a run's networks decided, drawn: a row of panels for each layer."""

from typing import Any, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rl.config import SPLITS, UserError
from rl.experiments.plots.columns import Run
from rl.experiments.plots.groups import Group
from rl.experiments.plots.structure import (
    MISSHAPEN,
    Layer,
    layers,
    load_splits,
    matrix_of,
    sharing_of,
)

WIDTH = 9.6  # inches
TASK_HEIGHT = 0.22
MARGINS = 1.0  # above and below the tasks of a layer


def draw_structure(groups: Sequence[Group]) -> Figure:
    """Of the one run in `groups`: what its networks decided while they trained.

    Where tasks use copies of layers, a row of two panels per layer. Left, a colour for each copy
    (or, where units split, for the share of units whose copy isn't the first; where weights do, for
    the share of them that are a task's own, up to the most it may have; under masks, of those that
    it uses), by task and update, with the score of each split. Right, a matrix over pairs of tasks,
    see MATRICES. Where tasks execute blocks a row per network: how likely each block is, by task,
    and which ones are executed now.

    Raises:
      UserError: there are several runs, or it has no structure.
    """
    runs: list[Run] = []
    for group in groups:
        runs.extend(group.runs)
    if len(runs) != 1:
        raise UserError(f"--structure draws one run, and {len(runs)} match")
    report = load_splits(runs[0])
    try:
        return _draw_report(report)
    except MISSHAPEN:
        raise UserError(f"{runs[0].directory / SPLITS} is not as a run writes it") from None


def _draw_report(report: Mapping[str, Any]) -> Figure:
    """Of what `splits.json` has."""
    tasks = report["tasks"]
    rows = []
    for name, network in report["networks"].items():
        rows += [(name.removeprefix("Loss"), network, layer) for layer in layers(network)]
    height = MARGINS + TASK_HEIGHT * len(tasks)
    with matplotlib.rc_context({"font.size": 8}):
        figure = Figure(figsize=(WIDTH, height * len(rows)), layout="constrained")
        FigureCanvasAgg(figure)
        all_axes = figure.subplots(len(rows), 2, squeeze=False, width_ratios=(3, 1))
        for (left, right), (name, network, layer) in zip(all_axes, rows):
            left.set_title(_title(name, network, layer))
            if "executed" in network:
                _draw_blocks(left, network["probability"], tasks, "probability of execution")
                _draw_blocks(right, network["executed"], tasks, "executed")
                continue
            _draw_copies(left, network, layer.place, tasks)
            _draw_matrix(right, figure, network, layer.number)
    return figure


def _title(name: str, network: Mapping[str, Any], layer: Layer) -> str:
    title = f"{name} {layer.description['name']}"
    return f"{title}, sharing {network['sharing']:.2f}" if "sharing" in network else title


def _draw_matrix(panel: Any, figure: Figure, network: Mapping[str, Any], number: int) -> None:
    """The matrix over pairs of tasks of the layer with this number; nothing where there is none."""
    matrix = matrix_of(network)
    if matrix is None:
        panel.set_axis_off()
        return
    values = network[matrix.key][number]
    image = panel.imshow(values, vmin=matrix.low, vmax=1, cmap=matrix.colors)
    panel.set(xticks=[], yticks=[], title=matrix.title)
    figure.colorbar(image, ax=panel)


def _draw_blocks(panel: Any, values: Any, tasks: Sequence[str], title: str) -> None:
    """Numbers in [0, 1] by task and block."""
    panel.imshow(np.array(values, float), vmin=0, vmax=1, aspect="auto")
    blocks = range(len(values[0]))
    panel.set(
        xticks=blocks, yticks=range(len(tasks)), yticklabels=tasks, xlabel="block", title=title
    )


def _draw_copies(
    panel: Any, network: Mapping[str, Any], place: slice, tasks: Sequence[str]
) -> None:
    sharing = sharing_of(network, place)
    rows = np.arange(len(tasks))
    row_edges = np.arange(len(tasks) + 1) - 0.5
    colors: dict[str, Any] = {"vmin": 0, "vmax": sharing.most}
    if sharing.by_copy:
        colors = {"cmap": "tab20", "vmin": 0, "vmax": 19}
    panel.pcolormesh(sharing.edges, row_edges, sharing.values.T, **colors)
    panel.set(yticks=rows, yticklabels=tasks, xlabel="updates")
    panel.invert_yaxis()
    if sharing.by_copy:
        _draw_scores(panel, network["events"], place.start)


def _draw_scores(panel: Any, events: Sequence[Mapping[str, Any]], region: int) -> None:
    """A line with the score at each split of a region."""
    for event in events:
        if event["region"] != region or event["copy"] is None or "score" not in event:
            continue
        panel.axvline(event["updates"], color="black", linewidth=0.8)
        score = f"{event['score']:.1f}"
        panel.text(event["updates"], -0.6, score, ha="center", va="bottom", fontsize=7)
