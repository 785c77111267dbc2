"""What a run's networks decided: who shares each layer over training, or executes which blocks, and
how far tasks agree there."""

import json
import os
from typing import Any, Iterator, Mapping, NamedTuple, Optional, Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rl.config import SPLITS, UserError
from rl.experiments.plots.columns import Run
from rl.experiments.plots.groups import Group
from rl.experiments.plots.text_table import read_file

WIDTH = 9.6  # inches
TASK_HEIGHT = 0.22
MARGINS = 1.0  # above and below the tasks of a layer


class Sharing(NamedTuple):
    """What the tasks of a layer share, from one split to the next.

    Attributes:
      edges: updates, `(stretches + 1,)`, rising.
      values: `(stretches, num_tasks)`: the copy that a task uses where `by_copy`, which is where
        whole layers split; else the share of its units or weights that aren't the first copy's.
      most: the largest that a share can be.
    """

    edges: np.ndarray
    values: np.ndarray
    by_copy: bool
    most: float


class Matrix(NamedTuple):
    """What a run tells of pairs of tasks, layer by layer: its name in the file, its title, the
    lowest value there can be, of 1 at most, and the colours."""

    key: str
    title: str
    low: float
    colors: str


MATRICES = (
    Matrix("cosines", "cosines", -1, "RdBu"),
    Matrix("together", "same block", 0, "viridis"),
    Matrix("overlap", "overlap", 0, "viridis"),
)


class Layer(NamedTuple):
    """A layer of a network: its number among the network's, its description, and the place of its
    regions among those of all layers."""

    number: int
    description: dict[str, Any]
    place: slice


def load_splits(run: Run) -> dict[str, Any]:
    """What `splits.json` of a run holds.

    Raises:
      UserError: there is none, or it can't be read.
    """
    file = run.directory / SPLITS
    if not os.path.lexists(file):
        raise UserError(f"{run.directory} has no {SPLITS}, which networks that change write")
    text = read_file(file)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"cannot read {file}: {error}") from None


def history(network: Mapping[str, Any]) -> tuple[list[int], np.ndarray]:
    """Updates at which something split, from 0, and the maps from there on: `(splits + 1, regions,
    num_tasks)`.

    Where single weights split, a region is a layer, and has the fraction of its weights that are a
    task's own; under masks, of those that a task uses.
    """
    if "density" in network:
        return _history_of_masks(network)
    if "maps" not in network:
        return _history_of_weights(network)
    updates = [0]
    maps = [np.zeros_like(network["maps"])]
    for event in network["events"]:
        if event["copy"] is not None:
            changed = maps[-1].copy()
            changed[event["region"], event["moved"]] = event["copy"]
            updates.append(event["updates"])
            maps.append(changed)
    return updates, np.array(maps)


def _history_of_weights(network: Mapping[str, Any]) -> tuple[list[int], np.ndarray]:
    sizes = np.array([[layer["size"]] for layer in network["layers"]])
    layers_and_tasks = np.shape(network["cosines"])[:2]
    updates = [0]
    counts = [np.zeros(layers_and_tasks, int)]
    for event in network["events"]:
        updates.append(event["updates"])
        counts.append(counts[-1] + np.array(event["private"]))
    return updates, np.array(counts) / sizes


def _history_of_masks(network: Mapping[str, Any]) -> tuple[list[int], np.ndarray]:
    if "events" not in network:  # masks that learn all the time
        return [0], np.array([network["density"]])
    updates = [0]
    densities = [np.ones_like(network["density"])]
    for event in network["events"]:
        updates.append(event["updates"])
        densities.append(np.array(event["density"]))
    return updates, np.array(densities)


def layers(network: Mapping[str, Any]) -> Iterator[Layer]:
    """The layers of a network, in order; one where it tells of blocks."""
    start = 0
    described = network.get("layers", [{"name": "blocks", "regions": 1}])
    for number, description in enumerate(described):
        stop = start + description["regions"]
        yield Layer(number, description, slice(start, stop))
        start = stop


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


def matrix_of(network: Mapping[str, Any]) -> Optional[Matrix]:
    """The first that the network has."""
    for matrix in MATRICES:
        if matrix.key in network:
            return matrix
    return None


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


def sharing_of(network: Mapping[str, Any], place: slice) -> Sharing:
    """What the tasks share of the layer whose regions are at `place`."""
    updates, maps = history(network)
    end = max(network["updates"], updates[-1] + 1)
    edges = np.array([*updates, end], float)
    num_regions = place.stop - place.start
    values = maps[:, place.start]
    if num_regions > 1:
        values = (maps[:, place] > 0).mean(axis=1)
    by_copy = "maps" in network and num_regions == 1
    return Sharing(edges, values, by_copy, network.get("most", 1))


def _draw_scores(panel: Any, events: Sequence[Mapping[str, Any]], region: int) -> None:
    """A line with the score at each split of a region."""
    for event in events:
        if event["region"] != region or event["copy"] is None or "score" not in event:
            continue
        panel.axvline(event["updates"], color="black", linewidth=0.8)
        score = f"{event['score']:.1f}"
        panel.text(event["updates"], -0.6, score, ha="center", va="bottom", fontsize=7)
