"""Masks: which of a layer's weights a task uses."""

import math
from typing import Any, Optional, Sequence

import numpy as np
import tensorflow as tf

from rl.networks.banks import Bank


class MaskBank(Bank):
    """A variable `(*lead, 1 + num_tasks, ...)`, what tasks share and then each task's own, or
    `(*lead, 1, ...)`, what they share alone; of it each task uses the weights of its mask, and
    zeros in place of the others.

    `rows`, and so inner products, are of the weights that tasks use.

    Args:
      copy: bool `()`, whether tasks use what is their own.
      mask: bool `(*lead, num_tasks, ...)`; None: tasks use all.
    """

    def __init__(
        self, variable: Any, axis: int, num_tasks: int, copy: Any, mask: Any = None
    ) -> None:
        super().__init__(variable, axis, num_tasks, copy)
        self.mask = mask

    @property
    def states(self) -> list[Any]:
        return [] if self.mask is None else [self.mask]

    def expand(self, full: bool) -> tf.Tensor:
        del full
        rows = tf.convert_to_tensor(self.variable)
        if self.copies > 1:
            common, private = tf.split(rows, [1, self.num_tasks], self.axis)
            rows = tf.where(self.copy, private, common)
        if self.mask is not None:
            return tf.where(self.mask, rows, 0.0)
        shape = list(self.variable.shape)
        shape[self.axis] = self.num_tasks
        return tf.broadcast_to(rows, shape)

    def share(self) -> tf.Tensor:
        """`(1, num_tasks, num_tasks)`: 1 where tasks use the same values, under whatever masks."""
        together = tf.ones((self.num_tasks, self.num_tasks))
        return tf.where(self.copy, tf.eye(self.num_tasks), together)[None]

    def rows(self, gradient: tf.Tensor) -> tf.Tensor:
        if self.mask is not None:
            gradient = tf.where(self.mask, gradient, 0.0)
        return super().rows(gradient)

    def kept(self) -> np.ndarray:
        """The mask, bool `(*lead, num_tasks, ...)`."""
        if self.mask is not None:
            return np.array(self.mask)
        shape = list(self.variable.shape)
        shape[self.axis] = self.num_tasks
        return np.ones(shape, bool)

    def numbers_used(self) -> int:
        """How many numbers some task uses."""
        kept = self.kept()
        if np.array(self.copy):
            return int(kept.sum())
        return int(kept.any(axis=self.axis).sum())


class ScoreBank(Bank):
    """Scores R `(*lead, num_tasks, in, out)` of each task for the weights W of a frozen kernel.

    A task's parameters are W times its mask, which is 1 where the score is above a threshold, else
    0; with `ternary` it is -1 where the score is below 0. The mask's gradient is taken for that of
    the scores (straight-through): with G that of the task's parameters, dL/dR = G * W.

    Args:
      kernel: W `(*lead, 1, in, out)`, not trained.
    """

    def __init__(
        self,
        variable: Any,
        axis: int,
        num_tasks: int,
        kernel: Any,
        threshold: float,
        ternary: bool = False,
    ) -> None:
        super().__init__(variable, axis, num_tasks)
        self.kernel = kernel
        self.threshold = threshold
        self.ternary = ternary

    @property
    def states(self) -> list[Any]:
        return [self.kernel]

    def mask(self) -> tf.Tensor:
        """-1, 0 or 1, of the shape of the scores."""
        scores = tf.convert_to_tensor(self.variable)
        mask = tf.cast(scores > self.threshold, tf.float32)
        if self.ternary:
            mask -= tf.cast(scores < 0, tf.float32)
        return mask

    def expand(self, full: bool) -> tf.Tensor:
        del full
        scores = tf.convert_to_tensor(self.variable)
        nothing = scores - tf.stop_gradient(scores)  # but the gradient, so that masks stay exact
        return (self.mask() + nothing) * tf.convert_to_tensor(self.kernel)

    def rows(self, gradient: tf.Tensor) -> tf.Tensor:
        return super().rows(gradient * tf.convert_to_tensor(self.kernel))

    def kept(self) -> np.ndarray:
        """Where masks aren't 0, bool `(*lead, num_tasks, in, out)`."""
        return np.array(self.mask()) != 0

    def numbers_used(self) -> int:
        """How many weights of the kernel some task uses."""
        return int(self.kept().any(axis=self.axis).sum())

    def negative(self) -> Optional[np.ndarray]:
        """Where masks are -1, bool; None where they can't be."""
        return np.array(self.mask()) < 0 if self.ternary else None


def overlaps(masks: np.ndarray) -> np.ndarray:
    """`(num_tasks, num_tasks)`: |m_i & m_j| / |m_i| of masks, bool `(num_tasks, size)`; 0 where m_i
    is empty."""
    numbers = masks.astype(np.float64)
    both = numbers @ numbers.T
    return both / np.maximum(np.diag(both), 1)[:, None]


def packed(masks: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """Bool arrays with 8 entries a byte, each with its shape."""
    return [{"shape": list(mask.shape), "bits": np.packbits(mask)} for mask in masks]


def unpacked(entry: dict[str, Any]) -> np.ndarray:
    """A bool array that `packed` made an entry of."""
    shape = entry["shape"]
    return np.unpackbits(entry["bits"], count=math.prod(shape)).astype(bool).reshape(shape)
