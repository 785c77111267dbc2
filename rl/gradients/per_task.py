"""Every task's gradient in one backward pass, and their weighted sum without another.

Each task's parameters E are made from the variables (stage 1), the losses from E (stage 2). The
gradient of the summed losses with respect to E holds all task gradients G, because row t of E is in
the loss of task t alone; the transpose of stage 1 takes `weights * G` to the variables. Where
stage 1 also reads numbers that a task has for itself, as PaCo's mix, these get G as it is.

The tasks' gradients are summed, not averaged, so that a task learns as fast as it would alone, and
the joined gradient grows with the number of tasks: T times as long where they agree, about sqrt(T)
times where they don't. `--max_grad_norm` is of that sum.
"""

import contextlib
from typing import Any, Callable, Iterator, NamedTuple, Optional, Sequence

import tensorflow as tf

from rl.gradients.halves import Halves, samples

Info = dict[str, tf.Tensor]
LossFn = Callable[[], tuple[tf.Tensor, Info]]
# Inner products are taken of so many numbers at once: those of 50 tasks' layers take four times as
# long in one piece, which doesn't fit the processor's cache.
PIECE = 2**18


class Products(NamedTuple):
    """What is known of the tasks' gradients in each region. What nobody uses isn't computed in
    compiled functions.

    gram: `(regions, num_tasks, num_tasks)`, their inner products. sums: `(regions, num_tasks)`,
    their components added up. cross: as gram, of one half's gradient and the other's, the mean of
    both orders; None where halves aren't told apart. norms: `(regions, num_tasks)`, the diagonal of
    cross, for less than all of it costs.
    """

    gram: tf.Tensor
    sums: tf.Tensor
    cross: Any = None
    norms: Any = None


class TaskGradients:
    """The gradient of each task's loss with respect to its own parameters of `net`.

    Args:
      net: has `groups`: name -> rl.networks.groups.Group of TaskNets.
      loss_fn: function without arguments, to losses `(num_tasks,)` and info.
      halves: also tell the halves of its batch apart, whose size is even; the whole's gradient is
        the mean of theirs.

    Attributes:
      losses, info: what `loss_fn` returned.
      grams: group -> `(regions, num_tasks, num_tasks)`, inner products of the tasks' gradients.
      shares: group -> the same shape, how far two tasks have a region's parameters in common, see
        rl.gradients.balancer.
    """

    def __init__(self, net: Any, loss_fn: LossFn, halves: bool = False) -> None:
        torsos: list[Any] = []
        for group in net.groups.values():
            torsos.extend(group.torsos)
        self.variables = net.trainable_variables
        self.halves = halves
        # group -> for each region its banks with their gradients; the same with Halves
        self.regions: dict[str, list[Any]] = {}
        self.parts: dict[str, list[Any]] = {}
        with tf.GradientTape() as self.tape:
            params = [torso.expand_copies() for torso in torsos]
            self.private = [bank.expand_private() for bank in banks_of(torsos)]
        self.params = tf.nest.flatten(params)
        passes: list[Any] = []
        with tf.GradientTape() as tape, contextlib.ExitStack() as stack:
            tape.watch(self.params)
            for torso, expanded in zip(torsos, params):
                stack.enter_context(torso.using(expanded, passes.append if halves else None))
            self.losses, self.info = loss_fn()
        grads = tape.gradient(
            self.losses,
            [*self.params, *(layer_pass.y for layer_pass in passes)],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        self.grads = grads[: len(self.params)]
        self.grams: dict[str, tf.Tensor] = {}
        self.shares: dict[str, tf.Tensor] = {}
        grads_left = iter(self.grads)
        for name, group in net.groups.items():
            self.regions[name] = by_region(group.torsos, grads_left)
            self.grams[name] = over(self.regions[name], inner)
            shares = [region[0][0].share() for region in self.regions[name]]
            self.shares[name] = tf.concat(shares, axis=0)
        if halves:
            through = samples(self.params, passes, grads[len(self.params) :])
            halves_left = map(Halves.of, self.grads, through)
            for name, group in net.groups.items():
                self.parts[name] = by_region(group.torsos, halves_left)

    def products(self, name: str) -> Products:
        """What is known of a group's gradients."""
        sums = over(self.regions[name], total)
        if not self.halves:
            return Products(self.grams[name], sums)
        # Each half's gradient is twice its part. With a and b of the halves, g = (a + b) / 2 of the
        # whole and d = (a - b) / 2, <a_i, b_j> + <b_i, a_j> = 2 <g_i, g_j> - 2 <d_i, d_j>.
        gaps = over(self._of_halves(name, Halves.difference), inner)
        norms = 4 * over(self._of_halves(name, Halves.products), total)
        return Products(self.grams[name], sums, self.grams[name] - gaps, norms)

    def _of_halves(self, name: str, value: Callable[[Halves], tf.Tensor]) -> list[Any]:
        regions = []
        for region in self.parts[name]:
            regions.append([(bank, value(halves)) for bank, halves in region])
        return regions

    def weighted(self, weights: dict[str, tf.Tensor]) -> list[tf.Tensor]:
        """For each variable the sum of the task gradients with weights `(regions, num_tasks)` of
        each group; of what a task has for itself the gradient as it is."""
        targets = list(self.params)
        upstream = []
        for name, regions in self.regions.items():
            counts = [region[0][0].count for region in regions]
            for weight, region in zip(tf.split(weights[name], counts), regions):
                upstream += [bank.scaled(weight, gradient) for bank, gradient in region]
        for private, gradient in zip(self.private, self.grads):
            if private is not None:
                targets.append(private)
                upstream.append(gradient)
        return self.tape.gradient(targets, self.variables, output_gradients=upstream)


def banks_of(torsos: Sequence[Any]) -> list[Any]:
    """The banks of all torsos."""
    banks: list[Any] = []
    for torso in torsos:
        for region in torso.regions:
            banks.extend(region)
    return banks


def by_region(torsos: Sequence[Any], values: Iterator[Any]) -> list[list[tuple[Any, Any]]]:
    """For each region of the torsos its banks, each with the next of `values`."""
    regions = []
    for torso in torsos:
        for region in torso.regions:
            regions.append([(bank, next(values)) for bank in region])
    return regions


def inner(rows: tf.Tensor, others: Optional[tf.Tensor] = None) -> tf.Tensor:
    """`(regions, num_tasks, num_tasks)`: inner products of `Bank.rows`, of all members together,
    with each other or with `others`."""
    if others is None:
        others = rows
    width = max(1, PIECE // rows.shape[-2])
    products = []
    for first in range(0, rows.shape[-1], width):
        piece = rows[..., first : first + width]
        other = others[..., first : first + width]
        products.append(tf.reduce_sum(tf.matmul(piece, other, transpose_b=True), axis=1))
    return tf.add_n(products)


def total(rows: tf.Tensor) -> tf.Tensor:
    """`(regions, num_tasks)`: `Bank.rows` added up."""
    return tf.reduce_sum(rows, axis=(1, 3))


def over(regions: list[Any], product: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """`product` of the rows of each region's banks, added up; regions one after another."""
    sums = []
    for region in regions:
        sums.append(tf.add_n([product(bank.rows(gradient)) for bank, gradient in region]))
    return tf.concat(sums, axis=0)
