"""Storage of a rollout, generalised advantage estimation, minibatches."""

from typing import Any, Optional

import numpy as np

from rl.spec import EnvSpec, Field, RolloutBatch

NUMBER = Field()  # one for each step


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


def explained_variance(adv: np.ndarray, ret: np.ndarray) -> np.ndarray:
    """The share of the variance of returns that values explain, over the last axis."""
    return 1 - adv.var(-1) / (ret.var(-1) + 1e-8)


def _narrow(values: np.ndarray) -> np.ndarray:
    """Real numbers as float32; whole ones as they are."""
    return values.astype(np.float32) if values.dtype.kind == "f" else values


class Rollout:
    """The steps since the last update, `(steps, num_envs, ...)`, the envs of a task side by side.
    `time` counts the steps of an episode from 0.

    Attributes:
      steps_per_task: how many steps of each task an epoch of minibatches has, before what is left
        over is dropped.
      present: `(num_tasks,)`, whether a task has steps; None: all have.
    """

    present: Optional[np.ndarray] = None

    def __init__(self, spec: EnvSpec, steps: int, num_envs: int) -> None:
        fields = {
            "obs": spec.obs,
            "act": spec.act,
            "rew": NUMBER,
            "obs2": spec.obs,
            "done": NUMBER,
            "end": NUMBER,
            "time": NUMBER,
        }
        self.data = {name: field.zeros(steps, num_envs) for name, field in fields.items()}
        self.dims = spec.batch_dims
        self.steps = steps
        self.filled = 0
        self.steps_per_task = steps * num_envs // (spec.num_tasks or 1)

    def store(self, **step: np.ndarray) -> None:
        """Adds a step of every env."""
        for key, value in step.items():
            self.data[key][self.filled] = value
        self.filled += 1

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

    def evaluate(self, algo: Any, data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What `algo` says of fields of `flat`."""
        return algo.evaluate(**data)

    def explained(self, adv: np.ndarray, ret: np.ndarray) -> np.ndarray:
        """`explained_variance` of each task: `(*batch_dims,)`."""
        return explained_variance(adv, ret)

    def finish(self, algo: Any) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """What minibatches are made of, fields `(*batch_dims, steps of a task, ...)`, and what to
        log."""
        data = {key: self.flat(self.data[key]) for key in ("obs", "obs2", "act", "time")}
        data |= self.evaluate(algo, data)
        value, value2 = (self.stacked(data.pop(key)) for key in ("value", "value2"))
        rew, done, end = (self.data[key] for key in ("rew", "done", "end"))
        gamma = algo.config.gamma
        lam = algo.config.lam
        adv = gae(rew, value, value2, done, end, gamma, lam)
        ret = self.flat(adv + value)
        data["adv"] = self.flat(adv)
        if algo.baseline is None:
            data["ret"] = algo.targets(ret, self.mask())
        else:
            sums = gae(rew, value, value2, done, end, gamma, 1.0) + value
            algo.baseline.fit(data["obs"], data["time"], self.flat(sums), self.mask())
        del data["obs2"], data["time"]
        self.filled = 0
        return data, {"VVals": value, "ExplainedVar": self.explained(data["adv"], ret)}

    def order(self, epochs: int, samples: int, rng: np.random.Generator) -> np.ndarray:
        """Places in `flat` `(epochs, *batch_dims, samples)`, in an order of its own for each epoch
        and task."""
        steps = np.tile(np.arange(self.steps_per_task), (epochs, *self.dims, 1))
        return rng.permuted(steps, axis=-1)[..., :samples]

    def minibatches(
        self, data: dict[str, np.ndarray], epochs: int, size: int, rng: np.random.Generator
    ) -> RolloutBatch:
        """Fields `(epochs * minibatches, *batch_dims, size, ...)`: each epoch an order of its own
        per task.

        What is left over by `size` is dropped.
        """
        count = self.steps_per_task // size
        order = self.order(epochs, count * size, rng)
        order = np.moveaxis(order.reshape(epochs, *self.dims, count, size), -2, 1).reshape(
            -1, *self.dims, size
        )
        index = (np.arange(self.dims[0])[:, None], order) if self.dims else (order,)
        picked = {name: _narrow(rows[index]) for name, rows in data.items()}
        return RolloutBatch(**picked)

    def presence(self, count: int) -> Optional[np.ndarray]:
        """`(count, num_tasks)`: whether tasks have samples in each of `count` minibatches; None:
        all have."""
        if self.present is None:
            return None
        return np.tile(self.present.astype(np.float32), (count, 1))

    def visited(self, info: dict[str, np.ndarray], by_task: Any) -> dict[str, np.ndarray]:
        """What to log of an update's `info`: all of it, where every task was visited."""
        del by_task
        return info

    def state(self) -> dict[str, Any]:
        """All there is."""
        return {
            "filled": self.filled,
            "data": {key: value[: self.filled] for key, value in self.data.items()},
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        self.filled = state["filled"]
        for key, value in state["data"].items():
            self.data[key][: self.filled] = value
