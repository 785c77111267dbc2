"""How a policy acts in a vector env, whose envs may be of several tasks."""

from typing import NamedTuple, Optional, Protocol

import numpy as np

from rl.buffers.normaliser import Normaliser
from rl.spec import EnvSpec, Memory
from rl.training.contracts import Policy


class Placed(Protocol):
    """Envs that have their places among tasks, as a VectorEnv's have."""

    @property
    def spec(self) -> EnvSpec:
        """Theirs."""

    @property
    def task(self) -> Optional[np.ndarray]:
        """`(num_envs,)`, the task of each; None: those of a task are side by side."""


class Placement(NamedTuple):
    """The places of envs that somebody else steps; see Placed."""

    spec: EnvSpec
    task: Optional[np.ndarray]


class EnvPolicy:
    """A policy from what a vector env observes, `(num_envs, ...)`, to unit actions `(num_envs,
    act_dim)`, which `spec.env_action` turns into the env's own.

    Where envs go from task to task it acts for every env in every task, and its action in the task
    where the env is counts.

    Args:
      policy: for normalised observations by task. env: a VectorEnv, or a Placement.
      normaliser: of observations.
    """

    def __init__(self, policy: Policy, env: Placed, normaliser: Normaliser) -> None:
        self.policy = policy
        self.env = env
        self.normaliser = normaliser

    def initial_memory(self, num_envs: int) -> Memory:
        """What `num_envs` envs, of all tasks together, begin with."""
        if self.env.task is not None:
            num_envs *= len(self.env.spec.tasks)
        return self.policy.initial_memory(num_envs)

    def act(
        self,
        obs: np.ndarray,
        memory: Memory,
        start: np.ndarray,
        rng: Optional[np.random.Generator] = None,
    ) -> tuple[np.ndarray, Memory]:
        """Actions `(num_envs, act_dim)` and the memory to act by next; see Policy."""
        return self.act_on(self.normaliser.obs(obs), memory, start, rng)

    def act_on(
        self,
        seen: np.ndarray,
        memory: Memory,
        start: np.ndarray,
        rng: Optional[np.random.Generator] = None,
    ) -> tuple[np.ndarray, Memory]:
        """The same for observations that are normalised already."""
        spec = self.env.spec
        task = self.env.task
        rows = to_tasks(seen, spec, task)
        act, memory = self.policy.act(rows, memory, to_tasks(start, spec, task), rng)
        return from_tasks(act, spec, task), memory


def to_tasks(rows: np.ndarray, spec: EnvSpec, task: Optional[np.ndarray] = None) -> np.ndarray:
    """Rows of envs `(num_envs, ...)` by task, as networks take them: `(*batch_dims, envs, ...)`.

    Args:
      task: `(num_envs,)`, where envs go from task to task. Every env then has a place in every
        task, which holds zeros but in its own. Without it the envs of a task are side by side.
    """
    if task is None:
        return rows.reshape(*spec.batch_dims, -1, *rows.shape[1:])
    placed = np.zeros((len(spec.tasks), *rows.shape), rows.dtype)
    placed[task, np.arange(len(rows))] = rows
    return placed


def from_tasks(values: np.ndarray, spec: EnvSpec, task: Optional[np.ndarray] = None) -> np.ndarray:
    """The inverse of `to_tasks`: each env's own of values `(*batch_dims, envs, ...)`."""
    if task is None:
        return values.reshape(-1, *values.shape[len(spec.batch_dims) + 1 :])
    return values[task, np.arange(values.shape[1])]
