"""Every task's gradient in one backward pass, and their weighted sum without another.

Each task's parameters E are made from the variables (stage 1), the losses from E (stage 2). The
gradient of the summed losses with respect to E holds all task gradients G, because row t of E is in
the loss of task t alone; the transpose of stage 1 takes `weights * G` to the variables.
"""

import contextlib
from typing import Any, Callable

import tensorflow as tf

Info = dict[str, tf.Tensor]
LossFn = Callable[[Any], tuple[tf.Tensor, Info]]


class TaskGradients:
    """The gradient of each task's loss with respect to its own parameters of `net`.

    Args:
      net: has `groups`: name -> list of TaskNets.
      loss_fn: function of `batch` to losses `(num_tasks,)` and info.
      halves: also tell the halves of the batch apart, whose size is even; the whole's gradient is the mean of theirs.

    Attributes:
      losses, info: what `loss_fn` returned.
      grams: group -> `(regions, num_tasks, num_tasks)`, inner products of the tasks' gradients.
      crosses: the same of the first half's gradients and the second's; empty without `halves`.
      shares: group -> the same shape, 1 where two tasks have a region's parameters in common.
    """

    def __init__(self, net: Any, loss_fn: LossFn, batch: Any, halves: bool = False) -> None:
        torsos = [torso for group in net.groups.values() for torso in group]
        self.variables, self.regions, self.parts = net.trainable_variables, {}, 1 + halves
        with tf.GradientTape() as self.tape:
            params = [self._expand(torso) for torso in torsos]
            self.params = tf.nest.flatten(params)
        with tf.GradientTape() as tape, contextlib.ExitStack() as stack:
            tape.watch(self.params)
            for torso, own in zip(torsos, params):
                stack.enter_context(torso.using(own, halves))
            self.losses, self.info = loss_fn(batch)
        grads = iter(tape.gradient(self.losses, self.params, unconnected_gradients=tf.UnconnectedGradients.ZERO))
        self.grams, self.crosses, self.shares = {}, {}, {}
        for name, group in net.groups.items():
            regions = [[(b, next(grads)) for b in region] for torso in group for region in torso.regions]
            products = tf.concat([self._products(region) for region in regions], axis=0)
            self.regions[name], self.grams[name] = regions, tf.reduce_sum(products, axis=(2, 4))
            self.shares[name] = tf.concat([region[0][0].share() for region in regions], axis=0)
            if halves:
                self.crosses[name] = 4 * products[:, :, 0, :, 1]  # a half's part of the whole is half its gradient

    def _expand(self, torso: Any) -> list[list[tf.Tensor]]:
        params = torso.expand()
        if self.parts == 1:
            return params
        pairs = [zip(banks, own) for banks, own in zip(torso.regions, params)]
        return [[tf.repeat(param, self.parts, axis=bank.axis) for bank, param in pair] for pair in pairs]

    def _products(self, region: list[tuple[Any, tf.Tensor]]) -> tf.Tensor:
        """`(regions, num_tasks, parts, num_tasks, parts)`: of the gradients of a region, or several."""
        rows = [bank.rows(gradient) for bank, gradient in region]
        products = tf.add_n([tf.reduce_sum(tf.matmul(own, own, transpose_b=True), axis=1) for own in rows])
        side = (products.shape[-1] // self.parts, self.parts)
        return tf.reshape(products, (-1, *side, *side))

    def sums(self, name: str) -> tf.Tensor:
        """`(regions, num_tasks)`: the components of each task's gradient of a group's regions, added up."""
        regions = [
            tf.add_n([tf.reduce_sum(b.rows(g), axis=(1, 3)) for b, g in region]) for region in self.regions[name]
        ]
        rows = tf.concat(regions, axis=0)
        return tf.reduce_sum(tf.reshape(rows, (rows.shape[0], -1, self.parts)), axis=-1)

    def weighted(self, weights: dict[str, tf.Tensor]) -> list[tf.Tensor]:
        """For each variable the sum of the task gradients with weights `(regions, num_tasks)` of each group."""
        scaled = []
        for name, group in self.regions.items():
            counts = [region[0][0].count for region in group]
            for weight, region in zip(tf.split(weights[name], counts), group):
                weight = tf.repeat(weight, self.parts, axis=1)
                scaled += [bank.scaled(weight, gradient) for bank, gradient in region]
        return self.tape.gradient(self.params, self.variables, output_gradients=scaled)
