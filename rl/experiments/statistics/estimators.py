"""Estimates of how good a method is, from the scores of its runs. NumPy only."""

from typing import Protocol

import numpy as np


class Estimator(Protocol):
    """A number for the values along an axis, which the result lacks."""

    def __call__(self, values: np.ndarray, /, *, axis: int) -> np.ndarray: ...


def iqm(values: np.ndarray, *, axis: int) -> np.ndarray:
    """Interquartile mean: of the middle half of the values, the outermost of it counted in part.

    Agarwal et al., 2021: https://arxiv.org/abs/2108.13264. Theirs is `scipy.stats.trim_mean`, which
    cuts whole values, and so differs where their number isn't a multiple of 4: of 3 values it is
    the mean.
    """
    ordered = np.moveaxis(np.sort(values, axis), axis, -1)
    count = ordered.shape[-1]
    rank = np.arange(count)
    upper = np.minimum(rank + 1, 0.75 * count)
    lower = np.maximum(rank, 0.25 * count)
    weights = np.maximum(upper - lower, 0)
    return ordered @ weights / weights.sum()


def optimality_gap(values: np.ndarray, target: float = 1.0) -> float:
    """How far values `(...)` are below `target` on average; those above it count as `target`."""
    return float(target - np.minimum(values, target).mean())
