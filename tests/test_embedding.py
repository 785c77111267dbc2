"""Codes of the tasks that critics learn, and actors are given."""

import numpy as np
import pytest
import tensorflow as tf

from rl.algos import ALGOS
from rl.experiments.build import make_torsos
from rl.gradients.optimizer import Config, Optimizers
from rl.networks.torsos.trunk import Shared
from rl.splitting import TaskOptimizers
from tests.helpers_algos import act, make_batches, make_spec, one

T, D, OUT, SIZE = 3, 4, 2, 5


def make(**options):
    net = Shared((8, OUT), **options)
    net.build((T, None, D))
    return net


def make_algo(name, **flags):
    """For three tasks, with codes of five numbers."""
    tf.keras.utils.set_random_seed(0)
    torsos = make_torsos({"hidden_sizes": (8,), "task_onehot": False}, make_spec(T))
    config = ALGOS[name].flags(critic_embedding=SIZE, **flags)
    return ALGOS[name](make_spec(T), torsos, Optimizers(), config)


def code(net):
    return np.array(net.torso.embedding)


def test_codes_of_one_number_each_are_one_hot_codes():
    """Whatever their length."""
    coded = make(onehot=False, embedding=T, learns=True)
    onehot = make()
    onehot.set_weights(coded.get_weights()[:-1])
    coded.embedding.assign(3 * np.eye(T, dtype=np.float32))
    x = tf.random.stateless_normal((T, 5, D), (0, 0))
    np.testing.assert_allclose(coded(x), onehot(x), rtol=1e-5, atol=1e-6)


def test_codes_that_are_given_do_not_learn():
    given = make(onehot=False, embedding=SIZE)
    assert [variable.name for variable in given.non_trainable_variables] == ["embedding"]
    learned = make(onehot=False, embedding=SIZE, learns=True)
    given.set_weights(learned.get_weights())
    x = tf.random.stateless_normal((T, 5, D), (0, 0))
    np.testing.assert_array_equal(given(x), learned(x))
    assert len(learned.regions) == len(given.regions) + 1


def test_halves_of_batches_are_told_apart_beside_codes_that_are_given():
    """Which are in no region, so that nothing is to be known of their gradients."""
    tf.keras.utils.set_random_seed(0)
    values = {"network": "splitting", "split_criterion": "conflict", "hidden_sizes": (8,)}
    torsos = make_torsos(values, make_spec(T))
    optimizers = TaskOptimizers(num_tasks=T, changes=torsos.options)
    config = ALGOS["ddpg"].flags(critic_embedding=SIZE)
    algo = ALGOS["ddpg"](make_spec(T), torsos, optimizers, config)
    batch, update = one(make_batches(1, 4, T))
    for opt, loss in ((algo.q_opt, algo.q_loss), (algo.pi_opt, algo.pi_loss)):
        grads, _ = opt.gradients(lambda loss=loss: loss(batch), update)
        assert all(np.isfinite(grad).all() for grad in grads)


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("ddpg", "td3")]


@pytest.mark.parametrize("name", ["sac", *SLOW])
def test_actors_have_the_codes_of_the_critics(name):
    """From the start, and after an update; target critics have codes that lag behind."""
    algo = make_algo(name, polyak=0.5)
    first = code(algo.q)
    np.testing.assert_array_equal(code(algo.actor), first)
    batch, update = one(make_batches(1, num_tasks=T))
    algo.train_step(batch, update._replace(number=tf.constant(1)))
    assert np.abs(code(algo.q) - first).max() > 1e-4
    np.testing.assert_array_equal(code(algo.actor), code(algo.q))
    np.testing.assert_allclose(code(algo.q_targ), (first + code(algo.q)) / 2, rtol=1e-5, atol=1e-6)
    if name != "sac":
        np.testing.assert_array_equal(code(algo.actor_targ), code(algo.q))
    obs = batch.obs.numpy()
    algo.refresh()
    np.testing.assert_allclose(act(algo.policy, obs), algo.actor(obs), rtol=1e-4, atol=1e-5)


def test_actors_do_not_train_the_codes():
    algo = make_algo("sac")
    batch, update = one(make_batches(1, num_tasks=T))
    before = code(algo.q)
    algo.pi_opt.minimise(lambda: algo.pi_loss(batch, update.seed), update)
    np.testing.assert_array_equal(code(algo.q), before)
    assert all("embedding" not in variable.name for variable in algo.pi_opt.targets)
    assert any("embedding" in variable.name for variable in algo.q_opt.targets)


def test_both_critics_have_the_same_codes_which_do_not_decay():
    algo = make_algo("sac")
    assert algo.q.torso.embedding.shape == (T, SIZE)
    torsos = make_torsos({"hidden_sizes": (8,)}, make_spec(T))
    flags = ALGOS["sac"].flags(critic_embedding=SIZE)
    decays = ALGOS["sac"](make_spec(T), torsos, Optimizers(Config(weight_decay=0.5)), flags)
    before = code(decays.q)
    zeros = [tf.zeros_like(target) for target in decays.q_opt.targets]
    decays.q_opt.opt.apply(zeros, decays.q_opt.targets)
    np.testing.assert_array_equal(code(decays.q), before)
