"""Parameters that tasks share, copy or mix."""

import math
from typing import Any, Iterable, Optional

import tensorflow as tf


class Bank:
    """A variable `(*lead, copies, ...)` with one copy for all tasks, one for each, or some that
    they choose or mix.

    Args:
      variable: the copies. axis: their place among its axes. num_tasks: T; copies is 1 or T but for
        a map:
      copy: int32 `(num_tasks,)`, the copy that each task uses. mix: `([members,] num_tasks,
        copies)`, their weights.
    """

    def __init__(
        self, variable: Any, axis: int, num_tasks: int, copy: Any = None, mix: Any = None
    ) -> None:
        self.variable, self.axis, self.num_tasks, self.copy, self.mix = (
            variable,
            axis,
            num_tasks,
            copy,
            mix,
        )
        self.copies, self.mapped = variable.shape[axis], copy is not None or mix is not None
        if not self.mapped and self.copies not in (1, num_tasks):
            raise ValueError(f"{self.copies} copies for {num_tasks} tasks need a map")

    @property
    def count(self) -> int:
        """How many regions it makes up: what is split, and weighed, apart."""
        return 1

    def expand(self, full: bool) -> tf.Tensor:
        """`(*lead, num_tasks, ...)`; what all share may stay `(*lead, 1, ...)` unless `full`."""
        if not self.mapped:
            shape = list(self.variable.shape)
            shape[self.axis] = self.num_tasks
            return (
                tf.broadcast_to(self.variable, shape)
                if full
                else tf.convert_to_tensor(self.variable)
            )
        # Copies too by a product with ones and zeros: its gradient is a dense sum in a fixed order,
        # tf.gather's is not.
        flat = tf.reshape(self.variable, (*self.variable.shape[: self.axis + 1], -1))
        rows = tf.matmul(self.weights(), flat)
        return tf.reshape(rows, (*rows.shape[:-1], *self.variable.shape[self.axis + 1 :]))

    def weights(self) -> tf.Tensor:
        """`([members,] num_tasks, copies)`: how much of each copy makes up a task's parameters."""
        if self.mix is not None:
            return tf.convert_to_tensor(self.mix)
        if self.copy is not None:
            return tf.one_hot(self.copy, self.copies)
        return tf.ones((self.num_tasks, 1)) if self.copies == 1 else tf.eye(self.num_tasks)

    def share(self) -> tf.Tensor:
        """`(1, num_tasks, num_tasks)`, 1 where tasks use the same copy; inner products of mixes,
        mean of members."""
        weights = tf.reshape(self.weights(), (-1, self.num_tasks, self.copies))
        return tf.reduce_mean(tf.matmul(weights, weights, transpose_b=True), axis=0, keepdims=True)

    def rows(self, gradient: tf.Tensor) -> tf.Tensor:
        """`(1, members, rows, size)` of a gradient `(*lead, rows, ...)` with a row for each task,
        or several."""
        return tf.reshape(
            gradient, (1, math.prod(gradient.shape[: self.axis]), gradient.shape[self.axis], -1)
        )

    def scaled(self, weights: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        """A gradient `(*lead, rows, ...)` times weights `(1, rows)`."""
        return tf.reshape(weights, (-1, *[1] * (len(gradient.shape) - self.axis - 1))) * gradient


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
        weights = self.weights()
        lead, middle = self.variable.shape[: self.axis], self.variable.shape[self.axis + 1 : -1]
        flat = tf.reshape(self.variable, (*lead, self.copies, -1, self.variable.shape[-1]))
        rows = tf.einsum("utc,...cku->...tku", weights, flat)
        return tf.reshape(rows, (*lead, self.num_tasks, *middle, self.variable.shape[-1]))

    def share(self) -> tf.Tensor:
        return tf.matmul(self.weights(), self.weights(), transpose_b=True)

    def rows(self, gradient: tf.Tensor) -> tf.Tensor:
        flat = super().rows(gradient)
        flat = tf.reshape(flat, (*flat.shape[1:3], -1, gradient.shape[-1]))
        return tf.transpose(flat, (3, 0, 1, 2))

    def scaled(self, weights: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        shape = (-1, *[1] * (len(gradient.shape) - self.axis - 2), gradient.shape[-1])
        return tf.reshape(tf.transpose(weights), shape) * gradient


class WeightBank(Bank):
    """A variable `(*lead, 1 + num_tasks, ...)`, what tasks share and then each task's own: which of
    them, by weight.

    `rows`, and so inner products, are of what tasks have in common, and only that is scaled.

    Args:
      copy: bool `(num_tasks, ...)`, true where a task uses its own value; the same for all members.
    """

    def expand(self, full: bool) -> tf.Tensor:
        common, own = tf.split(self.variable, [1, self.num_tasks], self.axis)
        return tf.where(self.copy, own, common)

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


def copy_rows(
    variables: Iterable[Any], axis: int, src: int, dst: int, unit: Optional[int] = None
) -> None:
    """Row `src` along `axis` over row `dst`, of a bank's variable, its target network's and its
    optimiser slots.

    With `unit` only that entry of the last axis.
    """
    lead: tuple[Any, ...] = (slice(None),) * axis
    rest: tuple[Any, ...] = () if unit is None else (..., unit)
    for variable in variables:
        tensor = (
            variable if isinstance(variable, tf.Variable) else variable.value
        )  # Keras' can't be assigned in part
        tensor[lead + (dst,) + rest].assign(tensor[lead + (src,) + rest])


def part_weights(variables: Iterable[Any], axis: int, leaves: Any) -> None:
    """What tasks share over their own where `leaves`, bool `(num_tasks, ...)`; variables as
    copy_rows takes."""
    for variable in variables:
        common, own = tf.split(variable, [1, len(leaves)], axis)
        variable.assign(tf.concat([common, tf.where(leaves, common, own)], axis))
