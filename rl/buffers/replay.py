"""Replay storage: NumPy, preallocated, with a task axis."""

from typing import Any, Callable, Optional

import numpy as np

from rl.buffers.fields import transition_fields
from rl.buffers.final_obs import FinalObs
from rl.buffers.n_step import n_step_return
from rl.spec import Batch, EnvSpec, Field, map_fields


class ReplayBuffer:
    """A first-in first-out memory of transitions, sampled uniformly with replacement.

    Arrays are `(num_tasks, capacity, ...)` and are filled in step with each other, so every task
    holds the same number of transitions. Untouched pages of a fresh array cost no memory. Images
    are stored once: what a step led to is the next row of its env, but at ends of trajectories.

    Args:
      spec: what observations and actions are, and the tasks. capacity: transitions kept per task.
      num_envs: per task; every `num_envs`th transition of a task is of the same env.
      gamma: discount. n_step: rewards in a return.
    """

    since: float = 0  # `total` from which on it can be sampled

    def __init__(
        self,
        spec: EnvSpec,
        capacity: int,
        num_envs: int = 1,
        gamma: float = 0.99,
        n_step: int = 1,
    ) -> None:
        self.capacity = capacity
        self.spec = spec
        self.batch_dims = spec.batch_dims
        self.num_tasks = spec.num_tasks or 1
        self.num_envs = num_envs
        self.gamma = np.float32(gamma)
        self.n_step = n_step
        fields = transition_fields(spec)
        self.final_obs: Optional[FinalObs] = None
        if spec.has_images:
            del fields["obs2"]
            self.final_obs = FinalObs(self.num_tasks, capacity)
        self.data = {name: field.zeros(self.num_tasks, capacity) for name, field in fields.items()}
        if self.final_obs:
            self.data["held"] = self.final_obs.held
        self.total = 0  # transitions ever stored, per task

    def __len__(self) -> int:
        return min(self.total, self.capacity)

    @property
    def transition_bytes(self) -> int:
        """Bytes of a transition of every task."""
        return sum(array.nbytes for array in self.data.values()) // self.capacity

    def store(self, **transition: np.ndarray) -> None:
        """Adds one transition per env: arrays `(num_envs, ...)`, the envs of a task side by side.
        Those of several steps may come at once, where observations are no images.

        `done` is 1 for termination only; a truncated step is stored with 0 and its FINAL
        observation. `end` is 1 for both.
        """
        count = len(transition["rew"]) // self.num_tasks
        start = self.total % self.capacity
        if start + count > self.capacity or self.num_tasks > 1:
            rows: Any = np.arange(self.total, self.total + count) % self.capacity
        else:
            rows = slice(start, start + count)
        if self.final_obs:
            self._keep_final(self.final_obs, transition.pop("obs2"))
        for key, value in transition.items():
            array = self.data[key]
            array[:, rows] = np.reshape(value, (self.num_tasks, count, *array.shape[2:]))
        self.total += count

    def _keep_final(self, final_obs: FinalObs, obs2: np.ndarray) -> None:
        """Keeps what every env's new step leads to, and forgets that of the steps before which the
        new rows hold."""
        newest = np.arange(self.total, self.total + self.num_envs) % self.capacity
        before = np.arange(max(0, self.total - self.num_envs), self.total) % self.capacity
        final_obs.drop(before, unless=self.data["end"][:, before] > 0)
        final_obs.put(newest, obs2.reshape(self.num_tasks, self.num_envs, *obs2.shape[1:]))

    def cut(self) -> None:
        """Ends every env's trajectory at its newest transition, as a truncation does."""
        newest = np.arange(self.total - self.num_envs, self.total)
        self.data["end"][:, newest % self.capacity] = 1

    def sample(
        self,
        count: int,
        batch_size: int,
        rng: np.random.Generator,
        scale: Optional[Callable[..., np.ndarray]] = None,
    ) -> tuple[Batch, np.ndarray]:
        """`count` independent batches: each field `(count, *batch_dims, batch_size, ...)`; and the
        rows that they begin at `(count, *batch_dims, batch_size)`.

        Args:
          scale: what is made of each reward before they are summed; see `rewards`.
        """
        rows, weight = self._draw(count, batch_size, rng)
        last, rew, gamma = n_step_return(self, rows, scale)
        picked = Batch(
            obs=self.take("obs", rows),
            act=self.take("act", rows),
            rew=rew,
            obs2=self.take("obs2", last),
            done=self.take("done", last),
            gamma=gamma,
            weight=weight,
        )

        def shaped(field: np.ndarray) -> np.ndarray:
            by_task = field.reshape(self.num_tasks, count, batch_size, *field.shape[2:])
            return by_task.swapaxes(0, 1) if self.batch_dims else by_task[0]

        return map_fields(shaped, picked), shaped(rows)

    def learn(self, number: np.ndarray, error: np.ndarray) -> None:
        """Told the absolute TD errors of sampled transitions, by their `numbers`; uniform replay
        has no use for them."""

    def progress(self, done: float) -> None:
        """Told which share of the run's updates is done; nothing here depends on it."""

    def _draw(
        self, count: int, batch_size: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        rows = rng.integers(0, len(self), (self.num_tasks, count * batch_size))
        return rows, np.ones(rows.shape, np.float32)

    def take(self, key: str, rows: np.ndarray) -> np.ndarray:
        """One field of the transitions at `rows` `(num_tasks, count)`."""
        if key == "obs2" and self.final_obs:
            obs2 = self.take("obs", (rows + self.num_envs) % self.capacity)
            self.final_obs.fill(obs2, rows)
            return obs2
        picked = []
        for task in range(self.num_tasks):
            picked.append(np.take(self.data[key][task], rows[task], axis=0))
        if self.num_tasks == 1:
            return picked[0][None]  # without np.stack's copy
        return np.stack(picked)

    def rewards(
        self, rows: np.ndarray, scale: Optional[Callable[..., np.ndarray]] = None
    ) -> np.ndarray:
        """Rewards of the transitions at `rows`, both `(num_tasks, count)`, or what `scale`, a
        function of rewards of that shape, makes of them."""
        rew = self.take("rew", rows)
        return rew if scale is None else scale(rew)

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """The numbers, in the order of storing, of the transitions that are at `rows` now."""
        newest = self.total - 1
        return rows + (newest - rows) // self.capacity * self.capacity

    def rows(self, first: int, last: int) -> dict[str, np.ndarray]:
        """Copies of the transitions numbered `first <= i < last` since the start, for a
        checkpoint."""
        index = np.arange(first, last) % self.capacity
        rows = {key: array[:, index] for key, array in self.data.items()}
        if self.final_obs:
            rows["final_obs"] = self.final_obs.take(index, self.spec.obs)
        return rows

    def misfit(self, rows: dict[str, Any], count: int) -> str:
        """What is not as `rows` returns it for `count` transitions, in words; "" if nothing."""
        fields = {}
        for name, array in self.data.items():
            fields[name] = Field((self.num_tasks, count, *array.shape[2:]), array.dtype.name)
        if self.final_obs:
            held = int(np.sum(rows.get("held", 0)))
            fields["final_obs"] = Field((held, *self.spec.obs.shape), self.spec.obs.dtype)
        for name, field in fields.items():
            array = rows.get(name)
            if not isinstance(array, np.ndarray) or not field.fits(array):
                return f"{name} is not {field.dtype} {field.shape}"
        return ""

    def put_rows(self, first: int, rows: dict[str, np.ndarray], skipped: int = 0) -> None:
        """Puts back what `rows` returned from transition `first` on, but for the first `skipped`,
        at the places it came from."""
        index = np.arange(first, first + rows["rew"].shape[1]) % self.capacity
        for key, array in self.data.items():
            array[:, index[skipped:]] = rows[key][:, skipped:]
        if self.final_obs:
            self.final_obs.put_back(index, rows["held"], rows["final_obs"])

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs besides the rows."""
        return {}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
