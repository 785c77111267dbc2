"""Learning curves as numbers: smoothed, and on one grid. NumPy only."""

from typing import Sequence

import numpy as np

from rl.experiments.plots.columns import Run, column, find_name


def smooth(values: np.ndarray, window: int) -> np.ndarray:
    """Centred moving average over `window` rows; at the edges, over the rows that exist; nan rows
    don't count."""
    valid = np.isfinite(values)
    ones = np.ones(min(window, 2 * len(values)))  # a longer window averages over all rows, too
    sums = _same(np.where(valid, values, 0), ones)
    counts = _same(np.where(valid, 1.0, 0), ones)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _same(values: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Centred convolution of the length of `values`, also where the window is longer."""
    first = (len(window) - 1) // 2
    return np.convolve(values, window)[first : first + len(values)]


def align(curves: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Runs on the grid of all their x: x `(points,)` and y `(runs, points)`, nan outside a run's
    own range.

    Rows that lack x or y are left out, and so are runs that have no others.
    """
    finite = []
    for x, y in curves:
        valid = np.isfinite(x) & np.isfinite(y)
        order = np.argsort(x[valid], kind="stable")
        if valid.any():
            finite.append((x[valid][order], y[valid][order]))
    if not finite:
        return np.empty(0), np.empty((0, 0))
    grid = np.unique(np.concatenate([x for x, _ in finite]))
    on_grid = [np.interp(grid, x, y, np.nan, np.nan) for x, y in finite]
    return grid, np.stack(on_grid)


def read_curves(
    runs: Sequence[Run], xaxis: str, value: str, window: int
) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed values on one grid of those runs that have both columns: x `(points,)`, y `(runs
    with data, points)`."""
    curves = []
    for run in runs:
        if find_name(run.columns, xaxis) and find_name(run.columns, value):
            curves.append((column(run, xaxis), smooth(column(run, value), window)))
    return align(curves)


def stretches(present: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
    """Stretches of points at which the same runs have data: start, stop, and which runs `(runs,)`.

    Each reaches to the neighbouring point where its runs still have data, but for the one of all
    runs: so a stretch of fewer begins where a run ended.

    Args:
      present: `(runs, points)`, whether a run has data at a point.
    """
    points = present.shape[1]
    changes = np.flatnonzero((present[:, 1:] != present[:, :-1]).any(axis=0)) + 1
    bounds = [0, *changes.tolist(), points]
    found = []
    for start, stop in zip(bounds, bounds[1:]):
        if start == stop or not present[:, start].any():
            continue
        runs = present[:, start]
        if start > 0 and present[runs, start - 1].all():
            start -= 1
        if stop < points and present[runs, stop].all():
            stop += 1
        found.append((start, stop, runs))
    return found
