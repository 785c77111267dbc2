"""A rollout of envs that go from task to task, where tasks have unequal numbers of steps."""

from typing import Any, Callable

import numpy as np

from rl.buffers.rollout import Fields, Rollout
from rl.spec import EnvSpec


class VisitedRollout(Rollout):
    """A rollout whose trajectories are the envs', and whose minibatches have as many steps of each
    task that was visited.

    Once it is full every task's steps are put side by side, in rows `(num_tasks, width, ...)` that
    end with zeros, which no minibatch has.

    Args:
      spec, steps, num_envs: as Rollout's. max_ep_len: longest episode, in steps.

    Attributes:
      count: `(num_tasks,)`, steps of each task.
    """

    def __init__(self, spec: EnvSpec, steps: int, num_envs: int, max_ep_len: int) -> None:
        super().__init__(spec, steps, num_envs)
        self.data["task"] = np.zeros((steps, num_envs), np.int32)
        visits = num_envs * -(-steps // max_ep_len)
        self.steps_per_task = steps * num_envs // min(visits, len(spec.tasks))
        self.arrange()

    def store(self, **step: np.ndarray) -> None:
        super().store(**step)
        if self.full:
            self.arrange()

    def arrange(self) -> None:
        """Gives every step its place among its task's."""
        self.task = self.data["task"].reshape(-1)
        self.count = np.bincount(self.task, minlength=self.dims[0])
        self.present = self.count > 0
        in_order = np.argsort(self.task, kind="stable")
        first = np.cumsum(self.count) - self.count
        self.place = np.zeros(len(self.task), int)
        self.place[in_order] = np.arange(len(self.task)) - first[self.task[in_order]]
        # A multiple of the same number, so that one compiled program evaluates all widths.
        self.width = -(-int(self.count.max()) // self.steps_per_task) * self.steps_per_task

    def flat(self, array: np.ndarray) -> np.ndarray:
        """`(steps, num_envs, ...)` to `(num_tasks, width, ...)`."""
        rows = np.zeros((self.dims[0], self.width, *array.shape[2:]), array.dtype)
        rows[self.task, self.place] = array.reshape(-1, *array.shape[2:])
        return rows

    def stacked(self, array: np.ndarray) -> np.ndarray:
        return array[self.task, self.place].reshape(self.steps, -1)

    def mask(self) -> np.ndarray:
        """`(num_tasks, width)`: where `flat` has steps."""
        return np.arange(self.width) < self.count[:, None]

    def by_pieces(self, function: Callable[[Fields], Fields], data: Fields) -> Fields:
        pieces = []
        for first in range(0, self.width, self.steps_per_task):
            steps = slice(first, first + self.steps_per_task)
            pieces.append(function({name: rows[:, steps] for name, rows in data.items()}))
        joined = {}
        for name in pieces[0]:
            joined[name] = np.concatenate([piece[name] for piece in pieces], axis=1)
        return joined

    def order(self, epochs: int, samples: int, rng: np.random.Generator) -> np.ndarray:
        """A task with fewer steps than `samples` goes through them again, each time in another
        order."""
        order = np.zeros((epochs, self.dims[0], samples), int)
        for task in np.flatnonzero(self.present):
            steps = self.count[task]
            rounds = -(-samples // steps)
            drawn = rng.permuted(np.tile(np.arange(steps), (epochs, rounds, 1)), axis=-1)
            order[:, task] = drawn.reshape(epochs, -1)[:, :samples]
        return order

    def visited(self, info: dict[str, np.ndarray], by_task: Any) -> dict[str, np.ndarray]:
        """The losses of an update's `info` of tasks that were visited alone. Columns `by_task` keep
        all tasks."""
        return {
            name: value if value.ndim < 2 or name in by_task else value[:, self.present]
            for name, value in info.items()
        }
