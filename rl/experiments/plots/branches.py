"""The trees that `branch` found: which tasks share each layer, and how alike their features are
after it."""

import json
from pathlib import Path
from typing import Any, Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rl.config import UserError
from rl.experiments.plots.structure import MISSHAPEN
from rl.experiments.plots.text_table import read_file

LAYER_WIDTH = 1.8  # inches, in the tree as of a panel of affinities
TASK_HEIGHT = 0.25
MARGINS = 1.2  # above and below a tree
MOST_TASKS = 1000  # that a picture has room for


def draw_branches(file: Path) -> Figure:
    """A row for each network of a map: its tree, from the input on the left to the tasks on the
    right, and the affinities of the tasks after each hidden layer.

    Raises:
      UserError: the file can't be read, or `branch` hasn't written it.
    """
    text = read_file(file)
    try:
        report = json.loads(text)
        tasks = [str(task) for task in report["tasks"]]
        networks = {str(name): Branches(network, tasks) for name, network in _networks(report)}
    except MISSHAPEN:
        raise UserError(f"{file} is not a map that branch has written") from None
    height = MARGINS + TASK_HEIGHT * len(tasks)
    depth = max(network.depth for network in networks.values())
    with matplotlib.rc_context({"font.size": 8}):
        size = (LAYER_WIDTH * (2 * depth + 1), height * len(networks))
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        ratios = (depth + 1, *[1] * depth)
        panels = figure.subplots(len(networks), depth + 1, squeeze=False, width_ratios=ratios)
        for row, (name, network) in zip(panels, networks.items()):
            network.draw_tree(row[0], name.removeprefix("Loss"))
            network.draw_affinities(row[1:])
    return figure


def _networks(report: Mapping[str, Any]) -> Sequence[tuple[str, Any]]:
    """Names and descriptions of the networks of a map, of which there is one."""
    networks = list(report["networks"].items())
    if not networks or not 0 < len(report["tasks"]) <= MOST_TASKS:
        raise ValueError("a map has networks and tasks")
    return networks


class Branches:
    """A network of a map.

    Raises:
      KeyError, TypeError, ValueError: it is not as `branch` writes it.
    """

    def __init__(self, network: Mapping[str, Any], tasks: Sequence[str]) -> None:
        self.affinities = np.array(network["affinities"], float)
        self.depth = len(self.affinities)
        if self.affinities.shape != (self.depth, len(tasks), len(tasks)) or not self.depth:
            raise ValueError(f"affinities of shape {self.affinities.shape}")
        maps = np.array(network["maps"][: self.depth + 1])
        if maps.shape != (self.depth + 1, len(tasks)) or maps.dtype.kind != "i":
            raise ValueError(f"maps of shape {maps.shape}")
        self.order = np.lexsort(maps[::-1])  # so that no two branches cross
        self.maps = maps[:, self.order]
        self.tasks = [tasks[task] for task in self.order]
        self.names = [str(layer["name"]) for layer in network["layers"][: self.depth + 1]]
        self.cost = float(network["cost"])
        self.ratio = network["parameters"] / network["shared"]

    def places(self, layer: int) -> np.ndarray:
        """Where the copy that each task uses of a layer is drawn: in the middle of its tasks."""
        copies = self.maps[layer]
        places = np.zeros(len(copies))
        for copy in np.unique(copies):
            places[copies == copy] = np.flatnonzero(copies == copy).mean()
        return places

    def draw_tree(self, panel: Any, name: str) -> None:
        """A dot for each copy of a layer, a line for each that follows another."""
        rows = np.arange(len(self.tasks))
        places = [np.full(len(rows), rows.mean())]
        places += [self.places(layer) for layer in range(self.depth + 1)]
        layers = np.arange(len(places))
        for path in np.unique(np.array(places), axis=1).T:
            panel.plot(layers, path, color="tab:blue", marker="o", markersize=4)
        panel.set_title(f"{name}: cost {self.cost:.3f}, {self.ratio:.2f} times the shared network")
        panel.set(xticks=layers, xticklabels=["input", *self.names])
        panel.set(yticks=rows, yticklabels=self.tasks)
        panel.yaxis.tick_right()
        panel.margins(y=0.1)
        panel.invert_yaxis()

    def draw_affinities(self, panels: Sequence[Any]) -> None:
        """A panel for each hidden layer; those beyond stay empty."""
        for panel in panels[self.depth :]:
            panel.set_axis_off()
        for panel, name, affinity in zip(panels, self.names, self.affinities):
            ordered = affinity[np.ix_(self.order, self.order)]
            image = panel.imshow(ordered, vmin=-1, vmax=1, cmap="RdBu")
            panel.set(xticks=[], yticks=[], title=f"after {name}")
            panel.figure.colorbar(image, ax=panel)
