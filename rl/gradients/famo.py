"""Fast adaptive multitask optimisation (FAMO): equal rates of improvement from losses alone.

Liu et al., 2023: https://arxiv.org/abs/2306.03792
Reference implementation: https://github.com/Cranial-XIX/FAMO
Differs from it:
1. weights are scaled to sum to the number of tasks, so that equal losses give the plain sum;
2. gradients are clipped, if at all, by the optimiser;
3. the least loss is 0 for every task, and losses below it count as it.
"""

from typing import Any

import tensorflow as tf

from rl.flags import gradients as flags
from rl.gradients.adam import Adam
from rl.gradients.balancer import Balancer

SMALL = 1e-8


class FAMO(Balancer):
    """Descends sum_t z_t log L_t for z = softmax(logits), which move to the tasks whose log-loss
    fell least."""

    needs_gram = False
    critic_only = True
    needs_losses_after = True

    def __init__(self, num_tasks: int, config: flags.FAMO) -> None:
        super().__init__(num_tasks, config)
        self.logits = self.variable(tf.zeros(num_tasks))
        self.adam = Adam(self, self.logits, config.task_weight_lr)

    def weights(self, losses: Any, gram: Any, share: Any, seed: Any) -> tf.Tensor:
        # z / L over its mean, in logarithms because L may be near 0
        return self.num_tasks * tf.nn.softmax(self.logits - _log(losses))

    def after(self, losses: tf.Tensor, new_losses: tf.Tensor) -> None:
        """Learns from the losses (T,) of one batch before and after the parameters' step."""
        fall = _log(losses) - _log(new_losses)
        z = tf.nn.softmax(self.logits)
        gradient = z * (fall - tf.reduce_sum(z * fall))  # of the mean fall under z
        self.adam.minimise(gradient + self.config.famo_decay * self.logits)


def _log(losses: tf.Tensor) -> tf.Tensor:
    return tf.math.log(tf.nn.relu(losses) + SMALL)
