"""What every torso is made of: activations, initial kernels, products, arguments."""

import math
from typing import Any, Callable, Optional, Sequence

import numpy as np
import tensorflow as tf

from rl.config import NoFlags
from rl.networks.layouts import LAYOUTS

# name -> the function for TensorFlow and for NumPy
ACTIVATIONS: dict[str, tuple[Callable, Callable]] = {
    "relu": (tf.nn.relu, lambda x: np.maximum(x, 0)),
    "tanh": (tf.tanh, np.tanh),
    "elu": (tf.nn.elu, lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    "silu": (tf.nn.silu, lambda x: x / (1 + np.exp(np.minimum(-x, 88)))),
}
# name -> the gain of all layers but the last
INITIALIZERS = {
    "glorot_uniform": 1.0,
    "he_uniform": 1.0,
    "lecun_uniform": 1.0,
    "orthogonal": math.sqrt(2),
}
NORM_EPSILON = 1e-6  # added to the variance in layer normalisation


def matmul(x: tf.Tensor, kernel: tf.Tensor, precision: str) -> tf.Tensor:
    """The float32 product of inputs rounded to `precision`."""
    if precision == "float32":
        return tf.matmul(x, kernel)
    return tf.cast(tf.matmul(tf.cast(x, precision), tf.cast(kernel, precision)), tf.float32)


def standardised(x: tf.Tensor) -> tf.Tensor:
    """x minus its mean over the last axis, over its std. Ba et al., 2016:
    https://arxiv.org/abs/1607.06450."""
    centred = x - tf.reduce_mean(x, axis=-1, keepdims=True)
    variance = tf.reduce_mean(centred**2, axis=-1, keepdims=True)
    return centred * tf.math.rsqrt(variance + NORM_EPSILON)


class InitialKernels:
    """Draws kernels `(..., in, out)` for `add_weight`, each matrix by itself.

    Args:
      initializer: a name in INITIALIZERS. gain: factor on each matrix, a number or `(out,)`.
      alike: whether matrices along the third axis from the end are one and the same.
    """

    def __init__(self, initializer: str, gain: Any, alike: bool = False) -> None:
        self.initializer = initializer
        self.gain = gain
        self.alike = alike

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
        lead = (*shape[:-3], 1) if self.alike else shape[:-2]
        matrices = [self._matrix(shape[-2:], dtype) for _ in range(math.prod(lead))]
        kernels = tf.reshape(tf.stack(matrices), (*lead, *shape[-2:]))
        return tf.broadcast_to(kernels, shape)

    def _matrix(self, shape: tuple[int, ...], dtype: Any) -> tf.Tensor:
        # One of Keras for all would take leading axes for a part of the fan, and repeats its values
        # when it's called again.
        return self.gain * tf.keras.initializers.get(self.initializer)(shape, dtype)


class Torso(tf.keras.Model):
    """What all torsos are told.

    A torso has `call`, or `memory_shape` and `step`: then what it says depends on the steps before,
    as in recurrent networks. Only on-policy algorithms unroll it.

    Args:
      sizes: units of each layer; the last is the output.
      config: the network's own flags, its dataclass in rl.flags.torsos.
      activation: a name in ACTIVATIONS.
      initializer: of the kernels, a name in INITIALIZERS; biases start at zero.
      members: None, or the size of an ensemble of independent networks on a new leading axis.
      out_gain: factor on the initial kernel of the last layer: a number, or `(sizes[-1],)`.
      precision: "float32", or "bfloat16" for matrix products whose inputs are rounded to it; all
        else is float32.
      layers: how dense layers follow one another, a name in LAYOUTS.

    Attributes:
      memory_shape: of one env's memory, where it has one.
    """

    memory_shape: Optional[tuple[int, ...]] = None

    def __init__(
        self,
        sizes: Sequence[int],
        config: Any = NoFlags(),
        activation: str = "relu",
        initializer: str = "glorot_uniform",
        members: Optional[int] = None,
        out_gain: Any = 1.0,
        precision: str = "float32",
        layers: str = "dense",
    ) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.config = config
        self.members = members
        self.initializer = initializer
        self.precision = precision
        self.layout = LAYOUTS[layers]
        self.hidden_gain = INITIALIZERS[initializer]
        self.out_gain = np.array(out_gain, np.float32)
        self.activation, self.numpy_activation = ACTIVATIONS[activation]

    def step(self, x: tf.Tensor, memory: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """A step of every env by a torso with memory.

        Args:
          x: `(..., envs, in)`. memory: `(..., envs, *memory_shape)`, float32; zeros where an
            episode starts, which callers see to.

        Returns:
          The output `(..., envs, sizes[-1])`, and the memory after the step.
        """
        raise NotImplementedError
