"""Weights from losses alone: uncertainty, DWA, SLAW. Each paper's differences are numbered in its
class.

All are scaled to sum to the number of tasks, so that equal losses give the plain sum.
"""

from typing import Any

import tensorflow as tf

from rl.config import NoFlags
from rl.flags import gradients as flags
from rl.gradients.adam import Adam
from rl.gradients.balancer import Balancer

TEMPERATURE = 2.0  # of DWA
SLOW = 0.99  # decay of SLAW's averages, per update
LEAST_STD = 1e-5  # of a loss in SLAW
SMALL = 1e-8


class Uncertainty(Balancer):
    """Learns log-variances s that minimise sum_t exp(-s_t) L_t + s_t: exp(s_t) follows L_t.

    Kendall et al., 2018: https://arxiv.org/abs/1705.07115
    Reference implementation: https://github.com/yaringal/multi-task-learning-example
    Differs from it:
    1. the weights exp(-s) are scaled, see above: else they would grow without end as losses fall;
    2. s has an Adam of its own, and starts at 0.
    """

    needs_gram = False
    critic_only = True

    def __init__(self, num_tasks: int, config: flags.Learned) -> None:
        super().__init__(num_tasks, config)
        self.log_variance = self.variable(tf.zeros(num_tasks))
        self.adam = Adam(self, self.log_variance, config.task_weight_lr)

    def weights(self, losses: Any, gram: Any, share: Any, seed: Any) -> tf.Tensor:
        weights = self.num_tasks * tf.nn.softmax(-self.log_variance)
        # exp(-s) L as one exponential, which bounds s where a loss is 0.
        log_loss = tf.math.log(tf.nn.relu(losses) + SMALL)
        self.adam.minimise(1 - tf.exp(log_loss - self.log_variance))
        return weights


class DWA(Balancer):
    """Dynamic weight average: softmax of how much of its loss each task kept from one window to the
    next.

    Liu et al., 2019: https://arxiv.org/abs/1803.10704
    Reference implementation: https://github.com/lorenmt/mtan
    Differs from it:
    1. an epoch is a window of `dwa_window` updates.
    """

    needs_gram = False
    critic_only = True

    def __init__(self, num_tasks: int, config: flags.DWA) -> None:
        super().__init__(num_tasks, config)
        # of losses in this window, the last, the one before
        self.sums = self.variable(tf.zeros((3, num_tasks)))
        self.updates = self.variable(0.0)  # in this window
        self.windows = self.variable(0.0)  # that are full

    def weights(self, losses: Any, gram: Any, share: Any, seed: Any) -> tf.Tensor:
        full = self.updates >= self.config.dwa_window
        self.windows.assign(tf.where(full, tf.minimum(self.windows + 1, 2.0), self.windows))
        self.updates.assign(tf.where(full, 1.0, self.updates + 1))
        zeros = tf.zeros_like(losses)
        moved_on = tf.concat([zeros[None], self.sums[:2]], axis=0)
        sums = tf.where(full, moved_on, self.sums)
        sums = self.sums.assign(sums + tf.stack([tf.nn.relu(losses), zeros, zeros]))
        kept = (sums[1] + SMALL) / (sums[2] + SMALL)
        return tf.where(self.windows < 2, 1.0, self.num_tasks * tf.nn.softmax(kept / TEMPERATURE))


class SLAW(Balancer):
    """Scaled loss approximate weighting: one over the standard deviation of each loss, which stands
    for its gradient.

    Crawshaw and Košecká, 2021: https://arxiv.org/abs/2109.08218
    Reference implementation: https://github.com/mtcrawshaw/meta (branch SLAW)
    Differs from it:
    1. the variance is averaged around the mean of its time: E[L^2] - E[L]^2 without the
       cancellation.
    """

    needs_gram = False

    def __init__(self, num_tasks: int, config: NoFlags) -> None:
        super().__init__(num_tasks, config)
        self.mean, self.variance = (self.variable(tf.zeros(num_tasks)) for _ in range(2))
        self.updates = self.variable(0.0)

    def weights(self, losses: Any, gram: Any, share: Any, seed: Any) -> tf.Tensor:
        part = tf.maximum(1 / self.updates.assign_add(1.0), 1 - SLOW)  # a plain average at first
        error = losses - self.mean
        variance = self.variance.assign((1 - part) * (self.variance + part * error**2))
        self.mean.assign_add(part * error)
        weights = 1 / tf.maximum(tf.sqrt(variance), LEAST_STD)
        return weights / tf.reduce_mean(weights)
