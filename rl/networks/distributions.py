"""Densities over the last axis, x `(..., dim)` gives `(...)`, in forms that are exact in the far
tails.

TensorFlow Probability's agree, as tests say. They aren't used since its bijectors remember the
tensors of every trace for as long as the process lives, and take a second to import.
"""

import math
from typing import NamedTuple

import tensorflow as tf

LOG_2PI = math.log(2 * math.pi)


class Gaussian(NamedTuple):
    """The diagonal Gaussian with means `(..., dim)` and log stds that broadcast to them."""

    mu: tf.Tensor
    log_std: tf.Tensor

    def log_prob(self, x: tf.Tensor) -> tf.Tensor:
        """The log density. Subtracts before it divides: mu / std from x / std would leave no
        digits when the std is small."""
        return _log_density((x - self.mu) / tf.exp(self.log_std), self.log_std)

    def entropy(self) -> tf.Tensor:
        """In nats."""
        log_std = self.log_std + tf.zeros_like(self.mu)
        return tf.reduce_sum(log_std + (1 + LOG_2PI) / 2, axis=-1)


class Categorical(NamedTuple):
    """A choice among some, with logits `(..., choices)`."""

    logits: tf.Tensor

    def log_prob(self, choice: tf.Tensor) -> tf.Tensor:
        """The log probability of the choices with these numbers, int `(...)`."""
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(choice, self.logits)

    def entropy(self) -> tf.Tensor:
        """In nats; choices with a logit of -inf add nothing."""
        log_probs = tf.nn.log_softmax(self.logits)
        return -tf.reduce_sum(tf.math.multiply_no_nan(log_probs, tf.exp(log_probs)), axis=-1)


def squashed_sample(
    mu: tf.Tensor, log_std: tf.Tensor, noise: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """tanh(u) `(..., dim)` for u = mu + exp(log_std) * noise, and its log density `(...)`. Haarnoja
    et al., 2018, appendix C.

    The density is that of the standard normal noise over the slopes of what follows. That is exact
    for any u and any std, while from the action it would be infinite or NaN where tanh rounds to
    1, and from u it would lose its digits when the std is small. The noise is an argument since
    samplers turn a seed into other numbers on each kind of device.
    """
    u = mu + tf.exp(log_std) * noise
    log_slope = 2 * (math.log(2) - u - tf.math.softplus(-2 * u))  # log(1 - tanh(u)^2)
    return tf.tanh(u), _log_density(noise, log_std + log_slope)


def _log_density(noise: tf.Tensor, log_slope: tf.Tensor) -> tf.Tensor:
    """The log density of what standard normal noise was mapped to, one by one, with these log
    slopes."""
    return -tf.reduce_sum(0.5 * (noise**2 + LOG_2PI) + log_slope, axis=-1)
