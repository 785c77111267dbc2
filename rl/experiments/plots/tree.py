"""How a run's networks split: who shares each layer over training, and how far tasks' gradients
agree there."""

import json
import os
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

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
        raise UserError(f"{run.directory} has no {SPLITS}, which networks that split write")
    text = read_file(file)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"cannot read {file}: {error}") from None


def history(network: Mapping[str, Any]) -> tuple[list[int], np.ndarray]:
    """Updates at which something split, from 0, and the maps from there on: `(splits + 1, regions,
    num_tasks)`.

    Where single weights split, a region is a layer, and has the fraction of its weights that are a
    task's own.
    """
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


def layers(network: Mapping[str, Any]) -> Iterator[Layer]:
    """The layers of a network, in order."""
    start = 0
    for number, description in enumerate(network["layers"]):
        stop = start + description["regions"]
        yield Layer(number, description, slice(start, stop))
        start = stop


def draw_splits(groups: Sequence[Group]) -> Figure:
    """Of the one run in `groups`: a row of two panels per layer of each network.

    Left, a colour for each copy (or, where units split, for the share of units whose copy isn't the
    first; where weights do, for the share of them that are a task's own, up to the most it may
    have), by task and update, with the score of each split. Right, the cosines between the tasks'
    mean gradients.

    Raises:
      UserError: there are several runs, or it has no splits.
    """
    runs: list[Run] = []
    for group in groups:
        runs.extend(group.runs)
    if len(runs) != 1:
        raise UserError(f"--splits draws one run, and {len(runs)} match")
    report = load_splits(runs[0])
    tasks = report["tasks"]
    rows = []
    for name, network in report["networks"].items():
        for layer in layers(network):
            rows.append((name.removeprefix("Loss"), network, layer))
    height = MARGINS + TASK_HEIGHT * len(tasks)
    with matplotlib.rc_context({"font.size": 8}):
        figure = Figure(figsize=(WIDTH, height * len(rows)), layout="constrained")
        FigureCanvasAgg(figure)
        all_axes = figure.subplots(len(rows), 2, squeeze=False, width_ratios=(3, 1))
        for (left, right), (name, network, layer) in zip(all_axes, rows):
            sharing = network["sharing"]
            left.set_title(f"{name} {layer.description['name']}, sharing {sharing:.2f}")
            _draw_copies(left, network, layer.place, tasks)
            cosines = network["cosines"][layer.number]
            image = right.imshow(cosines, vmin=-1, vmax=1, cmap="RdBu")
            right.set(xticks=[], yticks=[], title="cosines")
            figure.colorbar(image, ax=right)
    return figure


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
        if event["region"] != region or event["copy"] is None:
            continue
        panel.axvline(event["updates"], color="black", linewidth=0.8)
        score = f"{event['score']:.1f}"
        panel.text(event["updates"], -0.6, score, ha="center", va="bottom", fontsize=7)
