"""Estimates over runs, and the bands around them."""

from typing import Any, Callable

import numpy as np

from rl.config import UserError
from rl.experiments.statistics.bootstrap import bootstrap_band
from rl.experiments.statistics.estimators import iqm
from rl.experiments.statistics.intervals import standard_error, t_quantile

RESAMPLES = 1000

# name -> estimate over runs, from y (runs, points); nan where a run has no data
ESTIMATORS: dict[str, Callable[..., Any]] = {
    "mean": np.mean,
    "median": np.median,
    "iqm": iqm,
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
        # The same resamples every time, so that the same runs make the same figure.
        edges = bootstrap_band(y, ESTIMATORS[est], RESAMPLES, np.random.default_rng(0))
        return edges[0], edges[1]
    half = y.std(axis=0, ddof=1) if kind == "sd" else standard_error(y)
    if kind == "ci":
        half = half * t_quantile(len(y) - 1)
    centre = ESTIMATORS[est](y, axis=0)
    return centre - half, centre + half
