"""What the networks of runs decided while they trained, as the page draws it."""

import math
from typing import Any, Mapping, NamedTuple, Sequence

import numpy as np

from rl.config import SPLITS, UserError
from rl.experiments.plots.columns import Run
from rl.experiments.plots.structure import (
    MISSHAPEN,
    Layer,
    Matrix,
    layers,
    load_splits,
    matrix_of,
    sharing_of,
)
from rl.experiments.report.grid_figures import GridFigure, row_names
from rl.experiments.report.numbers import exact, rounded
from rl.experiments.report.thinning import thin_columns


class NetworkFigures(NamedTuple):
    """A network: for each layer what its tasks share over the updates, and the cosines between
    their mean gradients."""

    title: str
    figures: list[GridFigure]


def make_split_figures(run: Run) -> list[NetworkFigures]:
    """Of each network of a run that has `splits.json`.

    Raises:
      UserError: there is none, it can't be read, or is not as a run writes it.
    """
    report = load_splits(run)
    try:
        tasks = row_names(report["tasks"])
        return [_draw(name, network, tasks) for name, network in report["networks"].items()]
    except MISSHAPEN:
        raise UserError(f"{run.directory / SPLITS} is not as a run writes it") from None


def _draw(name: str, network: Mapping[str, Any], tasks: list[str]) -> NetworkFigures:
    title = name.removeprefix("Loss")
    if "executed" in network:
        return NetworkFigures(title, [_draw_blocks(network, tasks)])
    if "sharing" in network:
        title = f"{title}: sharing score {float(network['sharing']):.2f}"
    matrix = matrix_of(network)
    figures = []
    for layer in layers(network):
        figures.append(_draw_sharing(network, layer, tasks))
        if matrix:
            figures.append(_draw_matrix(network, layer, tasks, matrix))
    return NetworkFigures(title, figures)


def _draw_blocks(network: Mapping[str, Any], tasks: list[str]) -> GridFigure:
    probability = np.array(network["probability"], float)
    _check_shape(probability, np.shape(network["executed"]))
    _check_shape(probability, (len(tasks), probability.shape[-1]))
    blocks = probability.shape[1]
    return GridFigure(
        kind="grid",
        title="probability that a task executes a block",
        colors="values",
        low=0.0,
        high=1.0,
        xaxis="block",
        rows=tasks,
        columns=[str(block) for block in range(blocks)],
        edges=exact(np.arange(blocks + 1.0)),
        cells=rounded(probability),
    )


def _draw_sharing(network: Mapping[str, Any], layer: Layer, tasks: list[str]) -> GridFigure:
    sharing = sharing_of(network, layer.place)
    changes = np.flatnonzero((sharing.values[1:] != sharing.values[:-1]).any(axis=1)) + 1
    starts = np.append(0, changes)
    kept = starts[thin_columns(len(starts))]
    edges = np.append(sharing.edges[kept], sharing.edges[-1])
    cells = sharing.values[kept].T.astype(float)
    _check_shape(cells, (len(tasks), len(kept)))
    most = float(sharing.most)
    if not math.isfinite(most):
        raise ValueError(f"shares up to {most}")
    what = "copy that each task uses" if sharing.by_copy else "share that is not the first copy's"
    if "density" in network:
        what = "share of the weights that each task uses"
    return GridFigure(
        kind="grid",
        title=f"{layer.description['name']}: {what}",
        colors="copies" if sharing.by_copy else "values",
        low=0.0,
        high=most,
        xaxis="updates",
        rows=tasks,
        columns=[],
        edges=exact(edges),
        cells=rounded(cells),
    )


def _draw_matrix(
    network: Mapping[str, Any], layer: Layer, tasks: list[str], matrix: Matrix
) -> GridFigure:
    values = np.array(network[matrix.key][layer.number], float)
    _check_shape(values, (len(tasks), len(tasks)))
    is_cosine = matrix.key == "cosines"
    title = "cosines between the tasks' gradients" if is_cosine else matrix.title
    return GridFigure(
        kind="grid",
        title=f"{layer.description['name']}: {title}",
        colors="cosines" if is_cosine else "values",
        low=float(matrix.low),
        high=1.0,
        xaxis="",
        rows=tasks,
        columns=tasks,
        edges=exact(np.arange(len(tasks) + 1.0)),
        cells=rounded(values),
    )


def _check_shape(cells: np.ndarray, shape: Sequence[int]) -> None:
    if cells.shape != tuple(shape):
        raise ValueError(f"cells {cells.shape} where {tuple(shape)} belong")
