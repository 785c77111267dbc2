"""Densities: integrals, closed forms, and the far tails."""

import numpy as np
import pytest
import tensorflow as tf

from rl.networks import distributions as d


@pytest.mark.parametrize("mu, log_std", [(0.0, 0.0), (0.7, -1.0), (-2.0, 0.3)])
def test_densities_integrate_to_one(mu, log_std):
    """The squashed one over its action a = tanh(u), with a fine grid in u mapped to a."""
    u = np.linspace(-12, 12, 400_001)[:, None]
    mean, spread = tf.constant([mu], tf.float64), tf.constant([log_std], tf.float64)
    gaussian = np.exp(d.gaussian_log_prob(tf.constant(u), mean, spread))
    squashed = np.exp(d.squashed_log_prob(tf.constant(u), (u - mu) * np.exp(-log_std), spread))
    np.testing.assert_allclose(np.trapezoid(gaussian, u[:, 0]), 1, rtol=1e-6)
    inside = np.abs(u[:, 0]) < 8  # beyond, neighbours in a coincide in float64
    np.testing.assert_allclose(np.trapezoid(squashed[inside], np.tanh(u[inside, 0])), 1, rtol=1e-3)


@pytest.mark.parametrize("u", [-40.0, -9.0, 0.0, 3.0, 40.0])
def test_tanh_log_det_is_exact_far_out(u):
    """log(1 - tanh(u)^2) = log 4 - 2|u| - 2 log(1 + exp(-2|u|)), in float64."""
    exact = np.log(4) - 2 * abs(u) - 2 * np.log1p(np.exp(-2 * abs(u)))
    np.testing.assert_allclose(
        d.tanh_log_det(tf.constant([u], tf.float32)), exact, rtol=1e-6, atol=1e-6
    )


def test_gaussian_by_hand():
    # two dimensions, one std away each: 2 * (-1/2 - log 2 - log(2 pi) / 2)
    got = d.gaussian_log_prob(
        tf.constant([2.0, -2.0]), tf.constant([0.0, 0.0]), tf.math.log([2.0, 2.0])
    )
    np.testing.assert_allclose(got, -1 - 2 * np.log(2) - np.log(2 * np.pi), rtol=1e-6)


def test_gaussian_entropy_is_the_mean_of_minus_log_p():
    log_std = np.array([0.5, -1.0], np.float32)
    x = np.exp(log_std) * np.random.default_rng(0).normal(size=(200_000, 2)).astype("f")
    np.testing.assert_allclose(
        -np.mean(d.gaussian_log_prob(x, 0.0, log_std)), d.gaussian_entropy(log_std), atol=0.01
    )


def test_categorical_by_hand():
    logits = tf.math.log(
        [[1.0, 2.0, 1.0], [4.0, 4.0, 8.0]]
    )  # probabilities 1/4 1/2 1/4, twice in another order
    np.testing.assert_allclose(
        d.categorical_log_prob(tf.constant([1, 0]), logits), np.log([0.5, 0.25]), rtol=1e-6
    )
    np.testing.assert_allclose(d.categorical_entropy(logits), [1.5 * np.log(2)] * 2, rtol=1e-6)


def test_categorical_with_a_task_axis():
    logits, index = tf.random.stateless_normal((3, 4, 5), [0, 0]), tf.constant(
        np.arange(12).reshape(3, 4) % 5
    )
    wanted = np.take_along_axis(tf.nn.log_softmax(logits).numpy(), index.numpy()[..., None], -1)[
        ..., 0
    ]
    np.testing.assert_allclose(d.categorical_log_prob(index, logits), wanted, rtol=1e-6)
