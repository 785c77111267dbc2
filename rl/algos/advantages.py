"""Generalised advantage estimation, and how much of returns values explain."""

from typing import Optional

import numpy as np


def gae(
    rew: np.ndarray,
    value: np.ndarray,
    value2: np.ndarray,
    done: np.ndarray,
    end: np.ndarray,
    gamma: float,
    lam: float,
) -> np.ndarray:
    """Generalised advantage estimation, eq. 16 of https://arxiv.org/abs/1506.02438 (Schulman et
    al., 2015).

    Every array is `(steps, ...)`.

    `value2` is the value of what the step led to, even where the episode ended there: a truncated
    episode bootstraps from its final observation. `done` is 1 for termination only, `end` for both.
    """
    delta = rew + gamma * (1 - done) * value2 - value
    goes_on = gamma * lam * (1 - end)
    advantage = np.zeros_like(delta)
    last = np.zeros_like(delta[0])
    for t in reversed(range(len(delta))):
        last = delta[t] + goes_on[t] * last
        advantage[t] = last
    return advantage


def explained_variance(
    adv: np.ndarray, ret: np.ndarray, mask: Optional[np.ndarray] = None
) -> np.ndarray:
    """The share of the variance of returns `(*batch_dims, steps)` that values explain:
    `(*batch_dims,)`.

    With a `mask`, `(num_tasks, steps)`, it is of the steps where that is true, of tasks that have
    any.
    """
    if mask is None:
        return 1 - adv.var(-1) / (ret.var(-1) + 1e-8)
    visited = np.flatnonzero(mask.any(axis=-1))
    shares = [explained_variance(adv[t, mask[t]], ret[t, mask[t]]) for t in visited]
    return np.array(shares)
