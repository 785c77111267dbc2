"""Densities: integrals, closed forms in float64, gradients, and the far tails."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import bijectors as tfb
from tensorflow_probability import distributions as tfd

from rl.networks import distributions as d

DIM = 6
LOG_2PI = np.log(2 * np.pi)


def inputs(dtype):
    """Three arrays (2, 16, DIM): of both signs, a few times 1."""
    draws = np.random.default_rng(0).normal(size=(3, 2, 16, DIM))
    return [tf.constant(x, dtype) for x in draws]


def compiled_gradients(function, *arguments):
    """The outputs of `function` compiled by XLA in one trace, and the gradient of the sum of each
    one with respect to every argument, all in float64."""

    @tf.function(jit_compile=True)
    def outputs_and_gradients(*arguments):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(arguments)
            outputs = function(*arguments)
        gradients = [
            tape.gradient(output, arguments, unconnected_gradients="zero") for output in outputs
        ]
        return outputs, gradients

    outputs_and_gradients(*[tf.ones_like(x) for x in arguments])
    outputs, gradients = outputs_and_gradients(*arguments)
    assert outputs_and_gradients.experimental_get_tracing_count() == 1
    return tf.nest.map_structure(lambda x: x.numpy().astype(np.float64), (outputs, gradients))


def log_tanh_slope(u):
    """log(1 - tanh(u)^2) = log 4 - 2|u| - 2 log(1 + exp(-2|u|)), each."""
    return np.log(4) - 2 * np.abs(u) - 2 * np.log1p(np.exp(-2 * np.abs(u)))


def sum_close(got, wanted, dtype):
    """Equal but for the rounding of a sum of DIM terms."""
    tolerance = {"float32": 1e-6, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=DIM * tolerance)


# Closed forms --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gaussian_equals_its_closed_form(dtype):
    x, mu, log_std = inputs(dtype)

    def outputs(x, mu, log_std):
        policy = d.Gaussian(mu, log_std)
        return policy.log_prob(x), policy.entropy()

    (log_prob, entropy), gradients = compiled_gradients(outputs, x, mu, log_std)
    x, mu, log_std = (v.numpy().astype(np.float64) for v in (x, mu, log_std))
    noise = (x - mu) * np.exp(-log_std)
    sum_close(log_prob, -0.5 * np.sum(noise**2 + 2 * log_std + LOG_2PI, axis=-1), dtype)
    sum_close(entropy, np.sum(log_std + 0.5 * (1 + LOG_2PI), axis=-1), dtype)
    slope = noise * np.exp(-log_std)
    for got, wanted in zip(gradients[0], (-slope, slope, noise**2 - 1)):
        sum_close(got, wanted, dtype)
    for got, wanted in zip(gradients[1], (0, 0, 1)):
        sum_close(got, np.broadcast_to(wanted, x.shape), dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_squashed_equals_its_closed_form(dtype):
    """The gradients are those of the reparametrisation: the noise stays, u moves."""
    noise, mu, log_std = inputs(dtype)
    (act, log_prob), (act_gradients, gradients) = compiled_gradients(
        d.squashed_sample, mu, log_std, noise
    )
    noise, mu, log_std = (v.numpy().astype(np.float64) for v in (noise, mu, log_std))
    u = mu + np.exp(log_std) * noise
    terms = -0.5 * (noise**2 + 2 * log_std + LOG_2PI) - log_tanh_slope(u)
    sum_close(act, np.tanh(u), dtype)
    sum_close(log_prob, np.sum(terms, axis=-1), dtype)
    spread = np.exp(log_std) * noise
    for got, wanted in zip(act_gradients, (np.ones_like(u), spread)):
        sum_close(got, wanted * np.exp(log_tanh_slope(u)), dtype)
    for got, wanted in zip(gradients, (2 * np.tanh(u), 2 * np.tanh(u) * spread - 1)):
        sum_close(got, wanted, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_categorical_equals_its_closed_form(dtype):
    logits, *_ = inputs(dtype)
    index = np.arange(32).reshape(2, 16) % DIM

    def outputs(logits):
        policy = d.Categorical(logits)
        return policy.log_prob(index), policy.entropy()

    (log_prob, entropy), gradients = compiled_gradients(outputs, logits)
    logits = logits.numpy().astype(np.float64)
    log_probs = logits - np.log(np.sum(np.exp(logits), axis=-1, keepdims=True))
    probs, chosen = np.exp(log_probs), np.eye(DIM)[index]
    wanted_entropy = -np.sum(probs * log_probs, axis=-1)
    sum_close(log_prob, np.sum(chosen * log_probs, axis=-1), dtype)
    sum_close(entropy, wanted_entropy, dtype)
    sum_close(gradients[0][0], chosen - probs, dtype)
    sum_close(gradients[1][0], -probs * (log_probs + wanted_entropy[..., None]), dtype)


def test_gaussian_by_hand():
    # two dimensions, one std away each: 2 * (-1/2 - log 2 - log(2 pi) / 2)
    policy = d.Gaussian(tf.constant([0.0, 0.0]), tf.math.log([2.0, 2.0]))
    got = policy.log_prob([2.0, -2.0])
    np.testing.assert_allclose(got, -1 - 2 * np.log(2) - np.log(2 * np.pi), rtol=1e-6)


def test_gaussian_entropy_is_the_mean_of_minus_log_p():
    log_std = np.array([0.5, -1.0], np.float32)
    x = np.exp(log_std) * np.random.default_rng(0).normal(size=(200_000, 2)).astype("f")
    policy = d.Gaussian(tf.zeros(2), tf.constant(log_std))
    np.testing.assert_allclose(-np.mean(policy.log_prob(x)), policy.entropy(), atol=0.01)


@pytest.mark.parametrize("mu, log_std", [(0.0, 0.0), (0.7, -1.0), (-2.0, 0.3)])
def test_densities_integrate_to_one(mu, log_std):
    """The squashed one over its action a = tanh(u), with a fine grid in u mapped to a."""
    u = np.linspace(-12, 12, 400_001)[:, None]
    mean, spread = tf.constant([mu], tf.float64), tf.constant([log_std], tf.float64)
    gaussian = np.exp(d.Gaussian(mean, spread).log_prob(u))
    noise = tf.constant((u - mu) * np.exp(-log_std))
    squashed = np.exp(d.squashed_sample(mean, spread, noise)[1])
    np.testing.assert_allclose(np.trapezoid(gaussian, u[:, 0]), 1, rtol=1e-6)
    inside = np.abs(u[:, 0]) < 8  # beyond, neighbours in a coincide in float64
    np.testing.assert_allclose(np.trapezoid(squashed[inside], np.tanh(u[inside, 0])), 1, rtol=1e-3)


# Far tails: what is ours, and why -----------------------------------------------------------


@pytest.mark.parametrize("u", [-40.0, -10.0, 10.0, 40.0])
def test_saturated_action_has_its_density(u):
    """Where tanh(u) rounds to 1 or -1 the action no longer says what u was, and TFP's density of
    it isn't finite; that of a sample is."""
    mu, log_std, noise = tf.constant([u]), tf.zeros(1), tf.constant([0.5])
    saturated = tf.tanh(mu + noise)
    assert saturated == np.sign(u)
    of_action = tfd.TransformedDistribution(
        tfd.MultivariateNormalDiag(mu, tf.exp(log_std)), tfb.Tanh()
    )
    assert not np.isfinite(of_action.log_prob(saturated))
    (act, log_prob), (_, gradients) = compiled_gradients(d.squashed_sample, mu, log_std, noise)
    np.testing.assert_allclose(act, saturated, rtol=1e-6)
    wanted = -0.5 * (0.5**2 + LOG_2PI) - log_tanh_slope(u + 0.5)
    np.testing.assert_allclose(log_prob, wanted, rtol=1e-6)
    np.testing.assert_allclose(gradients[0], 2 * np.sign(u), rtol=1e-6)
    np.testing.assert_allclose(gradients[1], np.sign(u) - 1, rtol=1e-6)


@pytest.mark.parametrize("log_std", [-6.0, -12.0, -20.0])
def test_small_std_loses_no_digits(log_std):
    """u = mu + std * noise rounds most of the noise off, and x / std - mu / std would too."""
    mu, noise = tf.constant([[0.7, -1.3]]), tf.constant([[0.3, -1.1]])
    spread = tf.fill((2,), log_std)
    of_noise = -0.5 * np.sum(noise.numpy().astype(np.float64) ** 2 + 2 * log_std + LOG_2PI)
    u = mu.numpy() + np.exp(log_std) * noise.numpy()
    _, log_prob = d.squashed_sample(mu, spread, noise)
    np.testing.assert_allclose(log_prob, of_noise - np.sum(log_tanh_slope(u)), rtol=1e-6)

    x = np.float32(u)
    exact = (x.astype(np.float64) - mu.numpy()) * np.exp(-log_std)
    wanted = -0.5 * np.sum(exact**2 + 2 * log_std + LOG_2PI)
    np.testing.assert_allclose(d.Gaussian(mu, spread).log_prob(x), wanted, rtol=1e-6)


# TensorFlow Probability's -----------------------------------------------------------------------


def test_they_are_those_of_tensorflow_probability():
    x, mu, log_std = inputs("float64")
    ours = d.Gaussian(mu, log_std)
    theirs = tfd.MultivariateNormalDiag(mu, tf.exp(log_std))
    sum_close(ours.log_prob(x), theirs.log_prob(x), "float64")
    sum_close(ours.entropy(), theirs.entropy(), "float64")

    act, log_prob = d.squashed_sample(mu, log_std, x)
    squashed = tfd.TransformedDistribution(theirs, tfb.Tanh())
    np.testing.assert_allclose(log_prob, squashed.log_prob(act), rtol=1e-6)

    index = np.arange(32).reshape(2, 16) % DIM
    masked = tf.where(tf.range(DIM) == 1, -np.inf, mu)
    for logits in (mu, masked):
        sum_close(
            d.Categorical(logits).log_prob(index),
            tfd.Categorical(logits).log_prob(index),
            "float64",
        )
        sum_close(d.Categorical(logits).entropy(), tfd.Categorical(logits).entropy(), "float64")


def test_one_log_std_for_all_means():
    """Broadcast, its entropy has the shape of the means'."""
    mu = tf.zeros((3, 5, 2))
    log_std = tf.constant([0.5, -1.0])
    np.testing.assert_allclose(
        d.Gaussian(mu, log_std).entropy(), np.full((3, 5), 1 + LOG_2PI - 0.5), rtol=1e-6
    )
