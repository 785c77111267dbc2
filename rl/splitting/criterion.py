"""What a criterion of pairs of tasks is: measurements of an update's gradients in, a verdict on
their averages out."""

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from rl.flags.splitting import Config
from rl.gradients.per_task import Products
from rl.splitting.moments import LEAST_SQUARE, BlockMoments, Moments, Stat


class Verdict(NamedTuple):
    """Of each region and pair of tasks, `(regions, num_tasks, num_tasks)`.

    score: how much it calls for a split; -inf: not at all. distance: less is nearer, when the
      others choose sides.
    """

    score: np.ndarray
    distance: np.ndarray


class Criterion:
    """Base of all criteria of pairs.

    Attributes:
      halves: whether `measure` needs the halves of a batch.
      by_block: whether a sample is the mean of a block of updates, or an update.
      several: whether a check may split more than `splits_per_check` regions: all pairs over the
        threshold.
    """

    halves = False
    by_block = False
    several = False

    def __init__(self, config: Config) -> None:
        self.config = config

    @property
    def decay(self) -> float:
        """Of the averages, with each sample."""
        return self.config.split_memory if self.by_block else self.config.split_decay

    @property
    def least_samples(self) -> int:
        """How many a pair must have before it is judged."""
        return self.config.split_min_blocks if self.by_block else self.config.split_warmup

    def moments(self, shape: tuple[int, ...], flags: tuple[int, ...]) -> Moments:
        """The averages of a measurement of this shape, of whose elements `flags` can be absent."""
        if self.by_block:
            return BlockMoments(shape, self.decay, flags)
        return Moments(shape, self.decay)

    def measure(self, products: Products, sizes: np.ndarray) -> dict[str, tf.Tensor]:
        """What is averaged over updates, by name: `(regions, num_tasks, num_tasks)`, `(regions,
        num_tasks)` or less; the first is of pairs.

        Args:
          products: has K, as `gram`, and where `halves` X, as `cross`. sizes: `(regions,)`, d.
        """
        raise NotImplementedError

    def judge(self, stats: dict[str, Stat], sizes: np.ndarray) -> Verdict:
        """The verdict on averages of what `measure` returned."""
        raise NotImplementedError

    def z_of_mean(self, stat: Stat) -> np.ndarray:
        """A mean over its standard error; 0 where measurements are too small to tell."""
        count = stat.over(self.decay)
        variance = np.maximum(stat.square - stat.mean**2, 0)
        variance = variance * count / np.maximum(count - 1, 1)
        z = np.sqrt(count) * ratio(stat.mean, np.sqrt(variance))
        return np.where(stat.square >= LEAST_SQUARE, z, 0.0)

    def threshold(self) -> float:
        """The least score that splits."""
        return self.config.split_z


def distances(gram: tf.Tensor) -> tf.Tensor:
    """|g_i - g_j|^2 of `(..., num_tasks, num_tasks)` inner products."""
    square = tf.linalg.diag_part(gram)
    return tf.nn.relu(square[..., :, None] + square[..., None, :] - 2 * gram)


def ratio(top: Any, bottom: Any) -> Any:
    """top / bottom, element by element; 0 / 0 is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(np.asarray(top) / bottom, nan=0.0, posinf=math.inf, neginf=-math.inf)
