"""Log-densities and entropies, summed over the last axis; x `(..., dim)` gives `(...)`.

Written out because that is shorter than a library's import: each is a few lines, takes noise
that was drawn elsewhere from a saved generator, and compiles into one fused kernel.
"""

import math

import tensorflow as tf

LOG_2PI = math.log(2 * math.pi)


def noise_log_prob(noise: tf.Tensor, log_std: tf.Tensor) -> tf.Tensor:
    """Of mu + exp(log_std) * noise under that diagonal Gaussian."""
    return -0.5 * tf.reduce_sum(noise**2 + 2 * log_std + LOG_2PI, axis=-1)


def gaussian_log_prob(x: tf.Tensor, mu: tf.Tensor, log_std: tf.Tensor) -> tf.Tensor:
    """Of a diagonal Gaussian."""
    return noise_log_prob((x - mu) * tf.exp(-log_std), log_std)


def gaussian_entropy(log_std: tf.Tensor) -> tf.Tensor:
    """Of a diagonal Gaussian."""
    return tf.reduce_sum(log_std + 0.5 * (1 + LOG_2PI), axis=-1)


def tanh_log_det(u: tf.Tensor) -> tf.Tensor:
    """log |d tanh(u) / du|. In this form exact for any u: log(1 - tanh(u)^2) is -inf from |u| = 9
    in float32."""
    return tf.reduce_sum(2 * (math.log(2) - u - tf.nn.softplus(-2 * u)), axis=-1)


def squashed_log_prob(u: tf.Tensor, noise: tf.Tensor, log_std: tf.Tensor) -> tf.Tensor:
    """Of tanh(u), u = mu + exp(log_std) * noise. Haarnoja et al., 2018, appendix C.

    From the noise, because u - mu loses all its digits when the std is small.
    """
    return noise_log_prob(noise, log_std) - tanh_log_det(u)


def categorical_log_prob(index: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Of whole numbers `(...)` under logits `(..., choices)`."""
    return tf.gather(tf.nn.log_softmax(logits), index, batch_dims=len(index.shape))


def categorical_entropy(logits: tf.Tensor) -> tf.Tensor:
    """Of logits `(..., choices)`."""
    log_prob = tf.nn.log_softmax(logits)
    return -tf.reduce_sum(tf.exp(log_prob) * log_prob, axis=-1)
