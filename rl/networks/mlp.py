"""Multi-layer perceptron: the torso that every task shares."""

import math
from typing import Any, Callable, Optional, Sequence

import numpy as np
import tensorflow as tf

# name -> the function for TensorFlow and for NumPy
ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    "relu": (tf.nn.relu, lambda x: np.maximum(x, 0)),
    "tanh": (tf.tanh, np.tanh),
    "elu": (tf.nn.elu, lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    "silu": (tf.nn.silu, lambda x: x / (1 + np.exp(-x))),
}
# name -> the gain of all layers but the last
INITIALIZERS = {
    "glorot_uniform": 1.0,
    "he_uniform": 1.0,
    "lecun_uniform": 1.0,
    "orthogonal": math.sqrt(2),
}


def matmul(x: tf.Tensor, kernel: tf.Tensor, precision: str) -> tf.Tensor:
    """The float32 product of inputs rounded to `precision`."""
    if precision == "float32":
        return tf.matmul(x, kernel)
    return tf.cast(tf.matmul(tf.cast(x, precision), tf.cast(kernel, precision)), tf.float32)


class Torso(tf.keras.Model):
    """What all torsos are told.

    Args:
      sizes: units of each layer; the last is the output.
      activation: a name in ACTIVATIONS.
      initializer: of the kernels, a name in INITIALIZERS; biases start at zero.
      members: None, or the size of an ensemble of independent networks on a new leading axis.
      out_gain: factor on the initial kernel of the last layer: a number, or `(sizes[-1],)`.
      precision: "float32", or "bfloat16" for matrix products whose inputs are rounded to it; all
        else is float32.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "relu",
        initializer: str = "glorot_uniform",
        members: Optional[int] = None,
        out_gain: Any = 1.0,
        precision: str = "float32",
    ) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.members = members
        self.initializer = initializer
        self.precision = precision
        self.hidden_gain = INITIALIZERS[initializer]
        self.out_gain = np.array(out_gain, np.float32)
        self.activation, self.numpy_activation = ACTIVATIONS[activation]


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

    def to_numpy(self, weights: Sequence[np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
        """The function of `get_weights()` in NumPy, float32: a small batch takes microseconds, not
        a graph call."""
        layers = list(zip(weights[: len(self.sizes)], weights[len(self.sizes) :]))

        def forward(x: np.ndarray) -> np.ndarray:
            for kernel, bias in layers[:-1]:
                x = self.numpy_activation(x @ kernel + bias)
            return x @ layers[-1][0] + layers[-1][1]

        return forward
