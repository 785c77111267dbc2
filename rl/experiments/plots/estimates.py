"""Estimates over runs, and the bands around them. NumPy, and SciPy for quantiles."""

from typing import Any, Callable

import numpy as np

from rl.config import UserError

LEVEL = 0.95  # of the intervals
RESAMPLES = 1000
CHUNK = 2_000_000  # numbers that the bootstrap holds at once


def _iqm(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of the middle half of the runs, the outermost counted in part."""
    ordered = np.moveaxis(np.sort(values, axis), axis, -1)
    count = ordered.shape[-1]
    rank = np.arange(count)
    upper = np.minimum(rank + 1, 0.75 * count)
    lower = np.maximum(rank, 0.25 * count)
    weights = np.maximum(upper - lower, 0)
    return ordered @ weights / weights.sum()


# name -> estimate over runs, from y (runs, points); nan where a run has no data
ESTIMATORS: dict[str, Callable[..., Any]] = {
    "mean": np.mean,
    "median": np.median,
    "iqm": _iqm,
    "max": np.max,
    "min": np.min,
}
# name -> what the legend calls it
BANDS = {
    "ci": "95% t interval",
    "bootstrap": "95% bootstrap interval",
    "sd": "one standard deviation",
    "se": "one standard error",
    "range": "range of runs",
    "none": "",
}
# estimate -> its band, where none is asked for; a resampled extreme is never beyond the extreme
DEFAULT_BANDS = {
    "mean": "ci",
    "median": "bootstrap",
    "iqm": "bootstrap",
    "max": "range",
    "min": "range",
}


def choose_band(kind: str | None, est: str) -> str:
    """The band of an estimate: `kind`, or the default. Raises a UserError where it would be that of
    another estimate."""
    if kind is None:
        return DEFAULT_BANDS[est]
    if kind in ("ci", "se") and est != "mean":
        raise UserError(f"--band {kind} is of the mean; with --est {est} use bootstrap")
    return kind


def band(y: np.ndarray, kind: str, est: str = "mean") -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper edge `(points,)` of a band of BANDS around an estimate over at least two
    runs.

    Args:
      y: `(runs, points)`, finite. "sd" is one standard deviation, "se" one standard error, "ci" the
        95% t interval of the mean; "bootstrap" is the estimate's 95% percentile interval.
    """
    if kind == "range":
        return y.min(axis=0), y.max(axis=0)
    if kind == "bootstrap":
        return _bootstrap(y, ESTIMATORS[est])
    half = y.std(axis=0, ddof=1)
    if kind in ("se", "ci"):
        half = half / np.sqrt(len(y))
    if kind == "ci":
        half = half * _t_quantile(len(y) - 1)
    centre = ESTIMATORS[est](y, axis=0)
    return centre - half, centre + half


def _t_quantile(freedom: int) -> float:
    """Half the width of a LEVEL t interval, in standard errors."""
    # pylint: disable-next=import-outside-toplevel, no-name-in-module
    from scipy.special import stdtrit  # a fifth of a second, for those who draw this band

    return float(stdtrit(freedom, (1 + LEVEL) / 2))


def _bootstrap(y: np.ndarray, estimate: Callable[..., Any]) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval over resamples of whole runs, the same resamples every time."""
    count, points = y.shape
    chosen = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    width = max(1, CHUNK // chosen.size)
    quantiles = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    edges = np.empty((2, points))
    for start in range(0, points, width):
        resampled = estimate(y[:, start : start + width][chosen], axis=1)
        edges[:, start : start + width] = np.quantile(resampled, quantiles, axis=0)
    return edges[0], edges[1]
