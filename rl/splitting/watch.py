"""What changes how a network is made up while it trains."""

from typing import Any, Mapping

import numpy as np
import tensorflow as tf

from rl.gradients.per_task import InnerSteps, TaskGradients
from rl.spec import Update

# What learns in an update: weights and the logits that say how the network is made up, or one of
# them.
BOTH, WEIGHTS, STRUCTURE = range(3)


class Watch:
    """Watches the updates of one group of a network's torsos, changes what their tasks use of them,
    and reports what it decided.

    Attributes:
      columns: what `values` has, name -> how it is averaged, as Algorithm's.
      halves: whether gradients of the halves of batches are needed.
      inner_steps: that tasks take before their losses count; alike for all groups of a network.
      rewound: whether the last `after` took weights back to what they were, so that the optimiser
        is to start over with them.
      turn: where torsos have `structure`: what learns, BOTH, WEIGHTS or STRUCTURE, int32 `()`.
    """

    columns: Mapping[str, str] = {}
    halves = False
    inner_steps = InnerSteps()
    rewound = False
    turn: Any = None

    def begin(self, update: Update) -> None:
        """Runs inside compiled updates, before the losses."""
        del update

    def observe(self, tasks: TaskGradients, name: str, present: Any = None) -> None:
        """Counts in the gradients of the group `name`; `present` is the update's. Runs inside
        compiled updates."""
        del tasks, name, present

    def penalty(self, losses: tf.Tensor, present: Any = None) -> tf.Tensor:
        """`()`, what is added to the losses `(num_tasks,)` for the logits that say how the network
        is made up; `present` is the update's."""
        del losses, present
        return tf.constant(0.0)

    def follow(self) -> None:
        """To be told, before the first update, that torsos were given another structure: goes on
        from that."""

    def after(self, count: int) -> None:
        """To be told of a burst of `count` more updates, outside compiled functions: changes what
        is due."""
        raise NotImplementedError

    def values(self) -> dict[str, np.ndarray]:
        """What to log after a burst, each `(1, ...)`."""
        return {}

    def report(self) -> dict[str, Any]:
        """What was decided so far, as JSON values."""
        raise NotImplementedError

    @property
    def variables(self) -> list[Any]:
        """What updates change, and what they read of what was decided, besides the networks'."""
        return []

    def state(self) -> dict[str, Any]:
        """All there is, besides the variables."""
        raise NotImplementedError

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`; the networks', maps included, comes first."""
        raise NotImplementedError


def presence(present: Any, num_tasks: int) -> tf.Tensor:
    """An update's field of that name `(num_tasks,)`, 1 for tasks that have samples in the batch;
    None: all have."""
    return tf.ones(num_tasks) if present is None else tf.cast(present, tf.float32)
