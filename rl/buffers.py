"""Replay storage: NumPy, preallocated, with a task axis."""

from typing import Any

import numpy as np

FIELDS = ("obs", "act", "rew", "obs2", "done")


class ReplayBuffer:
    """A first-in first-out memory of transitions, sampled uniformly with replacement.

    Arrays are `(num_tasks, capacity, ...)` float32 and are filled in step with each other, so every
    task holds the same number of transitions. Untouched pages of a fresh array cost no memory.

    Args:
      obs_dim, act_dim: sizes of an observation and an action. capacity: transitions kept per task.
      batch_dims: `()` or `(num_tasks,)`; the leading axes of a batch.
    """

    def __init__(self, obs_dim: int, act_dim: int, capacity: int, batch_dims: tuple[int, ...] = ()) -> None:
        self.capacity, self.batch_dims = capacity, batch_dims
        self.num_tasks = batch_dims[0] if batch_dims else 1
        widths = {"obs": (obs_dim,), "act": (act_dim,), "rew": (), "obs2": (obs_dim,), "done": ()}
        self.data = {k: np.zeros((self.num_tasks, capacity, *widths[k]), np.float32) for k in FIELDS}
        self.total = 0  # transitions ever stored, per task

    def __len__(self) -> int:
        return min(self.total, self.capacity)

    def store(self, **transition: Any) -> None:
        """Adds one transition per env: arrays `(num_envs, ...)`, the envs of a task side by side.

        `done` is 1 for termination only; a truncated step is stored with 0 and its FINAL observation.
        """
        count = len(transition["rew"]) // self.num_tasks
        start = self.total % self.capacity
        if start + count > self.capacity or self.num_tasks > 1:
            rows: Any = np.arange(self.total, self.total + count) % self.capacity
        else:
            rows = slice(start, start + count)
        for key, value in transition.items():
            array = self.data[key]
            array[:, rows] = np.reshape(value, (self.num_tasks, count, *array.shape[2:]))
        self.total += count

    def sample(self, count: int, batch_size: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """`count` independent batches: each field `(count, *batch_dims, batch_size, ...)`."""
        rows = rng.integers(0, len(self), (self.num_tasks, count * batch_size))
        batch = {}
        for key, array in self.data.items():
            picked = [np.take(array[task], rows[task], axis=0) for task in range(self.num_tasks)]
            shaped = [p.reshape(count, batch_size, *p.shape[1:]) for p in picked]
            batch[key] = np.stack(shaped, axis=1) if self.batch_dims else shaped[0]
        return batch

    def rows(self, first: int, last: int) -> dict[str, np.ndarray]:
        """Copies of the transitions numbered `first <= i < last` since the start, for a checkpoint."""
        index = np.arange(first, last) % self.capacity
        return {key: array[:, index] for key, array in self.data.items()}

    def put_rows(self, first: int, rows: dict[str, np.ndarray]) -> None:
        """Puts back what `rows` returned, at the places it came from."""
        index = np.arange(first, first + rows["rew"].shape[1]) % self.capacity
        for key, array in self.data.items():
            array[:, index] = rows[key]
