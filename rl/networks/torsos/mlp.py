"""Multi-layer perceptron: the torso that every task shares."""

from typing import Any, Callable, Optional

import tensorflow as tf

from rl.networks.layers import Torso, matmul


class MLP(Torso):
    """Dense layers with an activation after all but the last; see Torso.

    Input shape: `(..., in)`, where `...` is `(batch,)` or `(num_tasks, batch)`.
    Output shape: `(..., sizes[-1])`, or `(members, ..., sizes[-1])`.
    """

    def build(self, input_shape: Any) -> None:
        """Makes every variable: kernels `([members,] in, out)` and biases `([members, 1,] out)`."""
        fan_ins = (input_shape[-1], *self.sizes[:-1])
        gains = [*[self.hidden_gain] * len(self.sizes[:-1]), self.out_gain]
        lead, thin = ((), ()) if self.members is None else ((self.members,), (self.members, 1))
        self.kernels = [
            self.add_weight(
                shape=(*lead, i, o), initializer=self._init(gains[k]), name=f"kernel_{k}"
            )
            for k, (i, o) in enumerate(zip(fan_ins, self.sizes))
        ]
        self.biases = [
            self.add_weight(shape=(*thin, o), initializer="zeros", name=f"bias_{k}")
            for k, o in enumerate(self.sizes)
        ]
        self.built = True

    def _init(self, gain: Any) -> Callable[..., tf.Tensor]:
        def init(shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
            # A fresh initializer for each member: Keras' repeat their values, and would read the
            # axis as a fan.
            draw = lambda: gain * tf.keras.initializers.get(self.initializer)(shape[-2:], dtype)
            return (
                draw() if self.members is None else tf.stack([draw() for _ in range(self.members)])
            )

        return init

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
