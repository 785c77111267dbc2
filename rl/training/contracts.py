"""What loops need of policies and algorithms; of envs they need `rl.envs.VectorEnv`."""

from typing import Any, Optional, Protocol

import numpy as np

from rl.buffers.rollout import Rollout
from rl.spec import EnvSpec, Memory, Update

Arrays = dict[str, np.ndarray]


class Policy(Protocol):
    """What acts: `rl.networks.policy.Policy` on normalised observations by task, EnvPolicy on those
    of a vector env."""

    def initial_memory(self, num_envs: int) -> Memory:
        """What `num_envs` envs begin with."""

    def act(
        self,
        obs: np.ndarray,
        memory: Memory,
        start: np.ndarray,
        rng: Optional[np.random.Generator] = None,
    ) -> tuple[np.ndarray, Memory]:
        """Actions, and the memory to act by next; `start` is true at first steps of episodes.
        Deterministic without an `rng`, else exploring."""


class Learner(Protocol):
    """An algorithm, as every loop knows it. `columns` are names of what it logs and their kinds."""

    spec: EnvSpec
    config: Any
    policy: Policy
    columns: dict[str, str]

    def update(self, batches: Any, updates: Update, count: int) -> Arrays:
        """Takes `count` steps on the first `count` of `batches`, each told its Update. Returns what
        to log of each."""

    def refresh(self) -> None:
        """Lets `policy` follow the updates so far."""

    def splits(self) -> dict[str, Any]:
        """What split so far, as JSON values."""

    def masks(self) -> dict[str, Any]:
        """Which weights tasks use, as a tree of arrays; empty where they use all."""

    def parameters(self) -> int:
        """How many numbers of its networks some task uses; of several tasks."""

    def state(self) -> dict[str, Any]:
        """All that updates and acting change."""

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""


class OnPolicyLearner(Learner, Protocol):
    """An algorithm that learns from whole rollouts."""

    def prepare(self, rollout: Rollout) -> tuple[Arrays, Arrays]:
        """What minibatches are made of, by the rollout's `flat`, and what to log."""
