"""The weighted policy learner, for policies that are tables, in NumPy.

Abdallah and Lesser, 2008: https://doi.org/10.1613/jair.2628
"""

from typing import Optional

import numpy as np


def project(policy: np.ndarray, floor: float) -> np.ndarray:
    """The nearest probabilities `(..., actions)` of which none is under `floor`, in Euclidean
    distance. Held et al., 1974: https://doi.org/10.1007/BF01580223."""
    actions = policy.shape[-1]
    mass = 1 - actions * floor  # what is there to share out
    if mass <= 0:
        return np.full(policy.shape, 1 / actions)
    free = policy - floor
    descending = -np.sort(-free, axis=-1)
    excess = (np.cumsum(descending, axis=-1) - mass) / np.arange(1, actions + 1)
    kept = np.count_nonzero(descending > excess, axis=-1)[..., None] - 1
    return floor + np.maximum(free - np.take_along_axis(excess, kept, axis=-1), 0)


def improve(
    policy: np.ndarray,
    value: np.ndarray,
    lr: float,
    floor: float,
    known: Optional[np.ndarray] = None,
) -> np.ndarray:
    """A step of policies `(..., actions)` towards actions of high value, of the same shape.

    An action that gains moves by the probability it lacks, one that loses by what it has, so that
    steps become short near the corners that they lead to.

    Args:
      known: bool, the actions whose value is known; None: all. The others' is as good as the mean.
    """
    if known is None:
        known = np.ones(policy.shape, bool)
    weight = np.where(known, policy, 0)
    total = weight.sum(axis=-1, keepdims=True)
    mean = (weight * value).sum(axis=-1, keepdims=True) / np.where(total > 0, total, 1)
    gain = np.where(known, value - mean, 0)
    gain *= np.where(gain < 0, policy, 1 - policy)
    return project(policy + lr * gain, floor)
