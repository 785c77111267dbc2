"""Every task's gradient in one backward pass, and their weighted sum without another.

Each task's parameters E are made from the variables (stage 1), the losses from E (stage 2). The
gradient of the summed losses with respect to E holds all task gradients G, because row t of E is in
the loss of task t alone; the transpose of stage 1 takes `weights * G` to the variables.
"""

import contextlib
import math
from typing import Any, Callable

import tensorflow as tf

Info = dict[str, tf.Tensor]
LossFn = Callable[[Any], tuple[tf.Tensor, Info]]


class TaskGradients:
    """The gradient of each task's loss with respect to its own parameters of `net`.

    Args:
      net: has `groups`: name -> list of TaskNets.
      loss_fn: function of `batch` to losses `(num_tasks,)` and info.

    Attributes:
      losses, info: what `loss_fn` returned.
      grams: group -> `(regions, num_tasks, num_tasks)`, inner products of the tasks' gradients.
      shares: group -> the same shape, 1 where two tasks have a region's parameters in common.
    """

    def __init__(self, net: Any, loss_fn: LossFn, batch: Any) -> None:
        torsos = [torso for group in net.groups.values() for torso in group]
        self.variables, self.regions = net.trainable_variables, {}
        with tf.GradientTape() as self.tape:
            params = [torso.expand() for torso in torsos]
            self.params = tf.nest.flatten(params)
        with tf.GradientTape() as tape, contextlib.ExitStack() as stack:
            tape.watch(self.params)
            for torso, own in zip(torsos, params):
                stack.enter_context(torso.using(own))
            self.losses, self.info = loss_fn(batch)
        grads = iter(tape.gradient(self.losses, self.params, unconnected_gradients=tf.UnconnectedGradients.ZERO))
        for name, group in net.groups.items():
            self.regions[name] = [[(b, next(grads)) for b in region] for torso in group for region in torso.regions]
        self.grams = {name: tf.stack([gram(region) for region in group]) for name, group in self.regions.items()}
        self.shares = {
            name: tf.stack([region[0][0].share() for region in group]) for name, group in self.regions.items()
        }

    def weighted(self, weights: dict[str, tf.Tensor]) -> list[tf.Tensor]:
        """For each variable the sum of the task gradients with weights `(regions, num_tasks)` of each group."""
        scaled = []
        for name, group in self.regions.items():
            for weight, region in zip(tf.unstack(weights[name]), group):
                scaled += [tf.reshape(weight, (-1, *[1] * (len(g.shape) - bank.axis - 1))) * g for bank, g in region]
        return self.tape.gradient(self.params, self.variables, output_gradients=scaled)


def gram(region: list[tuple[Any, tf.Tensor]]) -> tf.Tensor:
    """Inner products `(num_tasks, num_tasks)` of the tasks' gradients of a region, a list of (bank, gradient)."""
    products = []
    for bank, gradient in region:
        rows = tf.reshape(gradient, (math.prod(gradient.shape[: bank.axis]), bank.num_tasks, -1))
        products.append(tf.reduce_sum(tf.matmul(rows, rows, transpose_b=True), axis=0))
    return tf.add_n(products)
