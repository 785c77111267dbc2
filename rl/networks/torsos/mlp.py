"""Multi-layer perceptron: the torso that every task shares."""

from typing import Any, Optional

import tensorflow as tf

from rl.networks.layers import InitialKernels, Torso, matmul


class MLP(Torso):
    """Dense layers with an activation after all but the last; see Torso.

    Input shape: `(..., in)`, where `...` is `(batch,)` or `(num_tasks, batch)`.
    Output shape: `(..., sizes[-1])`, or `(members, ..., sizes[-1])`.
    """

    def build(self, input_shape: Any) -> None:
        """Makes every variable: kernels `([members,] in, out)` and biases `([members, 1,] out)`."""
        lead = () if self.members is None else (self.members,)
        thin = () if self.members is None else (self.members, 1)
        fan_in = input_shape[-1]
        self.kernels = []
        self.biases = []
        for k, units in enumerate(self.sizes):
            gain = self.out_gain if k == len(self.sizes) - 1 else self.hidden_gain
            kernel = self.add_weight(
                shape=(*lead, fan_in, units),
                initializer=InitialKernels(self.initializer, gain),
                name=f"kernel_{k}",
            )
            self.kernels.append(kernel)
            fan_in = units
        for k, units in enumerate(self.sizes):
            bias = self.add_weight(shape=(*thin, units), initializer="zeros", name=f"bias_{k}")
            self.biases.append(bias)
        self.built = True

    def call(self, x: tf.Tensor, member: Optional[int] = None) -> tf.Tensor:
        """All members, or `member` alone."""
        layers = list(zip(self.kernels, self.biases))
        if member is not None:
            layers = [(kernel[member], bias[member]) for kernel, bias in layers]
        batch = tf.shape(x)[:-1]
        x = tf.reshape(x, (-1, x.shape[-1]))
        for kernel, bias in layers[:-1]:
            x = self.activation(matmul(x, kernel, self.precision) + bias)
        x = matmul(x, layers[-1][0], self.precision) + layers[-1][1]
        return tf.reshape(x, tf.concat([x.shape[:-2], batch, x.shape[-1:]], axis=0))
