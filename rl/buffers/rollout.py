"""Storage of a rollout, and its minibatches."""

from typing import Any, Callable, Optional

import numpy as np

from rl.buffers.fields import NUMBER, transition_fields
from rl.spec import EnvSpec, Memory, RolloutBatch

Fields = dict[str, np.ndarray]


class Rollout:
    """The steps since the last update, `(steps, num_envs, ...)`, the envs of a task side by side.
    `time` counts the steps of an episode from 0; `end` is 1 where a trajectory ends, whatever ends
    it.

    Attributes:
      memory: the policy's before the first step.
      steps_per_task: how many steps of each task an epoch of minibatches has, before what is left
        over is dropped.
      present: `(num_tasks,)`, whether a task has steps; None: all have.
    """

    present: Optional[np.ndarray] = None

    def __init__(self, spec: EnvSpec, steps: int, num_envs: int) -> None:
        fields = transition_fields(spec) | {"truncated": NUMBER, "time": NUMBER}
        self.data = {name: field.zeros(steps, num_envs) for name, field in fields.items()}
        self.memory: Memory = ()
        self.dims = spec.batch_dims
        self.steps = steps
        self.filled = 0
        self.steps_per_task = steps * num_envs // (spec.num_tasks or 1)

    @property
    def full(self) -> bool:
        """Whether it has all its steps."""
        return self.filled == self.steps

    def store(self, **step: np.ndarray) -> None:
        """Adds a step of every env."""
        for key, value in step.items():
            self.data[key][self.filled] = value
        self.filled += 1

    def clear(self) -> None:
        """Begins anew."""
        self.filled = 0

    def cut(self) -> None:
        """Ends every env's trajectory at its newest step, as a truncation does."""
        self.data["end"][max(0, self.filled - 1)] = 1

    def flat(self, array: np.ndarray) -> np.ndarray:
        """`(steps, num_envs, ...)` to `(*batch_dims, steps of a task, ...)`."""
        split = array.reshape(self.steps, *self.dims, -1, *array.shape[2:])
        first = np.moveaxis(split, 0, len(self.dims))
        return first.reshape(*self.dims, -1, *array.shape[2:])

    def stacked(self, array: np.ndarray) -> np.ndarray:
        """The inverse of `flat`, for one value per step."""
        split = array.reshape(*self.dims, self.steps, -1)
        return np.moveaxis(split, len(self.dims), 0).reshape(self.steps, -1)

    def mask(self) -> Optional[np.ndarray]:
        """`(*batch_dims, steps of a task)`: where `flat` has steps; None: everywhere."""
        return None

    def by_pieces(self, function: Callable[[Fields], Fields], data: Fields) -> Fields:
        """What `function` makes of fields of `flat`, given to it in pieces of one size, whatever
        this rollout's is."""
        return function(data)

    def order(self, epochs: int, samples: int, rng: np.random.Generator) -> np.ndarray:
        """Places in `flat` `(epochs, *batch_dims, samples)`, in an order of its own for each epoch
        and task."""
        steps = np.tile(np.arange(self.steps_per_task), (epochs, *self.dims, 1))
        return rng.permuted(steps, axis=-1)[..., :samples]

    def minibatch_order(self, epochs: int, size: int, rng: np.random.Generator) -> np.ndarray:
        """Places in `flat` `(epochs * minibatches, *batch_dims, size)` of all minibatches: each
        epoch an order of its own per task.

        What is left over by `size` is dropped.
        """
        count = self.steps_per_task // size
        order = self.order(epochs, count * size, rng)
        order = np.moveaxis(order.reshape(epochs, *self.dims, count, size), -2, 1)
        return order.reshape(-1, *self.dims, size)

    def batches(self, data: Fields, order: np.ndarray) -> RolloutBatch:
        """The steps of `data` at places in `flat`, `(minibatches, *batch_dims, size)`."""
        return RolloutBatch(**{name: pick(rows, order) for name, rows in data.items()})

    def presence(self, count: int) -> Optional[np.ndarray]:
        """`(count, num_tasks)`: whether tasks have samples in each of `count` minibatches; None:
        all have."""
        if self.present is None:
            return None
        return np.tile(self.present.astype(np.float32), (count, 1))

    def repeats(self, order: np.ndarray) -> Optional[np.ndarray]:
        """`(minibatches, num_tasks)`: whether minibatches have a step of a task twice; None: none
        has, since all tasks have as many steps."""
        if self.present is None:
            return None
        in_order = np.sort(order, axis=-1)
        twice = (in_order[..., 1:] == in_order[..., :-1]).any(axis=-1)
        return (twice & self.present).astype(np.float32)

    def visited(self, info: dict[str, np.ndarray], by_task: Any) -> dict[str, np.ndarray]:
        """What to log of an update's `info`: all of it, where every task was visited."""
        del by_task
        return info

    def state(self) -> dict[str, Any]:
        """All there is."""
        return {
            "filled": self.filled,
            "memory": self.memory,
            "data": {key: value[: self.filled] for key, value in self.data.items()},
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        self.filled = state["filled"]
        if isinstance(self.memory, np.ndarray):
            self.memory = state["memory"]
        for key, value in state["data"].items():
            self.data[key][: self.filled] = value


def pick(rows: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Of rows `(*batch_dims, steps, ...)` those at the places `order` `(minibatches, *batch_dims,
    size)`."""
    if order.ndim == 2:
        return _narrow(rows[order])
    tasks = np.arange(len(rows))[:, None]
    return _narrow(rows[tasks, order])


def _narrow(values: np.ndarray) -> np.ndarray:
    """Real numbers as float32; whole ones as they are."""
    return values.astype(np.float32) if values.dtype.kind == "f" else values
