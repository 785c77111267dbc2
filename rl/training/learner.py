"""What loops need of an algorithm."""

from typing import Any, Protocol

import numpy as np

from rl.buffers.rollout import Rollout
from rl.spec import EnvSpec
from rl.training.policy import Policy

Arrays = dict[str, np.ndarray]


class Learner(Protocol):
    """An algorithm, as every loop knows it. `columns` are names of what it logs and their kinds."""

    spec: EnvSpec
    config: Any
    policy: Policy
    columns: dict[str, str]

    def update(self, batches: Arrays, count: int) -> Arrays:
        """Takes `count` steps on the first `count` of `batches`. Returns what to log of each."""

    def refresh(self) -> None:
        """Lets `policy` follow the updates so far."""

    def splits(self) -> dict[str, Any]:
        """What split so far, as JSON values."""

    def state(self) -> dict[str, Any]:
        """All that updates and acting change."""

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""


class OnPolicyLearner(Learner, Protocol):
    """An algorithm that learns from whole rollouts."""

    def prepare(self, rollout: Rollout) -> tuple[Arrays, Arrays]:
        """What minibatches are made of, by the rollout's `flat`, and what to log."""
