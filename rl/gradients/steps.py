"""Keras' optimisers, without what they do for `tf.distribute`, and Adam with less to trace."""

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


class Adam(tf.keras.optimizers.Adam):
    """Adam, and AdamW where there is a weight_decay.

    Steps are those of Keras' Adam, which computes for each variable what all have in common. That
    makes up a third to a half of the operations of a train step, each to be traced and compiled.
    They are of one replica, too; see OneReplica.
    """

    def _backend_update_step(
        self, grads: Sequence[tf.Tensor], trainable_variables: Sequence[Any], learning_rate: Any
    ) -> None:
        """Kingma and Ba, 2015, algorithm 1, in the order of the end of its section 2:
        https://arxiv.org/abs/1412.6980."""
        count = tf.cast(self.iterations + 1, tf.float32)
        size = learning_rate * tf.sqrt(1 - self.beta_2**count) / (1 - self.beta_1**count)
        rate_1 = tf.constant(1 - self.beta_1)
        rate_2 = tf.constant(1 - self.beta_2)
        epsilon = tf.constant(self.epsilon)
        for grad, variable in zip(grads, trainable_variables):
            index = self._get_variable_index(variable)
            m = self._momentums[index]
            v = self._velocities[index]
            self.assign_add(m, (grad - m) * rate_1)
            self.assign_add(v, (tf.square(grad) - v) * rate_2)
            self.assign_sub(variable, m * size / (tf.sqrt(v) + epsilon))


class RMSprop(OneReplica, tf.keras.optimizers.RMSprop):
    """RMSprop."""


class SGD(OneReplica, tf.keras.optimizers.SGD):
    """Stochastic gradient descent."""
