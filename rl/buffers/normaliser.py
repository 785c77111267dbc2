"""Running normalisation of observations and rewards, frozen wherever nobody calls `observe`."""

from typing import Any, Optional

import numpy as np

from rl.buffers.largest_return import LargestReturn
from rl.config import UserError
from rl.flags.normalisation import Config
from rl.spec import EnvSpec

CLIP = 10.0


class RunningMoments:
    """Running mean and variance over all samples so far, float64. Chan et al., 1979: parallel
    variance."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.mean = np.zeros(shape)
        self.var = np.ones(shape)
        self.count: Any = 1e-4

    def update(self, batch: np.ndarray) -> None:
        """Adds samples `(count, *shape)`."""
        self.merge(batch.mean(0, dtype=float), batch.var(0, dtype=float), len(batch))

    def merge(self, mean: np.ndarray, var: np.ndarray, count: Any) -> None:
        """Adds `count` samples of these moments, a number for all or one for each."""
        total = self.count + count
        delta = mean - self.mean
        self.mean = self.mean + delta * count / total
        between = delta**2 * self.count * count / total
        self.var = (self.var * self.count + var * count + between) / total
        self.count = total

    def pool(self, other: "RunningMoments") -> None:
        """Takes the moments of all that `other` has, whatever its shape, for every element."""
        var = np.mean(other.var) + np.var(other.mean)
        self.mean = np.full_like(self.mean, np.mean(other.mean))
        self.var = np.full_like(self.var, var)
        self.count = float(np.mean(other.count))

    @property
    def std(self) -> np.ndarray:
        """Standard deviation, never 0."""
        return np.sqrt(self.var + 1e-8)

    def state(self) -> dict[str, Any]:
        """All there is."""
        return {"mean": self.mean, "var": self.var, "count": self.count}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        self.mean = state["mean"]
        self.var = state["var"]
        self.count = state["count"]


class Normaliser:
    """What networks see of observations and rewards; the identity unless the flags say so.

    Args:
      spec: an EnvSpec. num_envs: in training. gamma: discount of the return whose std scales
        rewards.

    Raises:
      UserError: `obs_norm` for images, or `rew_norm_by` max without a discount.
    """

    def __init__(
        self, spec: EnvSpec, config: Config = Config(), num_envs: int = 1, gamma: float = 0.99
    ) -> None:
        if config.obs_norm and spec.has_images:
            raise UserError(
                f"--obs_norm: observations of {spec.env_id} are images, which networks scale"
            )
        self.config = config
        self.batch_dims = spec.batch_dims
        self.gamma = gamma
        self.seen = RunningMoments(() if spec.has_images else spec.obs.shape)  # observations
        self.earned = RunningMoments(spec.batch_dims)  # discounted returns so far
        self.ret = np.zeros(num_envs)
        self.largest: Optional[LargestReturn] = None  # in place of earned
        if config.rew_norm and config.rew_norm_by == "max":
            self.largest = LargestReturn(spec.batch_dims, num_envs, gamma)

    def observe(
        self,
        obs: np.ndarray,
        rew: Any = None,
        end: Any = False,
        task: Any = None,
        terminated: Any = False,
    ) -> None:
        """Counts in what a step of every env brought: obs `(num_envs, obs_dim)`, rew, end and
        terminated `(num_envs,)`.

        Without `rew` the observations are the first of new episodes. `task` `(num_envs,)` has the
        envs' tasks; without it the envs of a task are side by side.
        """
        if self.config.obs_norm:
            self.seen.update(obs)
        if rew is None:
            self.ret = np.zeros_like(self.ret)
            if self.largest:
                self.largest.begin()
        elif self.largest:
            self.largest.observe(rew, terminated, end, task)
        elif self.config.rew_norm:
            self.ret = self.gamma * self.ret + rew
            if task is None:
                self.earned.update(self.ret.reshape(*self.batch_dims, -1).T)
            else:
                self.earned.merge(*_moments_of(self.ret, task, *self.batch_dims))
            self.ret = np.where(end, 0, self.ret)

    def obs(self, obs: np.ndarray) -> np.ndarray:
        """Observations `(..., *obs.shape)` as networks see them, float32, within +-10."""
        if not self.config.obs_norm:
            return obs
        return np.clip((obs - self.seen.mean) / self.seen.std, -CLIP, CLIP).astype(np.float32)

    def rew(self, rew: np.ndarray, task: Any = None) -> np.ndarray:
        """Single rewards `(..., *batch_dims, batch)` as losses see them, float32, within +-10.

        With `task`, their tasks, both have any one shape.
        """
        if not self.config.rew_norm:
            return rew
        divisor = self.earned.std
        if self.largest:
            divisor = self.largest.size / self.config.return_max
        divisor = divisor[..., None] if task is None else divisor[task]
        return np.clip(rew / divisor, -CLIP, CLIP).astype(np.float32)

    def state(self) -> dict[str, Any]:
        """All that later values depend on."""
        state: dict[str, Any] = {
            "seen": self.seen.state(),
            "earned": self.earned.state(),
            "ret": self.ret,
        }
        if self.largest:
            state["largest"] = self.largest.state()
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        self.seen.load_state(state["seen"])
        self.earned.load_state(state["earned"])
        self.ret = state["ret"]
        if self.largest:
            self.largest.load_state(state["largest"])


def _moments_of(
    values: np.ndarray, task: np.ndarray, num_tasks: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variance and number of each task's values, `(num_tasks,)`; 0 where it has none."""
    sums = lambda weights=None: np.bincount(task, weights, num_tasks)
    count = sums()
    divisor = np.maximum(1, count)
    mean = sums(values) / divisor
    var = sums((values - mean[task]) ** 2) / divisor
    return mean, var, count
