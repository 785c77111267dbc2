"""What a run's networks decided, as its file tells: who shares each layer over training, or
executes which blocks, and how far tasks agree there."""

import json
import os
from typing import Any, Iterator, Mapping, NamedTuple, Optional

import numpy as np

from rl.config import SPLITS, UserError
from rl.experiments.plots.columns import Run
from rl.experiments.plots.text_table import read_file

# What text of another shape than a run's makes the readers of its parts raise.
MISSHAPEN = (
    KeyError,
    TypeError,
    ValueError,
    IndexError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


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
    task's own; under masks, of those that a task uses. Where nothing happened, as in output layers
    that tasks have for themselves from the start, the map is what it is at the end.
    """
    if "density" in network:
        return _history_of_masks(network)
    if "maps" not in network:
        return _history_of_weights(network)
    first = np.array(network["maps"])
    events = [event for event in network["events"] if event["copy"] is not None]
    for event in events:
        first[event["region"]] = 0
    updates = [0]
    maps = [first]
    for event in events:
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


def matrix_of(network: Mapping[str, Any]) -> Optional[Matrix]:
    """The first that the network has."""
    for matrix in MATRICES:
        if matrix.key in network:
            return matrix
    return None


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
