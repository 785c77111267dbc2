"""Parameters that tasks share, copy or mix."""

import math
from typing import Any, Iterable, Optional

import numpy as np
import tensorflow as tf


class Bank:
    """A variable `(*lead, copies, ...)` with one copy for all tasks, one for each, or some that
    they choose.

    Args:
      variable: the copies.
      axis: their place among its axes.
      num_tasks: T; copies is 1 or T where there is no `copy`.
      copy: int32 `(num_tasks,)`, the copy that each task uses.

    Raises:
      ValueError: tasks can't tell which of the copies are theirs.
    """

    mixes = False  # whether tasks use all copies, in parts

    def __init__(self, variable: Any, axis: int, num_tasks: int, copy: Any = None) -> None:
        self.variable = variable
        self.axis = axis
        self.num_tasks = num_tasks
        self.copy = copy
        self.copies = variable.shape[axis]
        mapped = copy is not None or self.mixes
        if not mapped and self.copies not in (1, num_tasks):
            raise ValueError(f"{self.copies} copies for {num_tasks} tasks need a map")

    @property
    def count(self) -> int:
        """How many regions it makes up: what is split, and weighed, apart."""
        return 1

    @property
    def states(self) -> list[Any]:
        """Variables beside `variable` and `copy` on which it depends, and that aren't trained."""
        return []

    def expand(self, full: bool) -> tf.Tensor:
        """`(*lead, num_tasks, ...)`; what all share may stay `(*lead, 1, ...)` unless `full`."""
        if self.copy is not None:
            return picked(self.variable, self.copy, self.axis)
        if full:
            shape = list(self.variable.shape)
            shape[self.axis] = self.num_tasks
            return tf.broadcast_to(self.variable, shape)
        return tf.convert_to_tensor(self.variable)

    def expand_copies(self) -> tf.Tensor:
        """`expand`, in full, as a function of the copies alone."""
        return self.expand(full=True)

    def expand_private(self) -> Optional[tf.Tensor]:
        """`expand`, in full, as a function alone of what tasks have for themselves besides the
        copies; None: nothing."""
        return None

    def weights(self) -> tf.Tensor:
        """`(num_tasks, copies)`: how much of each copy makes up a task's parameters; of a UnitBank
        `(units, num_tasks, copies)`."""
        if self.copy is not None:
            return tf.one_hot(self.copy, self.copies)
        if self.copies == 1:
            return tf.ones((self.num_tasks, 1))
        return tf.eye(self.num_tasks)

    def share(self) -> tf.Tensor:
        """`(count, num_tasks, num_tasks)`: 1 where tasks use the same copy, else 0."""
        weights = self.weights()
        return tf.matmul(weights, weights, transpose_b=True)[None]

    def rows(self, gradient: tf.Tensor) -> tf.Tensor:
        """`(count, members, rows, size)` of a gradient `(*lead, rows, ...)` with a row for each
        task, or several."""
        members = math.prod(gradient.shape[: self.axis])
        return tf.reshape(gradient, (1, members, gradient.shape[self.axis], -1))

    def scaled(self, weights: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        """A gradient `(*lead, rows, ...)` times weights `(count, rows)`."""
        ones = [1] * (len(gradient.shape) - self.axis - 1)
        return tf.reshape(weights, (-1, *ones)) * gradient


class RoutedBank(Bank):
    """A variable `(*lead, copies, ...)` of which tasks use one copy in updates, and maybe another
    outside of them.

    Args:
      copy: int32 `(num_tasks,)`, the copies by which tasks act, and target networks tell values.
      sampled: the same, that updates go through.
    """

    def __init__(
        self, variable: Any, axis: int, num_tasks: int, copy: Any = None, sampled: Any = None
    ) -> None:
        super().__init__(variable, axis, num_tasks, copy)
        self.sampled = sampled

    @property
    def states(self) -> list[Any]:
        return [self.sampled]

    def expand_copies(self) -> tf.Tensor:
        return picked(self.variable, self.sampled, self.axis)

    def share(self) -> tf.Tensor:
        """`(1, num_tasks, num_tasks)`: 1 where updates of tasks go through the same copy."""
        used = tf.one_hot(self.sampled, self.copies)
        return tf.matmul(used, used, transpose_b=True)[None]


class MixBank(Bank):
    """A variable `([members,] copies, ...)` whose copies each task mixes by numbers of its own.

    Members mix by different numbers, so that each of them is a region: with A the mix of a member
    and G the inner products of its parameters' gradients, those of the copies' are A A^T * G.

    Args:
      mix: `([members,] num_tasks, copies)`, trained with the copies.
    """

    mixes = True

    def __init__(self, variable: Any, axis: int, num_tasks: int, mix: Any) -> None:
        super().__init__(variable, axis, num_tasks)
        self.mix = mix

    @property
    def count(self) -> int:
        return math.prod(self.variable.shape[: self.axis])

    def expand(self, full: bool) -> tf.Tensor:
        return weighted_sums(self.weights(), self.variable, self.axis)

    def expand_copies(self) -> tf.Tensor:
        return weighted_sums(tf.stop_gradient(self.weights()), self.variable, self.axis)

    def expand_private(self) -> Optional[tf.Tensor]:
        copies = tf.stop_gradient(tf.convert_to_tensor(self.variable))
        return weighted_sums(self.weights(), copies, self.axis)

    def weights(self) -> tf.Tensor:
        """`([members,] num_tasks, copies)`, the mix."""
        return tf.convert_to_tensor(self.mix)

    def share(self) -> tf.Tensor:
        """`(members or 1, num_tasks, num_tasks)`: inner products of the tasks' mixes."""
        weights = tf.reshape(self.weights(), (self.count, self.num_tasks, self.copies))
        return tf.matmul(weights, weights, transpose_b=True)

    def rows(self, gradient: tf.Tensor) -> tf.Tensor:
        return tf.reshape(gradient, (self.count, 1, gradient.shape[self.axis], -1))

    def scaled(self, weights: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        ones = [1] * (len(gradient.shape) - self.axis - 1)
        return tf.reshape(weights, (*gradient.shape[: self.axis + 1], *ones)) * gradient


class UnitBank(Bank):
    """A variable `(*lead, copies, ..., units)` whose every unit has a map, and is a region, of its
    own.

    Args:
      copy: int32 `(units, num_tasks)`.
    """

    @property
    def count(self) -> int:
        return self.variable.shape[-1]

    def expand(self, full: bool) -> tf.Tensor:
        lead = self.variable.shape[: self.axis]
        middle = self.variable.shape[self.axis + 1 : -1]
        flat = tf.reshape(self.variable, (*lead, self.copies, -1, self.count))
        rows = tf.einsum("utc,...cku->...tku", self.weights(), flat)
        return tf.reshape(rows, (*lead, self.num_tasks, *middle, self.count))

    def share(self) -> tf.Tensor:
        weights = self.weights()
        return tf.matmul(weights, weights, transpose_b=True)

    def rows(self, gradient: tf.Tensor) -> tf.Tensor:
        flat = super().rows(gradient)
        flat = tf.reshape(flat, (*flat.shape[1:3], -1, self.count))
        return tf.transpose(flat, (3, 0, 1, 2))

    def scaled(self, weights: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        ones = [1] * (len(gradient.shape) - self.axis - 2)
        return tf.reshape(tf.transpose(weights), (-1, *ones, self.count)) * gradient


class WeightBank(Bank):
    """A variable `(*lead, 1 + num_tasks, ...)`, what tasks share and then each task's own: which of
    them, by weight.

    `rows`, and so inner products, are of what tasks have in common, and only that is scaled.

    Args:
      copy: bool `(num_tasks, ...)`, true where a task uses its own value; the same for all members.
    """

    def expand(self, full: bool) -> tf.Tensor:
        common, private = tf.split(self.variable, [1, self.num_tasks], self.axis)
        return tf.where(self.copy, private, common)

    def shared(self) -> tf.Tensor:
        """Bool `(num_tasks, ...)`: the weights that a task has in common with another."""
        common = tf.logical_not(self.copy)
        return common & (tf.math.count_nonzero(common, axis=0, dtype=tf.int32) > 1)

    def share(self) -> tf.Tensor:
        return tf.ones((1, self.num_tasks, self.num_tasks))

    def rows(self, gradient: tf.Tensor) -> tf.Tensor:
        return super().rows(tf.where(self.shared(), gradient, 0.0))

    def scaled(self, weights: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        return tf.where(self.shared(), super().scaled(weights, gradient), gradient)


def numbers_in(banks: Iterable[Bank]) -> int:
    """How many numbers their variables have, maps and mixes apart."""
    return sum(math.prod(bank.variable.shape) for bank in banks)


def weighted_sums(weights: tf.Tensor, copies: Any, axis: int) -> tf.Tensor:
    """Sums `(*lead, rows, ...)` of copies `(*lead, copies, ...)` along `axis`, by weights `(...,
    rows, copies)`."""
    flat = tf.reshape(copies, (*copies.shape[: axis + 1], -1))
    rows = tf.matmul(weights, flat)
    return tf.reshape(rows, (*rows.shape[:-1], *copies.shape[axis + 1 :]))


def picked(variable: Any, index: Any, axis: int) -> tf.Tensor:
    """The rows `(*lead, len(index), ...)` of a variable `(*lead, copies, ...)` along `axis`.

    Its gradient is a dense sum in a fixed order, by a product with ones and zeros; tf.gather's has
    slices, which Adam would square one by one.
    """
    index = tf.convert_to_tensor(index)
    ones = tf.one_hot(index, variable.shape[axis])

    @tf.custom_gradient
    def pick(copies: tf.Tensor) -> Any:
        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            return weighted_sums(tf.transpose(ones), upstream, axis)

        return tf.gather(copies, index, axis=axis), gradient

    return pick(tf.convert_to_tensor(variable))


def copy_row(
    variable: Any,
    axis: int,
    src: int,
    dst: int,
    unit: Optional[int] = None,
    factors: tuple[float, float] = (1.0, 1.0),
) -> None:
    """Row `src` along `axis` of a bank's variable, its target network's or its optimiser's, over
    row `dst`.

    Args:
      unit: only that entry of the last axis.
      factors: what the rows `src` and `dst` are multiplied by.
    """
    # The whole variable is assigned: a part takes as long, and Keras' can't be assigned in part.
    copies = variable.shape[axis]
    rows = np.arange(copies)
    rows[dst] = src
    scale = np.ones((copies, *[1] * (len(variable.shape) - axis - 1)), np.float32)
    scale[src], scale[dst] = factors
    after = tf.gather(variable, rows, axis=axis) * scale
    if unit is not None:
        after = tf.where(np.arange(variable.shape[-1]) == unit, after, variable)
    variable.assign(after)


def part_weights(variables: Iterable[Any], axis: int, leaves: Any) -> None:
    """What tasks share over their own where `leaves`, bool `(num_tasks, ...)`; variables as
    copy_row takes."""
    for variable in variables:
        common, private = tf.split(variable, [1, len(leaves)], axis)
        variable.assign(tf.concat([common, tf.where(leaves, common, private)], axis))
