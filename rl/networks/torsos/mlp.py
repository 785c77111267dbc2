"""Multi-layer perceptron: the torso that every task shares."""

from typing import Any, Optional, Sequence

import tensorflow as tf

from rl.networks.layers import InitialKernels, Torso, matmul, standardised
from rl.networks.layouts import by_layer


class MLP(Torso):
    """Dense layers as `layers` has them follow one another; see Torso.

    Input shape: `(..., in)`, where `...` is `(batch,)` or `(num_tasks, batch)`.
    Output shape: `(..., sizes[-1])`, or `(members, ..., sizes[-1])`.
    """

    def build(self, input_shape: Any) -> None:
        """Makes every variable: kernels `([members,] in, out)`, then biases, scales and shifts
        `([members, 1,] dim)`."""
        lead = () if self.members is None else (self.members,)
        thin = () if self.members is None else (self.members, 1)
        self.plan = self.layout.plan(input_shape[-1], self.sizes)
        self.kernels = []
        self.biases = []
        norms = []
        for k, dense in enumerate(self.plan):
            gain = self.out_gain if k == len(self.plan) - 1 else self.hidden_gain
            kernel = self.add_weight(
                shape=(*lead, dense.fan_in, dense.units),
                initializer=InitialKernels(self.initializer, gain),
                name=f"kernel_{k}",
            )
            self.kernels.append(kernel)
        for k, dense in enumerate(self.plan):
            bias = self.add_weight(
                shape=(*thin, dense.units), initializer="zeros", name=f"bias_{k}"
            )
            self.biases.append(bias)
        for name, initializer in (("scale", "ones"), ("shift", "zeros")):
            for k, dense in enumerate(self.plan):
                if dense.norm:
                    vector = self.add_weight(
                        shape=(*thin, dense.norm), initializer=initializer, name=f"{name}_{k}"
                    )
                    norms.append(vector)
        self.parameters = [*self.kernels, *self.biases, *norms]
        self.built = True

    def call(self, x: tf.Tensor, member: Optional[int] = None) -> tf.Tensor:
        """All members, or `member` alone."""
        params = list(self.parameters)
        if member is not None:
            params = [param[member] for param in params]
        batch = tf.shape(x)[:-1]
        x = tf.reshape(x, (-1, x.shape[-1]))
        x = self.layout.forward(self, by_layer(self.plan, params), x)
        return tf.reshape(x, tf.concat([x.shape[:-2], batch, x.shape[-1:]], axis=0))

    def dense(self, x: tf.Tensor, layer: Sequence[tf.Tensor]) -> tf.Tensor:
        """`([members,] batch, in)` by a layer's kernel and bias."""
        return matmul(x, layer[0], self.precision) + layer[1]

    def norm(self, x: tf.Tensor, layer: Sequence[tf.Tensor]) -> tf.Tensor:
        """Layer normalisation of `([members,] batch, dim)` by a layer's scale and shift."""
        return standardised(x) * layer[2] + layer[3]
