"""Keras' optimisers, without what they do for `tf.distribute`."""

from typing import Any, Callable, Sequence

import tensorflow as tf


class OneReplica:
    """Steps of one replica.

    Keras sums gradients over replicas, also where there is but one. That registers a gradient
    function with each trace, which keeps the traced graph for as long as the process lives.
    """

    update_step: Callable[..., None]  # the optimiser's own

    def _backend_update_step(
        self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[Any], learning_rate: Any
    ) -> None:
        for grad, variable in zip(grads, trainable_variables):
            self.update_step(grad, variable, learning_rate)


class Adam(OneReplica, tf.keras.optimizers.Adam):
    """Adam, and AdamW where there is a weight_decay."""


class RMSprop(OneReplica, tf.keras.optimizers.RMSprop):
    """RMSprop."""


class SGD(OneReplica, tf.keras.optimizers.SGD):
    """Stochastic gradient descent."""
