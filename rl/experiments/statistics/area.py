"""The area under learning curves: how much a method scores while it learns."""

import numpy as np


def mean_heights(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Area under each curve divided by its width, so that it is in units of the score: `(runs,)`.

    Over the stretch of x in which all runs have data; nan where that is less than two points.

    Args:
      x: `(points,)`, rising. y: `(runs, points)`, linear in between, nan where a run has no data.
    """
    shared = np.isfinite(y).all(axis=0)
    x = x[shared]
    y = y[:, shared]
    if len(x) < 2:
        return np.full(len(y), np.nan)
    middles = 0.5 * (y[:, 1:] + y[:, :-1])
    return middles @ np.diff(x) / (x[-1] - x[0])
