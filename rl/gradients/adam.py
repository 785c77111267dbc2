"""Adam for a few numbers that a method learns: Kingma and Ba, 2015,
https://arxiv.org/abs/1412.6980."""

from typing import Any

import tensorflow as tf

from rl.gradients.balancer import Balancer

BETA1 = 0.9
BETA2 = 0.999
EPSILON = 1e-8


class Adam:
    """Steps for `value`, a variable (T,); the slots are entries of the balancer's `variables`."""

    def __init__(self, balancer: Balancer, value: Any, lr: float) -> None:
        self.value = value
        self.lr = lr
        self.mean, self.square = (balancer.variable(tf.zeros_like(value)) for _ in range(2))
        self.steps = balancer.variable(0.0)

    def minimise(self, gradient: tf.Tensor) -> None:
        """One step down `gradient` (T,)."""
        steps = self.steps.assign_add(1.0)
        mean = self.mean.assign(BETA1 * self.mean + (1 - BETA1) * gradient) / (1 - BETA1**steps)
        square = self.square.assign(BETA2 * self.square + (1 - BETA2) * gradient**2) / (
            1 - BETA2**steps
        )
        self.value.assign_sub(self.lr * mean / (tf.sqrt(square) + EPSILON))
