"""DDPG: losses by hand, targets, compiled steps, exploration."""

import re

import numpy as np
import pytest
import tensorflow as tf

from rl.algos.common import polyak_average
from rl.algos.ddpg import DDPG
from rl.networks import MLP
from tests.helpers import ROOT
from tests.helpers_algos import HAND, act, make_algo, make_batches, make_spec, one, set_weights


def make_ddpg(num_tasks=None, **options):
    return make_algo(DDPG, num_tasks, **options)


def linear_ddpg(**flags):
    """One obs, one action, linear networks: pi = tanh(w obs), q = a obs + b act + c, in units
    whatever the bounds."""
    spec = make_spec(obs_dim=1, low=(-2.0,), high=(2.0,))
    algo = make_ddpg(sizes=(), spec=spec, **flags)
    set_weights(algo.actor, [[0]], [np.arctanh(0.5)])  # pi = 0.5
    set_weights(algo.actor_targ, [[0]], [np.arctanh(0.25)])  # pi_targ = 0.25
    set_weights(algo.q, [[1], [4]], [3])  # q = obs + 4 act + 3
    set_weights(algo.q_targ, [[2], [8]], [1])  # q_targ = 2 obs + 8 act + 1
    return algo


def test_q_loss_by_hand():
    # q = (6, 1); q_targ(obs2, 0.25) = (5, 13); backup = (1 + 0.5 * 5, 2) = (3.5, 2), the second one
    # terminated
    loss, info = linear_ddpg().q_loss(HAND)
    np.testing.assert_allclose(loss, ((6 - 3.5) ** 2 + (1 - 2) ** 2) / 2, rtol=1e-6)
    np.testing.assert_allclose(info["QVals"], [6, 1], rtol=1e-6)
    np.testing.assert_allclose(info["TDError"], [2.5, 1], rtol=1e-6)


def test_weights_scale_each_squared_error():
    batch = HAND._replace(weight=np.array([0.5, 1.0], np.float32))
    loss, _ = linear_ddpg().q_loss(batch)
    np.testing.assert_allclose(loss, (0.5 * 2.5**2 + 1) / 2, rtol=1e-6)


def test_pi_loss_by_hand():
    # q(obs, 0.5) = (1 + 2 + 3, 0 + 2 + 3)
    loss, _ = linear_ddpg().pi_loss(HAND)
    np.testing.assert_allclose(loss, -5.5, rtol=1e-6)


def test_train_step_follows_the_papers_order():
    """Critic first, then the actor against the new critic, then the targets: against the same by
    hand."""
    algo, other = make_ddpg(polyak=0.75), make_ddpg(polyak=0.75)
    batch, update = one(make_batches(1))
    algo.train_step(batch, update)
    for loss_fn, opt, net in (
        (other.q_loss, other.q_opt, other.q),
        (other.pi_loss, other.pi_opt, other.actor),
    ):
        with tf.GradientTape() as tape:
            loss, _ = loss_fn(batch)
        opt.opt.apply_gradients(
            zip(tape.gradient(loss, net.trainable_variables), net.trainable_variables)
        )
    for net, targ in other.targets:
        targ.set_weights(
            [0.75 * t + 0.25 * w for w, t in zip(net.get_weights(), targ.get_weights())]
        )
    for (net, targ), (other_net, other_targ) in zip(algo.targets, other.targets):
        for part, wanted in ((net, other_net), (targ, other_targ)):
            for got, want in zip(part.get_weights(), wanted.get_weights()):
                np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_polyak_is_exact():
    net, targ = MLP([1]), MLP([1])
    for mlp, value in ((net, 4.0), (targ, 8.0)):
        mlp.build((None, 1))
        set_weights(mlp, [[value]], [value])
    polyak_average([(net, targ)], 0.75)
    assert [float(w.squeeze()) for w in targ.get_weights()] == [7.0, 7.0]
    assert [float(w.squeeze()) for w in net.get_weights()] == [4.0, 4.0]


@pytest.mark.parametrize("noise", ["gaussian", "ou"])
def test_exploration_scales_with_bounds_and_stays_inside(noise):
    algo = make_ddpg(noise=noise, act_noise=0.1)
    rng, obs = np.random.default_rng(0), np.zeros((1000, 3), np.float32)
    noisy, plain = act(algo.policy, obs, rng), act(algo.policy, obs)
    np.testing.assert_allclose((noisy - plain).std(0), 0.1, rtol=0.1)
    spread = (algo.spec.env_action(noisy) - algo.spec.env_action(plain)).std(0)
    np.testing.assert_allclose(spread, 0.1 * algo.spec.act_limit, rtol=0.1)
    wild = make_ddpg(noise=noise, act_noise=100.0)
    unit = act(wild.policy, obs, rng)
    assert unit.dtype == np.float32 and (np.abs(unit) <= 1).all()
    wide = wild.spec.env_action(unit)
    assert (wide >= wild.spec.act_low).all() and (wide <= wild.spec.act_high).all()


def test_no_noise_is_the_policy():
    algo, obs = make_ddpg(act_noise=0.0), np.ones((2, 3), np.float32)
    noisy = act(algo.policy, obs, np.random.default_rng(0))
    np.testing.assert_array_equal(noisy, act(algo.policy, obs))


def noise_alone(**flags):
    """The policy of an actor that stays at 0, observations and start for 4000 envs."""
    algo = make_ddpg(**flags)
    algo.actor.set_weights([0 * array for array in algo.actor.get_weights()])
    algo.refresh()
    return algo.policy, np.zeros((4000, 3), np.float32), np.zeros(4000, bool)


def test_gaussian_noise_has_its_std_and_no_memory():
    policy, obs, start = noise_alone(act_noise=0.1)
    assert policy.initial_memory(4000) == ()
    draws, memory = policy.act(obs, (), start, np.random.default_rng(0))
    assert abs(draws.std() - 0.1) < 0.002 and abs(draws.mean()) < 0.004 and memory == ()


def test_ou_noise_drifts_and_restarts():
    policy, obs, start = noise_alone(act_noise=0.1, noise="ou", ou_theta=0.15)
    rng = np.random.default_rng(0)
    memory = policy.initial_memory(4000)
    path = []
    for _ in range(60):
        noisy, memory = policy.act(obs, memory, start, rng)
        path.append(noisy[:, 0])
    # stationary: variance std^2 / (1 - (1 - theta)^2), correlation of neighbours 1 - theta
    np.testing.assert_allclose(path[-1].std(), 0.1 / np.sqrt(1 - 0.85**2), rtol=0.05)
    np.testing.assert_allclose(np.corrcoef(path[-1], path[-2])[0, 1], 0.85, atol=0.02)
    start[:2000] = True
    noisy, _ = policy.act(obs, memory, start, rng)
    np.testing.assert_allclose(noisy[:2000].std(), 0.1, rtol=0.05)
    np.testing.assert_allclose(np.corrcoef(noisy[2000:, 0], path[-1][2000:])[0, 1], 0.85, atol=0.02)


def test_acting_without_noise_leaves_its_memory():
    policy, obs, start = noise_alone(noise="ou")
    memory = np.ones((4000, 2), np.float32)
    still, after = policy.act(obs, memory, start)
    assert not still.any() and after is memory


@pytest.mark.parametrize("sizes", [(400, 300), (300,)])
def test_the_older_configurations_build(sizes):
    algo = make_ddpg(sizes=sizes)
    assert [v.shape[-1] for v in algo.actor.torso.kernels] == [*sizes, 2]


def test_the_readme_says_what_to_read_first():
    readme = (ROOT / "README.md").read_text()
    begin = readme.index("To follow a transition")
    end = readme.index("The equations, the columns")
    names = re.findall(r"`(rl/[\w/]+\.py)`", readme[begin:end])
    assert {"rl/spec.py", "rl/algos/ddpg.py", "rl/gradients/optimizer.py"} < set(names)
    assert all((ROOT / name).is_file() for name in names)
