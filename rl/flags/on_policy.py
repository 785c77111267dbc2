"""Flags of the on-policy loop."""

import dataclasses

from rl.config import flag


@dataclasses.dataclass(frozen=True)
class Config:
    """The on-policy loop's flags."""

    rollout_steps: int = flag(2048, "steps of each env between two updates", low=1)
    update_epochs: int = flag(10, "passes over a rollout in an update", low=1)
    batch_size: int = flag(64, "steps in a minibatch, per task", low=1)
