"""Running means of what criteria measure, inside compiled updates."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

# A mean square below it has lost digits, or all: nothing is to be concluded from the mean.
LEAST_SQUARE = float(np.finfo(np.float32).tiny)


class Stat(NamedTuple):
    """A measurement so far: mean, mean square, how many were averaged, of one shape."""

    mean: np.ndarray
    square: np.ndarray
    count: np.ndarray

    def over(self, decay: float, capped: bool = False) -> np.ndarray:
        """How many independent samples the mean is worth: at first all, in the end (1 + decay) / (1
        - decay).

        It is the variance of a sample over that of the mean. With `capped`, as the reference has
        it, it is all up to 1 / (1 - decay), which is too few.
        """
        same_weight = round(1 / max(1 - decay, 1e-9))
        first = np.minimum(self.count, same_weight)
        if capped:
            return first
        left = decay ** (2 * (self.count - first))  # of the first ones' part in the variance
        return first / (left + (1 - left) * first * (1 - decay) / (1 + decay))


class Moments:
    """Means of a float32 `shape`: arithmetic for the first 1 / (1 - decay) samples, exponential
    after it.

    Attributes:
      variables: all state.
    """

    def __init__(self, shape: tuple[int, ...], decay: float) -> None:
        self.mean = tf.Variable(tf.zeros(shape), trainable=False)
        self.square = tf.Variable(tf.zeros(shape), trainable=False)
        self.count = tf.Variable(tf.zeros(shape), trainable=False)
        self.decay = decay

    @property
    def variables(self) -> list[tf.Variable]:
        return [self.mean, self.square, self.count]

    def update(self, value: tf.Tensor, flag: Any = 1.0) -> None:
        """Counts in `value`, but for elements whose `flag`, of the same shape or one to broadcast,
        is 0."""
        self.count.assign_add(flag + tf.zeros_like(value))
        rate = flag * tf.maximum(1 / tf.maximum(self.count, 1.0), 1 - self.decay)
        self.mean.assign_add(rate * (value - self.mean))
        self.square.assign_add(rate * (value**2 - self.square))

    def end_block(self) -> None:
        """To be told that the updates so far make up a block; see BlockMoments."""

    def stat(self) -> Stat:
        """What there is."""
        mean, square, count = (
            np.array(variable, float) for variable in (self.mean, self.square, self.count)
        )
        return Stat(mean, square, count)

    def forget(self, index: Any) -> None:
        """Starts over at `index`, as NumPy has it."""
        for variable in (self.mean, self.square, self.count):
            value = np.array(variable)
            value[index] = 0
            variable.assign(value)


class BlockMoments(Moments):
    """Moments whose samples are the means of blocks of updates.

    Updates that draw from the same samples, as PPO's passes over a rollout, are no independent
    evidence; their mean is one piece of it.

    Args:
      flags: shape of the flags of `update`, which broadcasts to `shape`.
    """

    def __init__(self, shape: tuple[int, ...], decay: float, flags: tuple[int, ...] = ()) -> None:
        super().__init__(shape, decay)
        self.total = tf.Variable(tf.zeros(shape), trainable=False)
        self.updates = tf.Variable(tf.zeros(flags), trainable=False)

    @property
    def variables(self) -> list[tf.Variable]:
        return [*super().variables, self.total, self.updates]

    def update(self, value: tf.Tensor, flag: Any = 1.0) -> None:
        """Counts in `value` with the block, but for elements whose `flag` is 0."""
        self.total.assign_add(flag * value)
        self.updates.assign_add(flag + tf.zeros_like(self.updates))

    def end_block(self) -> None:
        """Makes the mean of the updates since the last block a sample."""
        flag = tf.minimum(self.updates, 1.0)
        super().update(self.total / tf.maximum(self.updates, 1.0), flag)
        self.total.assign(tf.zeros_like(self.total))
        self.updates.assign(tf.zeros_like(self.updates))


class PairMeans:
    """Running means over updates of `(regions, num_tasks, num_tasks)`, of the pairs present.

    Arithmetic for the first 1 / (1 - decay) updates of a pair, exponential after it.

    Attributes:
      variables: all state.
    """

    def __init__(self, regions: int, num_tasks: int, decay: float) -> None:
        shape = (num_tasks, num_tasks)
        self.mean = tf.Variable(tf.zeros((regions, *shape)), trainable=False)
        self.count = tf.Variable(tf.zeros(shape), trainable=False)
        self.decay = decay

    @property
    def variables(self) -> list[tf.Variable]:
        return [self.mean, self.count]

    def update(self, value: tf.Tensor, present: tf.Tensor) -> None:
        """Counts in `value`; `present` `(num_tasks,)` is 0 for tasks to leave out."""
        flag = present[:, None] * present
        self.count.assign_add(flag)
        rate = flag * tf.maximum(1 / tf.maximum(self.count, 1.0), 1 - self.decay)
        self.mean.assign_add(rate * (value - self.mean))
