"""Optimisers by name, and the gradient step that every algorithm takes with one."""

import dataclasses
from typing import Any, Callable, Optional

import numpy as np
import tensorflow as tf

from rl import gradients
from rl.config import flag
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
        none: they are summed. make_splitters: function of `slots` to what splits the groups, by name.
    """

    def __init__(
        self,
        lr: float,
        net: Any,
        config: Config = Config(),
        balancers: Optional[dict[str, Any]] = None,
        make_splitters: Callable[[Any], dict[str, Any]] = lambda slots: {},
    ) -> None:
        options = {} if config.optimizer == "sgd" else {"epsilon": config.epsilon}
        if config.weight_decay:
            options["weight_decay"] = config.weight_decay
        self.opt = OPTIMIZERS[config.optimizer](lr, **options)
        self.lr, self.net, self.max_norm = lr, net, config.max_grad_norm
        self.targets, self.balancers = list(net.trainable_variables), balancers or {}
        self.opt.build(self.targets)
        self.splitters = make_splitters(self.slots)

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
        tasks = TaskGradients(self.net, loss_fn, batch, any(own.halves for own in self.splitters.values()))
        info, weights = tasks.info, {}
        for name, splitter in self.splitters.items():
            splitter.observe(tasks, name, batch.get("present"))
        for number, (name, balancer) in enumerate(self.balancers.items()):
            gram, share = tasks.grams[name], tasks.shares[name]
            weight = balancer.weights(info.get(name, tasks.losses), gram, share, batch["seed"] + number)
            weights[name] = weight + tf.zeros(gram.shape[:2])
            rate, cosine = gradients.conflict(gradients.shared_gram(gram, share))
            part = _part(name)
            info |= {f"{part}Conflict": rate, f"{part}Cosine": cosine}
            info[f"{part}Weight"] = tf.reduce_mean(weights[name], axis=0)
        return tasks.weighted(weights), info

    def split(self, count: int) -> dict[str, np.ndarray]:
        """To be told of `count` more steps: splits what is due. Returns the sharing scores to log."""
        for splitter in self.splitters.values():
            splitter.after(count)
        return {f"{_part(name)}Sharing": np.array([own.sharing]) for name, own in self.splitters.items()}

    def slots(self, variable: Any) -> list[Any]:
        """What the optimiser keeps for a variable of the net."""
        # Keras has these in lists beside the list of variables, under names of its own.
        number, lists = [target is variable for target in self.targets].index(True), vars(self.opt).values()
        beside = [own for own in lists if isinstance(own, list) and len(own) == len(self.targets)]
        kept = {id(own[number]): own[number] for own in beside}
        return [slot for slot in kept.values() if slot is not variable and hasattr(slot, "assign")]

    @property
    def step_columns(self) -> dict[str, str]:
        """The columns that `minimise` adds to info."""
        kinds = {"Conflict": "mean", "Cosine": "mean", "Weight": "task"}
        return {_part(name) + column: kind for name in self.balancers for column, kind in kinds.items()}

    @property
    def columns(self) -> dict[str, str]:
        """These and the ones that `split` returns."""
        return self.step_columns | {f"{_part(name)}Sharing": "mean" for name in self.splitters}

    @property
    def variables(self) -> list[Any]:
        """What steps change, besides the targets: slots, the step count, the learning rate, and others' state."""
        others = [*self.balancers.values(), *self.splitters.values()]
        return [*self.opt.variables, *(variable for other in others for variable in other.variables)]


def _part(name: str) -> str:
    """LossPi -> Pi."""
    return name.removeprefix("Loss")
