"""Replay for envs that go from task to task, where tasks hold unequal numbers of transitions."""

from typing import Any, Callable, Optional

import numpy as np

from rl.buffers.replay import ReplayBuffer
from rl.config import UserError
from rl.spec import Batch, map_fields


class VisitedReplay(ReplayBuffer):
    """One ring of all tasks' transitions, from which batches still have `batch_size` of each task,
    drawn uniformly.

    The ring holds `capacity` times as many transitions as there are tasks; a task's newest
    `capacity` of those that it holds can be drawn. Trajectories are the envs', so all that follows
    one transition goes on as in a ring of one task.

    Args:
      capacity: transitions of a task. batch_dims: `(num_tasks,)`. options: ReplayBuffer's.
    """

    def __init__(
        self, obs_dim: int, act_dim: int, capacity: int, batch_dims: tuple[int], **options: Any
    ) -> None:
        super().__init__(obs_dim, act_dim, capacity * batch_dims[0], **options)
        self.data["task"] = np.zeros((1, self.capacity), np.int32)
        self.own = np.zeros(
            (*batch_dims, capacity), int
        )  # each task's rows in the order of storing, a ring
        self.lost, self.stored = np.zeros(
            (2, *batch_dims), int
        )  # of each task: overwritten, ever stored
        self.since = float("inf")  # until every task has a transition

    def store(self, **transition: Any) -> None:
        """Adds one transition per env, `(num_envs, ...)`; `task` is the number of its task."""
        number = np.arange(self.total, self.total + len(transition["task"]))
        np.add.at(
            self.lost, self.data["task"][0, number[number >= self.capacity] % self.capacity], 1
        )
        super().store(**transition)
        self._count(number)

    def _count(self, number: np.ndarray) -> None:
        """Enters the transitions numbered `number` in their tasks' rings."""
        rows = number % self.capacity
        tasks = self.data["task"][0, rows]
        for task in np.unique(tasks):
            own = rows[tasks == task]
            self.own[task, (self.stored[task] + np.arange(len(own))) % self.own.shape[1]] = own
            self.stored[task] += len(own)
        if self.total < self.since and self.stored.all():
            self.since = self.total

    def sample(
        self,
        count: int,
        batch_size: int,
        rng: np.random.Generator,
        scale: Optional[Callable[..., np.ndarray]] = None,
    ) -> tuple[Batch, np.ndarray]:
        """`count` independent batches: each field `(count, num_tasks, batch_size, ...)`; and their
        rows."""
        tasks = len(self.own)
        batches, rows = super().sample(count * tasks, batch_size, rng, scale)

        def by_task(field: np.ndarray) -> np.ndarray:
            return field.reshape(count, tasks, *field.shape[1:])

        return map_fields(by_task, batches), by_task(rows)

    def rewards(
        self, rows: np.ndarray, scale: Optional[Callable[..., np.ndarray]] = None
    ) -> np.ndarray:
        """Rewards of the transitions at `rows`, or what `scale` makes of them and their tasks."""
        rew = self.take("rew", rows)
        return rew if scale is None else scale(rew, self.take("task", rows))

    def _draw(
        self, count: int, batch_size: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        tasks, capacity = self.own.shape
        first = np.maximum(self.lost, self.stored - capacity)
        if (first == self.stored).any():
            raise UserError(
                f"replay has lost all of task {np.argmax(first == self.stored)}; raise "
                "--replay_size"
            )
        drawn = (
            rng.integers(first[:, None], self.stored[:, None], (count // tasks, tasks, batch_size))
            % capacity
        )
        rows = self.own[np.arange(tasks)[:, None], drawn].reshape(1, -1)
        return rows, np.ones(rows.shape, np.float32)

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs besides the rows."""
        return {"since": self.since}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`, once the rows are there."""
        self.since = state["since"]
        self._count(np.arange(len(self)) + self.total - len(self))
