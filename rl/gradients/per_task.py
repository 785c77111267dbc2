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


class InnerSteps(NamedTuple):
    """How many steps of gradient descent tasks take before their losses count, and how large."""

    steps: int = 0
    lr: float = 0.0


class TaskGradients:
    """The gradient of each task's loss with respect to its own parameters of `net`.

    Args:
      net: has `groups`: name -> rl.networks.groups.Group of TaskNets.
      loss_fn: function without arguments, to losses `(num_tasks,)` and info.
      halves: also tell the halves of its batch apart, whose size is even; the whole's gradient is
        the mean of theirs.
      inner_steps: those that tasks take on their own parameters, by `loss_fn` too. Losses and
        gradients are then those after them, and the steps count as constants (first-order MAML).

    Attributes:
      losses, info: what `loss_fn` returned.
      grams: group -> `(regions, num_tasks, num_tasks)`, inner products of the tasks' gradients.
      shares: group -> the same shape, how far two tasks have a region's parameters in common, see
        rl.gradients.balancer.
    """

    def __init__(
        self,
        net: Any,
        loss_fn: LossFn,
        halves: bool = False,
        inner_steps: InnerSteps = InnerSteps(),
    ) -> None:
        self.torsos: list[Any] = []
        for group in net.groups.values():
            self.torsos.extend(group.torsos)
        self.variables = net.trainable_variables
        self.loss_fn = loss_fn
        self.halves = halves
        self.inner_steps = inner_steps
        # group -> for each region its banks with their gradients; the same with Halves
        self.regions: dict[str, list[Any]] = {}
        self.parts: dict[str, list[Any]] = {}
        with tf.GradientTape() as self.tape:
            self.expanded = [torso.expand_copies() for torso in self.torsos]
            self.private = [bank.expand_private() for bank in banks_of(self.torsos)]
        self.params = tf.nest.flatten(self.expanded)
        passes: list[Any] = []
        moved = self._after_inner_steps(self.expanded)
        used = tf.nest.flatten(moved)
        with tf.GradientTape() as tape:
            tape.watch(used)
            self.losses, self.info = self._evaluate(moved, passes.append if halves else None)
        # Of what inner steps made of them, which counts as that of the parameters themselves.
        grads = tape.gradient(
            self.losses,
            [*used, *(layer_pass.y for layer_pass in passes)],
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
            through = samples(used, passes, grads[len(self.params) :])
            halves_left = map(Halves.of, self.grads, through)
            for name, group in net.groups.items():
                self.parts[name] = by_region(group.torsos, halves_left)

    def losses_with(self, torso: Any, params: list[list[tf.Tensor]]) -> tuple[tf.Tensor, Info]:
        """What `loss_fn` returns, after the inner steps, where tasks have `params` of one of the
        torsos."""
        expanded = list(self.expanded)
        expanded[self.torsos.index(torso)] = params
        return self._evaluate(self._after_inner_steps(expanded))

    def _evaluate(self, expanded: list[Any], record: Any = None) -> tuple[tf.Tensor, Info]:
        """What `loss_fn` returns by these parameters of the torsos, which tell `record` of what
        goes through their layers."""
        return evaluate_with(self.loss_fn, self.torsos, expanded, record)

    def _after_inner_steps(self, expanded: list[Any]) -> list[Any]:
        """What the inner steps make of these parameters of the torsos: those of each task move by
        its own loss."""
        for _ in range(self.inner_steps.steps):
            moved = tf.nest.flatten(expanded)
            with tf.GradientTape() as tape:
                tape.watch(moved)
                losses, _ = self._evaluate(expanded)
            grads = tape.gradient(losses, moved, unconnected_gradients=tf.UnconnectedGradients.ZERO)
            steps = [param - self.inner_steps.lr * grad for param, grad in zip(moved, grads)]
            expanded = tf.nest.pack_sequence_as(expanded, steps)
        return expanded

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


def evaluate_with(
    loss_fn: LossFn, torsos: Sequence[Any], expanded: Sequence[Any], record: Any = None
) -> tuple[tf.Tensor, Info]:
    """What `loss_fn` returns where tasks have these parameters of each torso; see TaskNet.using."""
    with contextlib.ExitStack() as stack:
        for torso, params in zip(torsos, expanded):
            stack.enter_context(torso.using(params, record))
        return loss_fn()


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
