"""n-step returns of stored transitions, worked out when they are sampled: replay holds single raw
steps."""

from typing import Any

import numpy as np


def n_step_return(buffer: Any, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The returns that begin at `rows` `(num_tasks, count)` of a ReplayBuffer.

    A return has `buffer.n_step` rewards, or fewer where the trajectory or what is stored of it
    ends.

    Returns:
      The row of the last reward, the discounted sum of rewards, and the discount of what follows
      it: gamma to the power of their number. All `(num_tasks, count)`.
    """
    last, rew, gamma = rows, buffer.take("rew", rows), np.full(rows.shape, buffer.gamma)
    number = (
        rows + (buffer.total - 1 - rows) // buffer.capacity * buffer.capacity
    )  # in the order of storing
    for step in range(1, buffer.n_step):
        goes_on = (buffer.take("end", last) == 0) & (number + step * buffer.num_envs < buffer.total)
        last = np.where(goes_on, (last + buffer.num_envs) % buffer.capacity, last)
        rew = rew + np.where(goes_on, gamma * buffer.take("rew", last), np.float32(0))
        gamma = np.where(goes_on, gamma * buffer.gamma, gamma)
    return last, rew, gamma
