"""n-step returns of stored transitions, worked out when they are sampled: replay holds single raw
steps."""

from typing import Any, Callable, Optional

import numpy as np


def n_step_return(
    buffer: Any, rows: np.ndarray, scale: Optional[Callable[..., np.ndarray]] = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The returns that begin at `rows` `(num_tasks, count)` of a ReplayBuffer.

    A return has `buffer.n_step` rewards, or fewer where the trajectory or what is stored of it
    ends.

    Args:
      scale: what is made of each reward before they are summed; see `ReplayBuffer.rewards`.

    Returns:
      The row of the last reward, the discounted sum of rewards, and the discount of what follows
      it: gamma to the power of their number. All `(num_tasks, count)`.
    """
    last = rows
    rew = buffer.rewards(rows, scale)
    gamma = np.full(rows.shape, buffer.gamma)
    number = buffer.numbers(rows)
    for step in range(1, buffer.n_step):
        is_stored = number + step * buffer.num_envs < buffer.total
        goes_on = is_stored & (buffer.take("end", last) == 0)
        last = np.where(goes_on, (last + buffer.num_envs) % buffer.capacity, last)
        rew = rew + np.where(goes_on, gamma * buffer.rewards(last, scale), np.float32(0))
        gamma = np.where(goes_on, gamma * buffer.gamma, gamma)
    return last, rew, gamma
