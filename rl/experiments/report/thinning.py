"""Fewer points of long curves, so that a page stays small. NumPy only."""

import numpy as np

MOST_POINTS = 500  # of a curve
MOST_COLUMNS = 250  # of a heatmap


def thin_curve(y: np.ndarray, most: int = MOST_POINTS) -> np.ndarray:
    """Places of at most `most` points of a curve, rising; all of them if they are no more.

    The first and the last stay, and of each of equally long stretches between them the lowest and
    the highest: no peak is lost, and no point is moved.

    Args:
      y: `(points,)`. most: at least 4.
    """
    count = len(y)
    if count <= most:
        return np.arange(count)
    stretches = (most - 2) // 2
    bounds = np.linspace(1, count - 1, stretches + 1).astype(int)
    kept = {0, count - 1}
    for start, stop in zip(bounds, bounds[1:]):
        kept.add(int(start + np.argmin(y[start:stop])))
        kept.add(int(start + np.argmax(y[start:stop])))
    return np.array(sorted(kept))


def thin_columns(count: int, most: int = MOST_COLUMNS) -> np.ndarray:
    """Places of at most `most` of `count` columns, rising and about equally far apart."""
    if count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).round().astype(int)
