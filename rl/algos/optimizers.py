"""Optimisers by name, and the gradient step that every algorithm takes with one."""

from typing import Any

import tensorflow as tf

from rl.flags.optimizer import PARAMETERS, Config
from rl.gradients.per_task import Info, LossFn

OPTIMIZERS: dict[str, Any] = {
    "adam": tf.keras.optimizers.Adam,
    "adamw": tf.keras.optimizers.AdamW,
    "rmsprop": tf.keras.optimizers.RMSprop,
    "sgd": tf.keras.optimizers.SGD,
}


class Optimizer:
    """One Keras optimiser for a network, with a base learning rate `lr` that each batch scales by
    its `lr` field.

    Args:
      net: has `trainable_variables`.
    """

    def __init__(self, lr: float, net: Any, config: Config = Config()) -> None:
        options = {name: getattr(config, name) for name in PARAMETERS[config.optimizer]}
        if config.weight_decay:
            options["weight_decay"] = config.weight_decay
        self.opt = OPTIMIZERS[config.optimizer](lr, **options)
        self.lr, self.net, self.max_norm = lr, net, config.max_grad_norm
        self.targets = list(net.trainable_variables)
        self.opt.build(self.targets)
        self.step_columns: dict[str, str] = {}  # that `minimise` adds to the loss function's info

    def minimise(self, loss_fn: LossFn, batch: Any) -> Info:
        """One step down the gradient of `loss_fn(batch)`. Returns the loss function's info."""
        grads, info = self.gradients(loss_fn, batch)
        if self.max_norm:
            grads, _ = tf.clip_by_global_norm(grads, self.max_norm)
        # A zero that needs every gradient: else XLA copies each kernel that it updates while
        # another gradient reads it.
        zero = 0 * tf.add_n([tf.reshape(grad, [-1])[0] for grad in grads])
        self.opt.learning_rate.assign(self.lr * batch["lr"])
        self.opt.apply([grad + zero for grad in grads], self.targets)
        return info

    def gradients(self, loss_fn: LossFn, batch: Any) -> tuple[list[tf.Tensor], Info]:
        """The gradient with respect to each of `targets`, summed over tasks if there are
        several."""
        with tf.GradientTape() as tape:
            loss, info = loss_fn(batch)
        return tape.gradient(loss, self.targets), info

    @property
    def variables(self) -> list[Any]:
        """What steps change, besides the targets."""
        return list(self.opt.variables)
