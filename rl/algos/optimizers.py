"""Optimisers by name, and the gradient step that every algorithm takes with one."""

import dataclasses
from typing import Any, Callable, Optional

import tensorflow as tf

from rl import gradients
from rl.config import UserError, flag
from rl.gradients.per_task import Info, LossFn, TaskGradients

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
    gradient_stats: bool = flag(False, "log how the tasks' gradients conflict even where they are summed")


class Optimizer:
    """One Keras optimiser for a network, with a base learning rate `lr` that each batch scales by its `lr` field.

    Args:
      net: has `trainable_variables`. balancers: for each of `net.groups` what weighs the tasks' gradients;
        none: they are summed.
    """

    def __init__(self, lr: float, net: Any, config: Config = Config(), balancers: Optional[dict[str, Any]] = None):
        options = {} if config.optimizer == "sgd" else {"epsilon": config.epsilon}
        if config.weight_decay:
            options["weight_decay"] = config.weight_decay
        self.opt = OPTIMIZERS[config.optimizer](lr, **options)
        self.lr, self.net, self.max_norm = lr, net, config.max_grad_norm
        self.targets, self.balancers = list(net.trainable_variables), balancers or {}
        self.opt.build(self.targets)

    def minimise(self, loss_fn: LossFn, batch: Any) -> Info:
        """One step down the gradient of `loss_fn(batch)`. Returns the loss function's info."""
        grads, info = self._by_task(loss_fn, batch) if self.balancers else self._summed(loss_fn, batch)
        if self.max_norm:
            grads, _ = tf.clip_by_global_norm(grads, self.max_norm)
        # A zero that needs every gradient: else XLA copies each kernel that it updates while another gradient reads it.
        zero = 0 * tf.add_n([tf.reshape(grad, [-1])[0] for grad in grads])
        self.opt.learning_rate.assign(self.lr * batch["lr"])
        self.opt.apply([grad + zero for grad in grads], self.targets)
        curious = {name: balancer for name, balancer in self.balancers.items() if balancer.needs_losses_after}
        after = loss_fn(batch)[1] if curious else {}
        for name, balancer in curious.items():
            balancer.after(info[name], after[name])
        return info

    def _summed(self, loss_fn: LossFn, batch: Any) -> tuple[list[tf.Tensor], Info]:
        with tf.GradientTape() as tape:
            loss, info = loss_fn(batch)
        return tape.gradient(loss, self.targets), info

    def _by_task(self, loss_fn: LossFn, batch: Any) -> tuple[list[tf.Tensor], Info]:
        tasks, weights = TaskGradients(self.net, loss_fn, batch), {}
        info = tasks.info
        for number, (name, balancer) in enumerate(self.balancers.items()):
            gram, share = tasks.grams[name], tasks.shares[name]
            weight = balancer.weights(info.get(name, tasks.losses), gram, share, batch["seed"] + number)
            weights[name] = weight + tf.zeros(gram.shape[:2])
            rate, cosine = gradients.conflict(gradients.shared_gram(gram, share))
            part = name.removeprefix("Loss")
            info |= {f"{part}Conflict": rate, f"{part}Cosine": cosine}
            info[f"{part}Weight"] = tf.reduce_mean(weights[name], axis=0)
        return tasks.weighted(weights), info

    @property
    def columns(self) -> dict[str, str]:
        """The columns that `minimise` adds to info."""
        parts = [name.removeprefix("Loss") for name in self.balancers]
        kinds = {"Conflict": "mean", "Cosine": "mean", "Weight": "task"}
        return {part + column: kind for part in parts for column, kind in kinds.items()}

    @property
    def variables(self) -> list[Any]:
        """What steps change, besides the targets: slots, the step count, the learning rate, the balancers' state."""
        return [*self.opt.variables, *(v for balancer in self.balancers.values() for v in balancer.variables)]


def optimizer_maker(
    config: Config, balancing: gradients.Config = gradients.Config(), num_tasks: Optional[int] = None
) -> Callable[[float, Any], Optimizer]:
    """A function `make_opt(lr, net)` for the algorithm's constructor.

    Raises:
      UserError: a method for several tasks, and `num_tasks` is None.
    """
    if num_tasks is None and balancing.gradient != "sum":
        raise UserError(f"--gradient {balancing.gradient} is for several tasks, and this env has one")
    wanted = num_tasks is not None and (balancing.gradient != "sum" or config.gradient_stats)

    def make_opt(lr: float, net: Any) -> Optimizer:
        balancers = {}
        for name in getattr(net, "groups", ()) if wanted else ():
            plain = name not in ("LossQ", "LossV") and gradients.GRADIENTS[balancing.gradient].critic_only
            method = dataclasses.replace(balancing, gradient="sum") if plain else balancing
            balancers[name] = gradients.make_balancer(num_tasks or 1, method)
        return Optimizer(lr, net, config, balancers)

    return make_opt
