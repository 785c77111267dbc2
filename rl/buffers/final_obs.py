"""What steps led to, where the next row of replay doesn't hold it."""

import numpy as np

from rl.spec import Field


class FinalObs:
    """Observations that some transitions of a ring led to, by task and row.

    Attributes:
      held: bool `(num_tasks, capacity)`, whose are here.
    """

    def __init__(self, num_tasks: int, capacity: int) -> None:
        self.held = np.zeros((num_tasks, capacity), bool)
        self._obs: dict[tuple[int, int], np.ndarray] = {}

    def put(self, rows: np.ndarray, obs: np.ndarray) -> None:
        """Keeps copies of `obs` `(num_tasks, count, ...)` for `rows` `(count,)` of every task."""
        self.held[:, rows] = True
        for task, i in np.ndindex(obs.shape[:2]):
            self._obs[task, int(rows[i])] = obs[task, i].copy()

    def drop(self, rows: np.ndarray, unless: np.ndarray) -> None:
        """Forgets those of `rows` `(count,)`, but where `unless` `(num_tasks, count)` is true."""
        for task, i in np.argwhere(~unless).tolist():
            row = int(rows[i])
            self.held[task, row] = False
            self._obs.pop((task, row), None)

    def fill(self, obs2: np.ndarray, rows: np.ndarray) -> None:
        """Puts what is held for `rows` `(num_tasks, count)` into `obs2` `(num_tasks, count,
        ...)`."""
        held = np.take_along_axis(self.held, rows, axis=1)
        for task, i in np.argwhere(held).tolist():
            obs2[task, i] = self._obs[task, int(rows[task, i])]

    def take(self, rows: np.ndarray, obs: Field) -> np.ndarray:
        """What is held for `rows` `(count,)`, `(how many, *obs.shape)`, task by task."""
        places = np.argwhere(self.held[:, rows]).tolist()
        found = obs.zeros(len(places))
        for number, (task, i) in enumerate(places):
            found[number] = self._obs[task, int(rows[i])]
        return found

    def put_back(self, rows: np.ndarray, held: np.ndarray, obs: np.ndarray) -> None:
        """Puts back what `take` returned for `rows`, of which `held` `(num_tasks, count)` were
        there."""
        for (task, i), value in zip(np.argwhere(held).tolist(), obs):
            self._obs[task, int(rows[i])] = value
