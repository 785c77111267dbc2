"""The optimiser of what says how networks are made up."""

from typing import Any, Sequence

import tensorflow as tf

from rl.gradients.steps import Adam
from rl.spec import Update


class Structure:
    """Adam for the logits from which networks are drawn.

    Args:
      targets: the logits. lr: learning rate, which each Update scales by its own.
    """

    def __init__(self, targets: Sequence[Any], lr: float) -> None:
        self.targets = list(targets)
        self.lr = lr
        self.opt = Adam(lr)
        self.opt.build(self.targets)

    def step(self, grads: list[tf.Tensor], update: Update) -> None:
        """A step down the gradients of `targets`."""
        self.opt.learning_rate.assign(self.lr * update.lr)
        self.opt.apply(grads, self.targets)

    @property
    def variables(self) -> list[Any]:
        """What steps change, besides the targets."""
        return list(self.opt.variables)
