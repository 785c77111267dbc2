"""Critics that learn distributions: projections by hand, Gaussians by SciPy, algorithms' losses."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm

from rl.algos import ALGOS
from rl.algos.value_losses import (
    VALUE_LOSSES,
    cross_entropy,
    expected,
    gaussian_histogram,
    make_value_loss,
    projected,
    two_hot,
)
from rl.config import UserError
from rl.flags.critic import Config
from tests.helpers_algos import FULL, HAND, make_algo, make_batches, make_spec, set_weights

ATOMS = tf.constant([-1.0, 0.0, 1.0, 2.0])
DISTRIBUTIONS = sorted(set(VALUE_LOSSES) - {"mse"})


def logits(*shares):
    """Those of the distributions that have these shares."""
    return tf.math.log(tf.constant(shares, tf.float32))


# Distributions over atoms ------------------------------------------------------


def test_projection_by_hand():
    """0.25 is a quarter of the way from atom 0 to atom 1; 5 counts as 2, the highest."""
    values = tf.constant([[0.25, 1.0], [-0.5, 5.0]])
    shares = tf.constant([[0.8, 0.2], [0.4, 0.6]])
    wanted = [[0, 0.6, 0.2 + 0.2, 0], [0.2, 0.2, 0, 0.6]]
    np.testing.assert_allclose(projected(values, shares, ATOMS), wanted, atol=1e-6)
    np.testing.assert_allclose(two_hot(tf.constant([0.25, 9.0]), ATOMS)[0], [0, 0.75, 0.25, 0])
    np.testing.assert_allclose(two_hot(tf.constant([0.25, -9.0]), ATOMS)[1], [1, 0, 0, 0])


def test_projection_is_that_of_algorithm_1():
    """Bellemare et al.'s loop over atoms, which shares each one's probability between the two
    beside it."""
    rng = np.random.default_rng(0)
    atoms = np.linspace(-10, 10, 101)
    values = rng.normal(0, 8, (20, 101))
    shares = rng.dirichlet(np.ones(101), 20)
    wanted = np.zeros_like(shares)
    place = (np.clip(values, -10, 10) + 10) / 0.2
    low = np.floor(place).astype(int)
    high = np.ceil(place).astype(int)
    for row in range(20):
        for j in range(101):
            is_between = high[row, j] > low[row, j]
            below = high[row, j] - place[row, j] if is_between else 1.0
            wanted[row, low[row, j]] += shares[row, j] * below
            wanted[row, high[row, j]] += shares[row, j] * (place[row, j] - low[row, j])
    as_tensors = [tf.constant(array, tf.float32) for array in (values, shares, atoms)]
    np.testing.assert_allclose(projected(*as_tensors), wanted, atol=1e-5)


def test_projections_keep_the_mean():
    values = tf.constant(np.random.default_rng(0).uniform(-1, 2, 50), tf.float32)
    for distribution in (two_hot(values, ATOMS), two_hot(values[:, None], ATOMS)[:, 0]):
        np.testing.assert_allclose(expected(distribution, ATOMS), values, atol=1e-5)
        np.testing.assert_allclose(tf.reduce_sum(distribution, axis=-1), np.ones(50), rtol=1e-5)


@pytest.mark.parametrize("sigma", [0.75, 2.0])
def test_gaussian_by_the_normal_distribution_function(sigma):
    atoms = np.linspace(-10, 10, 101)
    values = np.array([-30.0, -10.0, -0.07, 0.0, 3.3, 9.95])
    within = np.clip(values, -10, 10)[:, None]
    edges = np.linspace(-10.1, 10.1, 102)
    below = norm.cdf(edges, within, sigma * 0.2)
    wanted = np.diff(below) / (below[:, -1:] - below[:, :1])
    got = gaussian_histogram(tf.constant(values, tf.float32), tf.constant(atoms, tf.float32), sigma)
    np.testing.assert_allclose(got, wanted, atol=2e-6)
    inner = slice(2, 5)
    means = expected(got, tf.constant(atoms, tf.float32))
    np.testing.assert_allclose(means[inner], values[inner], atol=1e-3)


def test_cross_entropy_by_hand():
    target = tf.constant([[0.5, 0.5, 0, 0]])
    loss = cross_entropy(target, logits([0.1, 0.2, 0.3, 0.4]))
    np.testing.assert_allclose(loss, [-0.5 * np.log(0.1) - 0.5 * np.log(0.2)], rtol=1e-5)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_best_logits_are_those_of_the_target(name):
    """Where no gradient is left the value is the target's, to the width of a Gaussian."""
    loss = make_value_loss(Config(critic_loss=name))
    rng = np.random.default_rng(0)
    batch = HAND._replace(rew=tf.constant([3.3, -7.1]), done=np.zeros(2, np.float32))
    target = loss.target(tf.constant(rng.normal(size=(2, 101)), tf.float32), batch)
    best = tf.math.log(loss.distribution(target) + 1e-30)
    with tf.GradientTape() as tape:
        tape.watch(best)
        losses = loss.loss(best, target)
    np.testing.assert_allclose(tape.gradient(losses, best), np.zeros((2, 101)), atol=1e-6)
    np.testing.assert_allclose(loss.error(best, target), np.zeros(2), atol=1e-3)


# Targets -----------------------------------------------------------------------


def small(name, reduce=""):
    """With the atoms -1, 0, 1, 2."""
    return make_value_loss(Config(critic_loss=name, atoms=4, v_min=-1.0, v_max=2.0), reduce)


def test_c51_targets_by_hand():
    """r + 0.5 (z - cost) = 1 + 0.5 (z - 0.5) is (0.25, 0.75, 1.25, 1.75); the second step of HAND
    terminated with a reward of 2."""
    out2 = logits([0.4, 0.3, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25])
    target = small("c51").target(out2, HAND, cost=tf.constant([0.5, 0.5]))
    first = [
        0,
        0.4 * 0.75 + 0.3 * 0.25,
        0.4 * 0.25 + 0.3 * 0.75 + 0.2 * 0.75 + 0.1 * 0.25,
        0.2 * 0.25 + 0.1 * 0.75,
    ]
    np.testing.assert_allclose(target, [first, [0, 0, 0, 1]], atol=1e-6)


@pytest.mark.parametrize("name", ["two_hot", "hl_gauss"])
def test_other_targets_are_those_of_squared_errors(name):
    out2 = logits([0.4, 0.3, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25])
    cost = tf.constant([0.5, 0.5])
    values = small(name).q_values(out2)
    np.testing.assert_allclose(values, [0, 0.5], atol=1e-6)
    target = small(name).target(out2, HAND, cost)
    np.testing.assert_allclose(target, [1 + 0.5 * (0 - 0.5), 2], atol=1e-6)
    np.testing.assert_allclose(target, small("mse").target(values, HAND, cost), atol=1e-6)


def test_what_counts_of_two_critics():
    """Sample by sample the smaller mean's distribution, or the mean of both."""
    first = [[0.1, 0.1, 0.1, 0.7], [0.7, 0.1, 0.1, 0.1]]
    second = [[0.4, 0.2, 0.2, 0.2], [0.2, 0.2, 0.2, 0.4]]
    out = tf.stack([logits(*first), logits(*second)])
    smaller = small("c51", "min")
    np.testing.assert_allclose(smaller.probabilities(out), [second[0], first[1]], atol=1e-6)
    np.testing.assert_allclose(smaller.ensemble_q(out), [0.2, -0.4], atol=1e-6)
    mean = small("c51", "mean")
    np.testing.assert_allclose(mean.probabilities(out), (np.array(first) + second) / 2, atol=1e-6)
    np.testing.assert_allclose(mean.ensemble_q(out), [(1.4 + 0.2) / 2, (-0.4 + 0.8) / 2], atol=1e-6)


# Algorithms --------------------------------------------------------------------

PAIRS = [
    pytest.param(name, loss, marks=() if (name, loss) == ("sac", "c51") else pytest.mark.slow)
    for name in ("ddpg", "td3", "sac")
    for loss in DISTRIBUTIONS
]


@pytest.mark.parametrize("name, loss", PAIRS)
def test_algorithms_learn_distributions(name, loss):
    """The values of terminated steps go to their rewards; one trace; columns as ever."""
    algo = make_algo(ALGOS[name], num_tasks=2, critic_loss=loss, v_min=-2.0, v_max=2.0, q_lr=0.02)
    batches, updates = make_batches(100, batch=8, num_tasks=2)
    fixed = batches.obs[:1] + np.zeros_like(batches.obs)
    act = np.tanh(batches.act[:1]) + np.zeros_like(batches.act)
    rew = np.tanh(batches.rew[:1]) + np.zeros_like(batches.rew)
    batches = batches._replace(obs=fixed, act=act, rew=rew, done=np.ones_like(batches.done))
    for _ in range(3):
        info = algo.update(batches, updates, 100)
    assert info["TDError"].shape == (100, 2, 8)
    assert (info["TDError"] >= 0).all()
    assert info["TDError"][-1].mean() < 0.1 * info["TDError"][0].mean() + 0.02
    assert set(info) - {"TDError"} == set(algo.columns)
    assert algo.burst.compiled.experimental_get_tracing_count() == 1
    q = algo.value_loss.ensemble_q(algo.q(batches.obs[0], batches.act[0]))
    np.testing.assert_allclose(q, batches.rew[0], atol=0.2)


def test_ddpg_loss_by_hand():
    """Critics without weights say the same everywhere: q = (0.4, 0.3, 0.2, 0.1) over the atoms."""
    spec = make_spec(obs_dim=1, low=(-1.0,), high=(1.0,))
    flags = {"critic_loss": "c51", "atoms": 4, "v_min": -1.0, "v_max": 2.0}
    algo = make_algo(ALGOS["ddpg"], sizes=(), spec=spec, **flags)
    for net, shares in ((algo.q, [0.1, 0.2, 0.3, 0.4]), (algo.q_targ, [0.4, 0.3, 0.2, 0.1])):
        set_weights(net, np.zeros((2, 4)), np.log(shares))
    loss, info = algo.q_loss(HAND)
    # 1 + 0.5 z is (0.5, 1, 1.5, 2), and 2 at the end of the episode
    first = np.array([0, 0.2, 0.2 + 0.3 + 0.1, 0.1 + 0.1])
    entropies = [-first @ np.log([0.1, 0.2, 0.3, 0.4]), -np.log(0.4)]
    np.testing.assert_allclose(loss, np.mean(entropies), rtol=1e-5)
    np.testing.assert_allclose(info["QVals"], [1, 1], rtol=1e-5)
    np.testing.assert_allclose(info["TDError"], [0, 1], atol=1e-5)
    np.testing.assert_allclose(algo.pi_loss(HAND)[0], -1, rtol=1e-5)


def test_sac_climbs_the_mean_of_the_smaller_critic():
    spec = make_spec(obs_dim=1, low=(-1.0,), high=(1.0,))
    flags = {"critic_loss": "two_hot", "atoms": 4, "v_min": -1.0, "v_max": 2.0, "alpha": 1e-9}
    algo = make_algo(ALGOS["sac"], sizes=(), spec=spec, **flags)
    shares = np.array([[[0.1, 0.2, 0.3, 0.4]], [[0.4, 0.3, 0.2, 0.1]]])
    set_weights(algo.q, np.zeros((2, 2, 4)), np.log(shares))
    np.testing.assert_allclose(algo.pi_loss(HAND, FULL.seed)[0], 0, atol=1e-5)


def test_a_range_that_is_empty_is_refused():
    with pytest.raises(UserError, match="--v_min must be below --v_max, got 1.0 and -1.0"):
        Config(v_min=1.0, v_max=-1.0)
