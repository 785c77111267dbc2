"""Running means and mean squares of what criteria measure, inside compiled updates."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf


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
        first = np.minimum(
            self.count, round(1 / max(1 - decay, 1e-9))
        )  # as many as have the same weight
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
        self.variables = [tf.Variable(tf.zeros(shape), trainable=False) for _ in range(3)]
        self.decay = decay

    def update(self, value: tf.Tensor, flag: Any = 1.0) -> None:
        """Counts in `value`, but for elements whose `flag`, of the same shape or one to broadcast,
        is 0."""
        mean, square, count = self.variables
        count.assign_add(flag + tf.zeros_like(value))
        rate = flag * tf.maximum(1 / tf.maximum(count, 1.0), 1 - self.decay)
        mean.assign_add(rate * (value - mean))
        square.assign_add(rate * (value**2 - square))

    def stat(self) -> Stat:
        """What there is."""
        return Stat(*(np.array(variable, float) for variable in self.variables))

    def forget(self, index: Any) -> None:
        """Starts over at `index`, as NumPy has it."""
        for variable in self.variables:
            value = np.array(variable)
            value[index] = 0
            variable.assign(value)
