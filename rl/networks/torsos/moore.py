"""MOORE, mixture of orthogonal experts: each task weighs features that are orthonormal for every
sample.

Hendawy et al., 2024: https://arxiv.org/abs/2311.11385
Reference implementation: https://github.com/AhmedMagdyHendawy/MOORE
Differs from it:
1. each expert is taken from those before it one at a time (modified Gram-Schmidt), which rounds
   less;
2. squared lengths have 1e-8 added, so that experts that are zero or dependent have finite
   gradients;
3. a task's weights start normal with standard deviation 1 / sqrt(experts), so that the mix has
   length about 1;
4. the input ends with the task's one-hot code, unless `--task_onehot false`.
"""

import math
from typing import Any

import tensorflow as tf

from rl.networks.stacks import StackNet, mixed


class MOORE(StackNet):
    """Experts of all hidden layers, the last without an activation; their mix; a head for each
    task; see TaskNet.

    Args:
      experts: how many there are, at most the units of the last hidden layer.
    """

    def __init__(self, *args: Any, experts: int = 4, **options: Any) -> None:
        super().__init__(*args, **options)
        self.experts = experts

    def make(self, fan_in: int) -> None:
        self.expert_layers = self.make_stack(fan_in, self.sizes[:-1], lead=(self.experts,))
        self.task = self.code(self.experts, 1 / math.sqrt(self.experts))
        self.head = self.layer(
            self.sizes[-2], self.sizes[-1], copies=self.num_tasks, gain=self.out_gain
        )

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        features = orthonormal(self.stack(params[self.expert_layers], tf.expand_dims(x, -4)))
        x = tf.tanh(mixed(params[self.task][0][..., None, :], features))
        return self.dense(x, params[self.head])


def orthonormal(x: tf.Tensor) -> tf.Tensor:
    """Gram-Schmidt on the vectors of each sample, x `(..., vectors, tasks, batch, dim)`."""
    basis: list[tf.Tensor] = []
    for vector in tf.unstack(x, axis=-4):
        for unit in basis:
            vector -= tf.reduce_sum(vector * unit, axis=-1, keepdims=True) * unit
        basis.append(
            vector * tf.math.rsqrt(tf.reduce_sum(vector**2, axis=-1, keepdims=True) + 1e-8)
        )
    return tf.stack(basis, axis=-4)
