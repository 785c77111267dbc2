"""Optimisers by name, and the gradient step that every algorithm takes with one."""

import dataclasses
from typing import Any, Sequence

import numpy as np
import tensorflow as tf

from rl.flags.optimizer import PARAMETERS, Config
from rl.gradients import steps
from rl.gradients.per_task import Info, LossFn
from rl.spec import Update

OPTIMIZERS: dict[str, Any] = {
    "adam": steps.Adam,
    # Keras' AdamW is this with a weight_decay of 0.004, and it can't be without one.
    "adamw": steps.Adam,
    "rmsprop": steps.RMSprop,
    "sgd": steps.SGD,
}


class Optimizer:
    """One Keras optimiser for a network, with a base learning rate `lr` that each Update scales by
    its own.

    Only kernels decay: biases, stds, temperatures, and the codes and mixes of tasks have no reason
    to be near 0.

    Losses of several tasks are summed, not averaged. The norm that `max_grad_norm` bounds is of the
    sum, and so grows with their number; see rl.gradients.per_task.

    Args:
      net: has `trainable_variables`; the names of its kernels begin with "kernel".
      apart: those of its trainable variables that are another optimiser's.

    Attributes:
      targets: the variables that it steps.
    """

    def __init__(
        self, lr: float, net: Any, config: Config = Config(), apart: Sequence[Any] = ()
    ) -> None:
        self.lr = lr
        self.net = net
        self.max_norm = config.max_grad_norm
        others = {id(variable) for variable in apart}
        self.targets = [v for v in net.trainable_variables if id(v) not in others]
        options = {name: getattr(config, name) for name in PARAMETERS[config.optimizer]}
        options["weight_decay"] = config.weight_decay or None
        self.opt = OPTIMIZERS[config.optimizer](lr, **options)
        exempt = [target for target in self.targets if not target.name.startswith("kernel")]
        self.opt.exclude_from_weight_decay(exempt)
        self.opt.build(self.targets)
        self.step_columns: dict[str, str] = {}  # that `minimise` adds to the loss function's info
        self.columns: dict[str, str] = {}  # that `minimise` and `after` add

    def minimise(self, loss_fn: LossFn, update: Update) -> Info:
        """One step down the gradient of the loss. Returns the loss function's info.

        Args:
          loss_fn: function without arguments, to losses `()` or `(num_tasks,)` and an info dict.
        """
        grads, info = self.gradients(loss_fn, update)
        self.step(grads, update)
        return info

    def step(self, grads: list[tf.Tensor], update: Update) -> None:
        """A step down the gradients of `targets`."""
        if self.max_norm:
            grads, _ = tf.clip_by_global_norm(grads, self.max_norm)
        # Else XLA copies each kernel that it updates while another gradient reads it.
        zero = _zero_that_needs(grads)
        self.opt.learning_rate.assign(self.lr * update.lr)
        self.opt.apply([grad + zero for grad in grads], self.targets)

    def gradients(self, loss_fn: LossFn, update: Update) -> tuple[list[tf.Tensor], Info]:
        """The gradient with respect to each of `targets`, summed over tasks if there are
        several."""
        del update
        with tf.GradientTape() as tape:
            loss, info = loss_fn()
        return tape.gradient(loss, self.targets), info

    def after(self, count: int) -> dict[str, np.ndarray]:
        """To be told of `count` more steps, outside compiled functions: changes how the network is
        made up where that is due. Returns values to log; here nothing ever changes."""
        del count
        return {}

    def follow(self) -> None:
        """To be told, before the first step, that the network was given another structure."""

    def start_over(self) -> None:
        """Forgets all steps so far, as a new optimiser; outside compiled functions."""
        for variable in self.opt.variables:
            if variable is not self.opt.learning_rate:
                variable.assign(tf.zeros_like(variable))

    def report(self) -> dict[str, Any]:
        """What changed so far, group of the network -> JSON values."""
        return {}

    def on_host(self) -> dict[str, Any]:
        """What `after` depends on beside `variables`: parts with `state` and `load_state`."""
        return {}

    @property
    def variables(self) -> list[Any]:
        """What steps change, besides the targets."""
        return list(self.opt.variables)


def _zero_that_needs(grads: Sequence[tf.Tensor]) -> tf.Tensor:
    """A scalar 0 that is there once all of `grads` are."""
    # Made once: `[0]` would trace three constants for each gradient.
    flat = tf.constant([-1])
    start = tf.constant([0])
    length = tf.constant([1])
    firsts = [tf.slice(tf.reshape(grad, flat), start, length) for grad in grads]
    return 0 * tf.reshape(tf.add_n(firsts), [])


@dataclasses.dataclass(frozen=True)
class Optimizers:
    """Makes the optimisers of an algorithm's networks: those of a single task, or of tasks whose
    losses are summed."""

    config: Config = Config()

    def make(self, lr: float, net: Any, targ: Any = None) -> Optimizer:
        """The optimiser of `net`; `targ` is its target network, if it has one."""
        del targ
        return Optimizer(lr, net, self.config)
