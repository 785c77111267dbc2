"""From unit actions to an env's own: bounds that rounding can't leave, and whose array it is."""

import dataclasses

import gymnasium as gym
import numpy as np
import pytest
import tensorflow as tf

from rl import envs, training
from rl.algos.ddpg import DDPG
from rl.algos.ppo import PPO
from rl.algos.sac import SAC
from rl.algos.td3 import TD3
from rl.buffers.normaliser import Normaliser
from rl.envs.spaces import spec_of
from rl.experiments.build import make_loop
from rl.experiments.commands.training_flags import parse
from rl.experiments.eval import Exported, film
from rl.networks.actor_critic import env_action
from rl.spec import EnvSpec, Field
from rl.training.evaluate import evaluate
from tests.helpers import command
from tests.helpers_algos import DISCRETE, act, make_algo, make_batches, make_spec, one
from tests.helpers_loops import TOYS, Acting, Fake, make_off_policy

CHOICE = dataclasses.replace(DISCRETE, act_low=np.full(1, 5, "f"), act_high=np.full(1, 8, "f"))
WIDE = make_spec(low=(-400.0, 2.4), high=(400.0, 3.7))


def box_spec(low, high):
    low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
    return EnvSpec("test", Field((3,)), Field(low.shape), low.shape, low, high)


def random_bounds(count, seed=0):
    """Bounds of any magnitude from 1e-6 to 1e30: on both sides of 0, on one, far apart, and a few
    floats apart."""
    rng = np.random.default_rng(seed)
    ends = rng.choice([-1, 1], (2, count)) * 10.0 ** rng.uniform(-6, 30, (2, count))
    ends[:, : count // 4] = rng.uniform(-5, 5, (2, count // 4))
    low, high = np.sort(ends.astype(np.float32), axis=0)
    narrow = slice(count // 4, count // 2)
    high[narrow] = low[narrow]
    for _ in range(5):
        high[narrow] = np.nextafter(high[narrow], np.float32(np.inf))
    return box_spec(low, high)


def unit_actions(count, dim, seed=1):
    """Ends, zeros, the neighbours of the ends, what lies beyond, and all between."""
    rng = np.random.default_rng(seed)
    act = rng.uniform(-1, 1, (count, dim)).astype(np.float32)
    special = np.array([-1, 1, 0, -7, 7, 1e-30], np.float32)
    act[:6] = special[:, None]
    act[6:8] = np.nextafter(special[:2], np.float32(0))[:, None]
    return act


@pytest.mark.parametrize("seed", range(3))
def test_actions_never_leave_the_bounds(seed):
    spec, unit = random_bounds(4000, seed), unit_actions(64, 4000, seed)
    act = spec.env_action(unit)
    assert act.dtype == np.float32 and act.shape == unit.shape
    assert (act >= spec.act_low).all() and (act <= spec.act_high).all()
    np.testing.assert_array_equal(act[0], spec.act_low)
    np.testing.assert_array_equal(act[1], spec.act_high)
    np.testing.assert_array_equal(act[3:5], act[:2])  # beyond an end is the end
    middle = (spec.act_low.astype(float) + spec.act_high) / 2
    np.testing.assert_allclose(act[2], middle, rtol=1e-6, atol=1e-30)
    widest = spec.act_high.astype(float) - spec.act_low
    exact = middle + widest / 2 * np.clip(unit.astype(float), -1, 1)
    magnitude = np.maximum(np.abs(spec.act_low), np.abs(spec.act_high))
    assert (np.abs(act - exact) <= 1e-7 * magnitude).all()


@pytest.mark.parametrize("seed", range(2))
def test_actions_never_leave_a_space_of_doubles(seed):
    """Whose bounds no float32 may be."""
    rng = np.random.default_rng(seed)
    low, high = np.sort(rng.uniform(-1, 1, (2, 1000)), axis=0)
    env = gym.Env()
    env.observation_space = gym.spaces.Box(0, 1, (2,))
    env.action_space = gym.spaces.Box(low, high, dtype=np.float64)
    spec = spec_of("test", env)
    for act in spec.env_action(unit_actions(64, 1000, seed)):
        assert env.action_space.contains(act)
    np.testing.assert_allclose(spec.act_low, low, rtol=1e-6)
    np.testing.assert_allclose(spec.act_high, high, rtol=1e-6)


@pytest.mark.parametrize("jit_compile", [None, False, True], ids=["eager", "graph", "xla"])
def test_tensorflow_gives_the_same_actions(jit_compile):
    spec, unit = random_bounds(4000), unit_actions(64, 4000)
    mapping = lambda act: env_action(spec, act)
    if jit_compile is not None:
        mapping = tf.function(mapping, jit_compile=jit_compile)
    wanted, got = spec.env_action(unit), mapping(tf.constant(unit)).numpy()
    assert got.dtype == np.float32
    assert (got >= spec.act_low).all() and (got <= spec.act_high).all()
    if jit_compile:  # which rounds a product and a sum at once: near 0 that is many ULPs
        magnitude = np.maximum(np.abs(spec.act_low), np.abs(spec.act_high))
        assert (np.abs(got.astype(float) - wanted) <= 1e-7 * magnitude).all()
    else:
        np.testing.assert_array_max_ulp(got, wanted, maxulp=1)
    np.testing.assert_array_equal(got[:2], wanted[:2])


def test_unit_bounds_change_no_bit():
    spec = box_spec([-1] * 50, [1] * 50)
    unit = unit_actions(2000, 50)
    scale = 10.0 ** np.random.default_rng(2).uniform(-30, 0, (1000, 50))
    unit[1000:] = unit[1000:] * scale
    wanted = np.clip(unit, -1, 1)
    for act in (spec.env_action(unit), env_action(spec, tf.constant(unit)).numpy()):
        np.testing.assert_array_equal(act.view(np.int32), wanted.view(np.int32))


def test_choices_are_counted_from_the_first():
    spec = envs.make(TOYS + "Discrete").spec
    unit = np.array([[0], [1], [2]], np.float32)
    assert spec.env_action(unit).tolist() == [[5], [6], [7]]
    assert env_action(spec, tf.constant(unit)).numpy().tolist() == [[5], [6], [7]]


@pytest.mark.parametrize("low, high", [([-1, -1], [1, 1]), ([-2, 0], [2, 3])])
def test_the_env_gets_an_array_of_its_own(low, high):
    unit = np.full((4, 2), 0.5, np.float32)
    box_spec(low, high).env_action(unit)[:] = 9
    assert (unit == 0.5).all()


def inputs():
    return 1000 * np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)


@pytest.mark.parametrize("algorithm", [DDPG, TD3, SAC, PPO])
def test_algorithms_act_in_units(algorithm):
    """Whatever the bounds: in [-1, 1], and near its ends where the networks are sure."""
    algo = make_algo(algorithm, spec=WIDE)
    obs = inputs()
    rng = np.random.default_rng(0)
    for unit in (act(algo.policy, obs), act(algo.policy, obs, rng), algo.actor(obs).numpy()):
        # What PPO draws may lie beyond; there it counts as the end.
        assert unit.dtype == np.float32 and (algorithm is PPO or (np.abs(unit) <= 1).all())
        assert (np.abs(unit).max(0) > 0.5).all()
        inside = WIDE.env_action(unit)
        assert (inside >= WIDE.act_low).all() and (inside <= WIDE.act_high).all()


def test_ppo_acts_by_number_where_there_is_a_choice():
    algo = make_algo(PPO, spec=DISCRETE)
    number = act(algo.policy, inputs(), np.random.default_rng(0))
    assert np.unique(number).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("algorithm", [DDPG, TD3, SAC])
def test_updates_know_no_bounds(algorithm):
    """Replay, critics and smoothing are all in units: other bounds change no loss."""
    unit = dataclasses.replace(WIDE, act_low=-np.ones(2, "f"), act_high=np.ones(2, "f"))
    algos = [make_algo(algorithm, spec=spec) for spec in (WIDE, unit)]
    wide, unit = (algo.train_step(*one(make_batches(1))) for algo in algos)
    for name, value in wide.items():
        np.testing.assert_array_equal(value, unit[name], err_msg=name)


@pytest.mark.parametrize("algorithm, spec", [(DDPG, WIDE), (SAC, WIDE), (PPO, WIDE), (PPO, CHOICE)])
def test_an_exported_policy_acts_in_the_envs_range(algorithm, spec):
    spec = dataclasses.replace(spec, act_shape=(spec.act_dim,))
    algo, obs = make_algo(algorithm, spec=spec), inputs()
    got = Exported(algo.actor, Normaliser(spec), spec).act(obs).numpy()
    np.testing.assert_allclose(got, spec.env_action(act(algo.policy, obs)), rtol=1e-4, atol=1e-3)
    assert (got >= spec.act_low).all() and (got <= spec.act_high).all()
    assert len(np.unique(got)) > 1


def test_replay_holds_units_and_the_env_gets_its_own(tmp_path):
    """Paid adds up its actions, Box(2, 6), and then writes into them."""
    loop = make_off_policy(
        tmp_path, Fake(acted=1.0), env="Paid", start_steps=15, epochs=1, steps_per_epoch=105
    )
    assert training.run(loop)
    act, rew = (loop.replay.data[name][0, : loop.replay.total] for name in ("act", "rew"))
    assert (np.abs(act) <= 1).all() and len(np.unique(act[:15])) == 15
    assert (act[15:] == 0.25).all()
    np.testing.assert_allclose(rew, 4 + 2 * act[:, 0], rtol=1e-6)
    assert loop.env.state()[0]["actions"].tolist() == [[4.5]] * 5


def test_an_env_that_writes_into_its_action_writes_into_a_copy():
    env = envs.make(TOYS + "Paid", 2)
    env.reset(0)
    act = np.full((2, 1), 3.0, np.float32)
    assert env.step(act).rew.tolist() == [3, 3]
    assert (act == 3).all()
    assert all((state["actions"] == 3).all() for state in env.state())


def test_test_episodes_are_played_in_the_envs_range():
    env = envs.make(TOYS + "Paid", 2)
    played = evaluate(Acting(lambda obs, start: np.ones((2, 1))), env, 4, seed=0)
    assert played["EpRet"].tolist() == [60.0] * 4  # ten steps at the upper bound


def test_ppo_keeps_u_and_the_env_gets_it_clipped(tmp_path):
    flags = ("--env", TOYS + "Paid", "--rew_norm", "false", "--log_std", "0.5")
    loop = make_loop(parse(command(*flags, algo="ppo")) | {"seed": 0}, tmp_path)
    for _ in range(40):
        loop.collect()
    u, rew = (loop.rollout.data[name][:40].reshape(40) for name in ("act", "rew"))
    assert u.min() < -1 and u.max() > 1
    np.testing.assert_allclose(rew, 4 + 2 * np.clip(u, -1, 1), rtol=1e-6)


def test_a_film_shows_actions_in_the_envs_range(tmp_path):
    """Discrete refuses all but 5, 6 and 7."""
    path = tmp_path / "film.gif"
    policy = Acting(lambda obs, start: np.zeros((1, 1), np.float32))
    film(policy, TOYS + "Discrete-v0", path, 0, {})
    assert path.exists()
