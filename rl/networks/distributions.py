"""Densities over the last axis, x `(..., dim)` gives `(...)`: TensorFlow Probability's, where they
are exact in the far tails.

It takes a second to import, so that only algorithms with such policies do.
"""

from types import ModuleType
from typing import Any

import tensorflow as tf


def _probability() -> ModuleType:
    with tf.init_scope():  # not in the function that is being traced
        import tensorflow_probability  # pylint: disable=import-outside-toplevel

    return tensorflow_probability


def categorical(logits: tf.Tensor) -> Any:
    """A choice among some, with logits `(..., choices)`: a `tfd.Categorical`."""
    return _probability().distributions.Categorical(logits)


def gaussian(mu: tf.Tensor, log_std: tf.Tensor) -> Any:
    """The diagonal Gaussian with means and log stds `(..., dim)`: a `tfd.Distribution`.

    Not `tfd.Independent(tfd.Normal(...))`, which subtracts mu / std from x / std: that leaves no
    digits when the std is small.
    """
    return _probability().distributions.MultivariateNormalDiag(mu, tf.exp(log_std))


def squashed_sample(
    mu: tf.Tensor, log_std: tf.Tensor, noise: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """tanh(u) `(..., dim)` for u = mu + exp(log_std) * noise, and its log density `(...)`. Haarnoja
    et al., 2018, appendix C.

    The density is that of the standard normal noise, carried through the bijector. That is exact
    for any u and any std, while from the action it would be infinite or NaN where tanh rounds to
    1, and from u it would lose its digits when the std is small. The noise is an argument since
    TFP's samplers turn a seed into other numbers on each kind of device.
    """
    tfb = _probability().bijectors
    tfd = _probability().distributions
    squash = tfb.Chain([tfb.Tanh(), tfb.Shift(mu), tfb.Scale(log_scale=log_std)])
    standard = tfd.Normal(tf.zeros_like(noise), 1.0)
    log_prob = standard.log_prob(noise) - squash.forward_log_det_jacobian(noise, event_ndims=0)
    return squash.forward(noise), tf.reduce_sum(log_prob, axis=-1)
