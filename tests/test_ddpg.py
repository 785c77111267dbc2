"""DDPG: losses by hand, targets, compiled steps, exploration."""

import numpy as np
import pytest
import tensorflow as tf

from rl.algos.common import polyak_average
from rl.algos.ddpg import DDPG, Config
from rl.algos.noise import Noise
from rl.envs.spec import EnvSpec
from rl.networks import MLP


def make_spec(num_tasks=None, obs_dim=3, low=(-1.0, 0.0), high=(1.0, 4.0)):
    low, high = (np.array(x, np.float32) for x in (low, high))
    return EnvSpec("test", obs_dim, len(low), (len(low),), low, high, num_tasks)


def make_ddpg(num_tasks=None, sizes=(8,), seed=0, spec=None, **flags):
    tf.keras.utils.set_random_seed(seed)
    make_torso = lambda out, members=None: MLP([*sizes, out], members=members)
    return DDPG(spec or make_spec(num_tasks), make_torso, Config(**flags))


def make_batches(count, batch=4, num_tasks=None, seed=0):
    rng = np.random.default_rng(seed)
    lead = (count, *(() if num_tasks is None else (num_tasks,)), batch)
    batches = {k: rng.normal(size=(*lead, dim)) for k, dim in {"obs": 3, "act": 2, "obs2": 3}.items()}
    batches |= {"rew": rng.normal(size=lead), "done": rng.integers(0, 2, lead)}
    return {k: v.astype(np.float32) for k, v in batches.items()}


def set_weights(net, *values):
    net.set_weights([np.array(value, np.float32) for value in values])


def linear_ddpg(**flags):
    """One obs, one action, linear networks: pi = 2 tanh(w obs), q = a obs + b act + c."""
    spec = make_spec(obs_dim=1, low=(-2.0,), high=(2.0,))
    algo = make_ddpg(sizes=(), spec=spec, gamma=0.5, **flags)
    set_weights(algo.actor, [[0]], [np.arctanh(0.5)])  # pi = 1
    set_weights(algo.actor_targ, [[0]], [np.arctanh(0.25)])  # pi_targ = 0.5
    set_weights(algo.q, [[1], [2]], [3])  # q = obs + 2 act + 3
    set_weights(algo.q_targ, [[2], [4]], [1])  # q_targ = 2 obs + 4 act + 1
    return algo


HAND = {
    "obs": np.array([[1.0], [0.0]], np.float32),
    "act": np.array([[1.0], [-1.0]], np.float32),
    "rew": np.array([1.0, 2.0], np.float32),
    "obs2": np.array([[1.0], [5.0]], np.float32),
    "done": np.array([0.0, 1.0], np.float32),
}


def test_q_loss_by_hand():
    # q = (6, 1); q_targ(obs2, 0.5) = (5, 13); backup = (1 + 0.5 * 5, 2) = (3.5, 2), the second one terminated
    loss, info = linear_ddpg().q_loss(HAND)
    np.testing.assert_allclose(loss, ((6 - 3.5) ** 2 + (1 - 2) ** 2) / 2, rtol=1e-6)
    np.testing.assert_allclose(info["QVals"], [6, 1], rtol=1e-6)


def test_pi_loss_by_hand():
    # q(obs, 1) = (1 + 2 + 3, 0 + 2 + 3)
    loss, _ = linear_ddpg().pi_loss(HAND)
    np.testing.assert_allclose(loss, -5.5, rtol=1e-6)


def test_losses_have_one_value_per_task():
    single, many = make_ddpg(), make_ddpg(num_tasks=3)
    for net, other in zip(*([a.actor, a.actor_targ, a.q, a.q_targ] for a in (single, many))):
        other.set_weights(net.get_weights())
    batch = {k: v[0] for k, v in make_batches(1, num_tasks=3).items()}
    for loss in ("q_loss", "pi_loss"):
        values = getattr(many, loss)(batch)[0]
        each = [getattr(single, loss)({k: v[t] for k, v in batch.items()})[0] for t in range(3)]
        assert values.shape == (3,)
        np.testing.assert_allclose(values, each, rtol=1e-5)


def test_gradients_stay_in_their_network():
    algo = make_ddpg()
    batch = {k: v[0] for k, v in make_batches(1).items()}
    with tf.GradientTape() as tape:
        loss, _ = algo.q_loss(batch)
    others = algo.actor.variables + algo.actor_targ.variables + algo.q_targ.variables
    assert all(g is None or not np.any(g) for g in tape.gradient(loss, [v.value for v in others]))


def test_train_step_follows_the_papers_order():
    """Critic first, then the actor against the new critic, then the targets: against the same by hand."""
    algo, other = make_ddpg(polyak=0.75), make_ddpg(polyak=0.75)
    batch = {k: tf.constant(v[0]) for k, v in make_batches(1).items()}
    algo.train_step(batch)
    for loss_fn, opt, net in ((other.q_loss, other.q_opt, other.q), (other.pi_loss, other.pi_opt, other.actor)):
        with tf.GradientTape() as tape:
            loss, _ = loss_fn(batch)
        opt.apply_gradients(zip(tape.gradient(loss, net.trainable_variables), net.trainable_variables))
    for net, targ in other.targets:
        targ.set_weights([0.75 * t + 0.25 * w for w, t in zip(net.get_weights(), targ.get_weights())])
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


def test_targets_start_equal():
    for net, targ in make_ddpg().targets:
        for w, w_targ in zip(net.get_weights(), targ.get_weights()):
            np.testing.assert_array_equal(w, w_targ)


@pytest.mark.parametrize("num_tasks", [None, 2])
def test_burst_equals_single_steps(num_tasks):
    algo, other = make_ddpg(num_tasks), make_ddpg(num_tasks)
    batches = make_batches(5, num_tasks=num_tasks)
    info = algo.update(batches, 3)
    single = [other.train_step({k: v[i] for k, v in batches.items()}) for i in range(3)]
    lead = () if num_tasks is None else (num_tasks,)
    assert info["LossQ"].shape == (3, *lead) and info["QVals"].shape == (3, *lead, 4)
    for key, values in info.items():
        np.testing.assert_allclose(values, [s[key] for s in single], rtol=1e-4, atol=1e-5)
    for got, want in zip(algo.actor.get_weights(), other.actor.get_weights()):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_trace_counts():
    algo = make_ddpg()
    for count in (5, 3, 1, 5):
        algo.update(make_batches(5, seed=count), count)
    assert algo.burst.compiled.experimental_get_tracing_count() == 1
    assert algo.train_step.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("num_tasks", [None, 2])
def test_acting_follows_the_actor_when_refreshed(num_tasks):
    algo = make_ddpg(num_tasks)
    obs = make_batches(1, num_tasks=num_tasks)["obs"][0]
    before = algo.act(obs)
    algo.update(make_batches(5, num_tasks=num_tasks), 5)
    np.testing.assert_array_equal(algo.act(obs), before)  # until told so: a burst may run meanwhile
    algo.refresh()
    assert np.abs(algo.act(obs) - before).max() > 1e-4
    np.testing.assert_allclose(algo.act(obs), algo.actor(obs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("noise", ["gaussian", "ou"])
def test_exploration_scales_with_bounds_and_stays_inside(noise):
    algo = make_ddpg(noise=noise, act_noise=0.1)
    rng, obs, start = np.random.default_rng(0), np.zeros((1000, 3), np.float32), np.ones(1000, bool)
    spread = (algo.explore(obs, start, rng) - algo.act(obs)).std(0)
    np.testing.assert_allclose(spread, 0.1 * algo.spec.act_limit, rtol=0.1)
    wild = make_ddpg(noise=noise, act_noise=100.0)
    act = wild.explore(obs, start, rng)
    assert act.dtype == np.float32 and (act >= wild.spec.act_low).all() and (act <= wild.spec.act_high).all()


def test_no_noise_is_the_policy():
    algo, obs = make_ddpg(act_noise=0.0), np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(algo.explore(obs, np.ones(2, bool), np.random.default_rng(0)), algo.act(obs))


def test_gaussian_noise_has_its_std():
    draws = Noise(0.3)((20000, 1), np.zeros(20000, bool), np.random.default_rng(0))
    assert abs(draws.std() - 0.3) < 0.01 and abs(draws.mean()) < 0.01


def test_ou_noise_drifts_and_restarts():
    noise, rng = Noise(0.2, 0.15), np.random.default_rng(0)
    calm, started = np.zeros(4000, bool), np.ones(4000, bool)
    path = [noise((4000, 1), calm, rng) for _ in range(60)]
    # stationary: variance std^2 / (1 - (1 - theta)^2), correlation of neighbours 1 - theta
    np.testing.assert_allclose(path[-1].std(), 0.2 / np.sqrt(1 - 0.85**2), rtol=0.05)
    np.testing.assert_allclose(np.corrcoef(path[-1].T, path[-2].T)[0, 1], 0.85, atol=0.02)
    np.testing.assert_allclose(noise((4000, 1), started, rng).std(), 0.2, rtol=0.05)


def test_state_round_trip_continues_alike():
    algo, copy = make_ddpg(noise="ou"), make_ddpg(noise="ou", seed=1)
    rng, obs, start = np.random.default_rng(0), np.ones((2, 3), np.float32), np.zeros(2, bool)
    algo.update(make_batches(5), 5)
    algo.explore(obs, start, rng)
    copy.load_state(algo.state())
    for one in (algo, copy):
        one.update(make_batches(5, seed=1), 5)
        one.refresh()
    draws = [one.explore(obs, start, np.random.default_rng(1)) for one in (algo, copy)]
    np.testing.assert_array_equal(*draws)


def test_same_seed_same_weights_other_seed_others():
    first, same, other = make_ddpg(), make_ddpg(), make_ddpg(seed=1)
    np.testing.assert_array_equal(first.q.get_weights()[0], same.q.get_weights()[0])
    assert np.abs(first.q.get_weights()[0] - other.q.get_weights()[0]).max() > 0.01


@pytest.mark.parametrize("sizes", [(400, 300), (300,)])
def test_the_older_configurations_build(sizes):
    algo = make_ddpg(sizes=sizes)
    assert [v.shape[-1] for v in algo.actor.torso.kernels] == [*sizes, 2]
