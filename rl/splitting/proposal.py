"""A split that is called for."""

from typing import NamedTuple

import numpy as np


class Proposal(NamedTuple):
    """A split of the copy of a region that a pair of tasks shares.

    pair: a task that stays and one that leaves, the reason. with_second: bool `(num_tasks,)`, the
    tasks that would leave with the latter if they are of this copy. score: how much calls for it.
    """

    region: int
    pair: tuple[int, int]
    with_second: np.ndarray
    score: float
