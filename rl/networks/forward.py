"""A torso as a function of given weights and arrays, for acting while updates change the
variables."""

from typing import Any, Callable, Sequence

import numpy as np
import tensorflow as tf


def compile_call(torso: tf.keras.Model) -> Any:
    """A compiled function of `torso.get_weights()` and an input; make it once, it traces once."""

    def call(weights: Sequence[Any], x: Any) -> Any:
        count = len(torso.trainable_variables)
        return torso.stateless_call(weights[:count], weights[count:], x)[0]

    return tf.function(call)


def numpy_forward(
    torso: tf.keras.Model, compiled: Any, weights: Sequence[np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    """`torso` with `weights`: NumPy where it has a mirror, one call of `compiled` where it has
    none."""
    if hasattr(torso, "to_numpy"):
        return torso.to_numpy(weights)
    return lambda x: compiled(weights, x).numpy()
