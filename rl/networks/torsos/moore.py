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

import tensorflow as tf

from rl.config import UserError
from rl.flags import torsos as flags
from rl.networks.stacks import StackNet, mixed


class MOORE(StackNet):
    """Experts of all hidden layers, the last without an activation; their mix; a head for each
    task; see TaskNet."""

    config: flags.MOORE

    def make(self, fan_in: int) -> None:
        experts = self.config.experts
        if experts > self.sizes[-2]:
            raise UserError(
                f"--experts {experts}: no more features can be orthogonal than the "
                f"{self.sizes[-2]} units of the last hidden layer"
            )
        self.expert_layers = self.make_stack(fan_in, self.sizes[:-1], lead=(experts,))
        self.task = self.code(experts, 1 / math.sqrt(experts))
        self.head = self.layer(
            self.sizes[-2], self.sizes[-1], copies=self.num_tasks, gain=self.out_gain
        )

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        # in the paper's terms, for state s and task c: v_c = V_s w_c, and f of it
        features = self.stack(params[self.expert_layers], tf.expand_dims(x, -4))
        basis = orthonormal(features)  # V_s
        task_weights = params[self.task][0][..., None, :]  # w_c
        task_features = mixed(task_weights, basis)  # v_c
        return self.dense(tf.tanh(task_features), params[self.head])  # f


def orthonormal(x: tf.Tensor) -> tf.Tensor:
    """Gram-Schmidt on the vectors of each sample, x `(..., vectors, tasks, batch, dim)`."""
    basis: list[tf.Tensor] = []
    for vector in tf.unstack(x, axis=-4):
        for unit in basis:
            vector -= tf.reduce_sum(vector * unit, axis=-1, keepdims=True) * unit
        square = tf.reduce_sum(vector**2, axis=-1, keepdims=True)
        basis.append(vector * tf.math.rsqrt(square + 1e-8))
    return tf.stack(basis, axis=-4)
