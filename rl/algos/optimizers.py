"""Optimisers by name, and the gradient step that every algorithm takes with one."""

import dataclasses
from typing import Any, Callable

import tensorflow as tf

from rl.config import flag

OPTIMIZERS: dict[str, Any] = {
    "adam": tf.keras.optimizers.Adam,
    "adamw": tf.keras.optimizers.AdamW,
    "rmsprop": tf.keras.optimizers.RMSprop,
    "sgd": tf.keras.optimizers.SGD,
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Optimiser flags; the learning rates are each algorithm's own."""

    optimizer: str = flag("adam", "optimiser of every network", choices=tuple(OPTIMIZERS))
    epsilon: float = flag(1e-7, "added to the root mean square of gradients (not sgd)", above=0)
    weight_decay: float = flag(0.0, "decoupled weight decay, per step and unit of learning rate", low=0)
    max_grad_norm: float = flag(0.0, "longest gradient of a network, longer ones are scaled to it; 0: any", low=0)


class Optimizer:
    """One Keras optimiser for `variables`, with a base learning rate `lr` that each batch scales by its `lr` field."""

    def __init__(self, lr: float, variables: list[Any], config: Config = Config()) -> None:
        options = {} if config.optimizer == "sgd" else {"epsilon": config.epsilon}
        if config.weight_decay:
            options["weight_decay"] = config.weight_decay
        self.opt = OPTIMIZERS[config.optimizer](lr, **options)
        self.lr, self.targets, self.max_norm = lr, list(variables), config.max_grad_norm
        self.opt.build(self.targets)

    def minimise(self, loss_fn: Callable[[Any], tuple[tf.Tensor, dict[str, tf.Tensor]]], batch: Any) -> Any:
        """One step down the gradient of `loss_fn(batch)`, summed over tasks. Returns the loss function's info."""
        with tf.GradientTape() as tape:
            loss, info = loss_fn(batch)
        grads = tape.gradient(loss, self.targets)
        if self.max_norm:
            grads, _ = tf.clip_by_global_norm(grads, self.max_norm)
        # A zero that needs every gradient: else XLA copies each kernel that it updates while another gradient reads it.
        zero = 0 * tf.add_n([tf.reshape(grad, [-1])[0] for grad in grads])
        self.opt.learning_rate.assign(self.lr * batch["lr"])
        self.opt.apply([grad + zero for grad in grads], self.targets)
        return info

    @property
    def variables(self) -> list[Any]:
        """What steps change, besides the targets: slots, the step count, the learning rate."""
        return self.opt.variables


def optimizer_maker(config: Config) -> Callable[[float, list[Any]], Optimizer]:
    """A function `make_opt(lr, variables)` for the algorithm's constructor."""
    return lambda lr, variables: Optimizer(lr, variables, config)
