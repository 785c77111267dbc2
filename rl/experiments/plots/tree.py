"""How a run's networks split: who shares each layer over training, and how far tasks' gradients
agree there."""

import json
from typing import Any, Iterator, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rl.config import SPLITS, UserError
from rl.experiments.plots.curves import Run, read_regular
from rl.experiments.plots.groups import Group


def load(run: Run) -> dict[str, Any]:
    """What `splits.json` of a run holds. Raises a UserError if there is none or it can't be
    read."""
    text = read_regular(run.directory / SPLITS)
    if text is None:
        raise UserError(f"{run.directory} has no {SPLITS}, which networks that split write")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"cannot read {run.directory / SPLITS}: {error}") from None


def history(network: Mapping[str, Any]) -> tuple[list[int], np.ndarray]:
    """Updates at which something split, from 0, and the maps from there on: `(splits + 1, regions,
    num_tasks)`.

    Where single weights split, a region is a layer, and has fractions: of its weights those that
      are a task's own.
    """
    if "maps" not in network:
        sizes = np.array([[layer["size"]] for layer in network["layers"]])
        shape = np.shape(network["cosines"])[:2]
        counts = np.array(
            [np.zeros(shape, int), *(event["private"] for event in network["events"])]
        )
        return [0, *(event["updates"] for event in network["events"])], counts.cumsum(
            axis=0
        ) / sizes
    updates = [0]
    maps = [np.zeros_like(network["maps"])]
    for event in network["events"]:
        if event["copy"] is not None:
            updates.append(event["updates"])
            maps.append(maps[-1].copy())
            maps[-1][event["region"], event["moved"]] = event["copy"]
    return updates, np.array(maps)


def layers(network: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], slice]]:
    """Each layer and the place of its regions."""
    start = 0
    for layer in network["layers"]:
        yield layer, slice(start, start + layer["regions"])
        start += layer["regions"]


def draw_splits(groups: Sequence[Group]) -> Figure:
    """Of the one run in `groups`: a row of two panels per layer of each network.

    Left, a colour for each copy (or, where units split, for the share of units whose copy isn't the
    first; where weights do, for the share of them that are a task's own, up to the most it may
    have), by task and update, with the score of each split. Right, the cosines between the tasks'
    mean gradients.

    Raises:
      UserError: there are several runs, or it has no splits.
    """
    runs = [run for group in groups for run in group.runs]
    if len(runs) != 1:
        raise UserError(f"--splits draws one run, and {len(runs)} match")
    report = load(runs[0])
    rows = [
        (name, own, *layer) for name, own in report["networks"].items() for layer in layers(own)
    ]
    height = 1.0 + 0.22 * len(report["tasks"])
    with matplotlib.rc_context({"font.size": 8}):
        figure = Figure(figsize=(9.6, height * len(rows)), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots(len(rows), 2, squeeze=False, width_ratios=(3, 1))
        for pair, (name, network, layer, place) in zip(axes, rows):
            pair[0].set_title(
                f"{name.removeprefix('Loss')} {layer['name']}, sharing {network['sharing']:.2f}"
            )
            _draw_copies(pair[0], network, place, report["tasks"])
            number = network["layers"].index(layer)
            image = pair[1].imshow(network["cosines"][number], vmin=-1, vmax=1, cmap="RdBu")
            pair[1].set(xticks=[], yticks=[], title="cosines")
            figure.colorbar(image, ax=pair[1])
    return figure


def _draw_copies(axis: Any, network: Mapping[str, Any], place: slice, tasks: Sequence[str]) -> None:
    updates, maps = history(network)
    edges = np.array([*updates, max(network["updates"], updates[-1] + 1)], float)
    whole = "maps" in network and place.stop - place.start == 1
    single = maps[:, place.start]
    shown = (maps[:, place] > 0).mean(axis=1) if place.stop - place.start > 1 else single
    look = (
        {"cmap": "tab20", "vmin": 0, "vmax": 19}
        if whole
        else {"vmin": 0, "vmax": network.get("most", 1)}
    )
    axis.pcolormesh(edges, np.arange(len(tasks) + 1) - 0.5, shown.T, **look)
    axis.set(yticks=np.arange(len(tasks)), yticklabels=tasks, xlabel="updates")
    axis.invert_yaxis()
    for event in network["events"] if whole else ():
        if event["region"] == place.start and event["copy"] is not None:
            axis.axvline(event["updates"], color="black", linewidth=0.8)
            axis.text(
                event["updates"],
                -0.6,
                f"{event['score']:.1f}",
                ha="center",
                va="bottom",
                fontsize=7,
            )
