"""Envs: ids, spaces, episode ends, and state that can be rebuilt."""

import importlib.util
import sys
import types

import gymnasium as gym
import numpy as np
import pytest

from rl import envs
from rl.__main__ import main
from rl.config import UserError
from rl.envs.closing import close_in_time
from tests.helpers import column, rows, train

TOYS = "tests.toy_envs:"


@pytest.mark.parametrize(
    "short, full",
    [
        ("HalfCheetah", "HalfCheetah-v5"),
        ("Pendulum", "Pendulum-v1"),
        ("LunarLanderContinuous", "LunarLanderContinuous-v3"),
        ("MountainCarContinuous", "MountainCarContinuous-v0"),
        ("Hopper-v5", "Hopper-v5"),
        (TOYS + "Matrix", TOYS + "Matrix-v0"),
    ],
)
def test_ids(short, full):
    assert envs.resolve(short) == full


@pytest.mark.parametrize(
    "name, hint",
    [
        ("HalfCheeta", "HalfCheetah"),
        ("Hopper-v99", "Hopper-v"),
        ("no_such_module:X", "no_such_module"),
    ],
)
def test_unknown_id_names_the_closest(name, hint):
    with pytest.raises(UserError, match=hint) as error:
        envs.resolve(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name, words",
    [
        ("DictObs", "observation space Dict"),
        ("Unbounded", "unbounded"),
        ("DictAct", "action space Dict"),
    ],
)
def test_unsupported_spaces_are_named(name, words):
    with pytest.raises(UserError) as error:
        envs.make(TOYS + name)
    assert words in str(error.value)


def test_spec_of_a_matrix_action():
    env = envs.make(TOYS + "Matrix", 2)
    assert (env.spec.obs_dim, env.spec.act_dim, env.spec.act_shape) == (4, 6, (2, 3))
    np.testing.assert_array_equal(env.spec.act_low, [-1, -2, 0, -3, 1, -1])
    np.testing.assert_array_equal(env.spec.act_center, [0, 1, 0.5, 0, 1.5, -0.5])
    obs = env.reset(0)
    assert obs.shape == (2, 4) and obs.dtype == np.float32
    act = np.stack([env.spec.act_low, env.spec.act_high])
    np.testing.assert_allclose(
        env.step(act).rew, act.sum(1)
    )  # the env checks shape and bounds itself


@pytest.mark.parametrize("backend", ["sync", "async"])
def test_discrete_actions_are_the_envs_own(backend):
    """The space is {5, 6, 7}; the reward is the action."""
    env = envs.make(TOYS + "Discrete", 3, backend=backend)
    assert (env.spec.choices, env.spec.act_dim, env.spec.act_shape) == ((3,), 1, ())
    env.reset(0)
    assert env.step(np.array([[5], [6], [7]], np.float32)).rew.tolist() == [5, 6, 7]
    env.close()


class Pool:
    """What EnvPool documents of its Gymnasium interface, on one of our envs: an id array resets
    those envs."""

    action_space = gym.spaces.Box(-1, 1, (1,), np.float64)

    def __init__(self, name, env_type, seed, num_envs, max_episode_steps):
        assert env_type == "gymnasium"
        self.envs = [gym.make(name, max_episode_steps=max_episode_steps) for _ in range(num_envs)]
        self.seeds = [seed + i for i in range(num_envs)]

    def reset(self, ids=None):
        return (
            np.stack(
                [
                    self.envs[i].reset(seed=self.seeds[i])[0]
                    for i in (range(2) if ids is None else ids)
                ]
            ),
            {},
        )

    def step(self, act):
        assert act.dtype == np.float64
        obs, *rest, _ = zip(*(env.step(a.astype(np.float32)) for env, a in zip(self.envs, act)))
        return np.stack(obs), *map(np.array, rest), {}

    def close(self):
        pass


@pytest.fixture(name="envpool")
def fixture_envpool(monkeypatch):
    pool = types.SimpleNamespace(make=Pool, list_all_envs=lambda: [TOYS + "Count-v0"])
    monkeypatch.setitem(sys.modules, "envpool", pool)


def test_envpool_has_not_every_env(envpool):
    with pytest.raises(UserError, match="EnvPool has no env"):
        envs.make(TOYS + "Matrix", backend="envpool")


def test_without_envpool(monkeypatch):
    monkeypatch.setitem(sys.modules, "envpool", None)
    with pytest.raises(UserError, match="pip install"):
        envs.make("Pendulum", backend="envpool")


@pytest.mark.skipif(
    importlib.util.find_spec("envpool") is None,
    reason="2026-11-21: EnvPool is 0.8 GB, so it is an extra and not in requirements.lock; runs where it is installed",
)
@pytest.mark.parametrize("algo", ["sac", "ppo"])
def test_real_envpool(tmp_path, algo):
    """Near Gymnasium's Pendulum, repeats itself, resumes exactly."""
    args = (
        "--env_backend",
        "envpool",
        "--num_envs",
        "2",
        "--max_ep_len",
        "50",
        "--lr_schedule",
        "constant",
    )
    runs = [train(tmp_path / name, *args, algo=algo) for name in "ab"]
    assert rows(runs[0]) == rows(runs[1]) and column(runs[0], "EpLen")[-1] == 50
    short = train(tmp_path / "c", *args, "--epochs", "2", algo=algo)
    assert main(["resume", str(short), "--epochs", "3"]) == 0
    assert rows(short) == rows(runs[0])
    pool, single = envs.make("Pendulum", backend="envpool"), envs.make("Pendulum")
    pool.reset(0)
    single.reset(0)
    act = np.ones((1, 1), np.float32)
    for env in (pool, single):
        last = [env.step(act) for _ in range(200)][-1]
        assert last.truncated[0] and not last.terminated[0] and (last.obs != last.obs2).any()


@pytest.mark.parametrize("backend", ["sync", "async", "envpool"])
def test_episode_ends(backend, envpool):
    """Count observes its step number, so a wrong final observation shows."""
    env = envs.make(TOYS + "Count", 2, backend=backend)
    assert env.reset(0).tolist() == [[0], [0]]
    steps = [env.step(np.zeros((2, 1), np.float32)) for _ in range(4)]
    env.close()
    assert [s.obs2[0, 0] for s in steps] == [1, 2, 3, 1]  # what the step led to
    assert [s.obs[0, 0] for s in steps] == [1, 2, 0, 1]  # what to act on next
    assert [s.rew[1] for s in steps] == [1, 2, 3, 1]
    assert [s.terminated[0] for s in steps] == [False, False, True, False]
    assert not any(s.truncated.any() for s in steps)
    assert all(s.success is None for s in steps)  # Count doesn't tell


def test_truncation_is_not_termination():
    env = envs.make(TOYS + "Count", max_ep_len=2)
    env.reset(0)
    steps = [env.step(np.zeros((1, 1), np.float32)) for _ in range(2)]
    assert steps[1].truncated[0] and not steps[1].terminated[0] and steps[1].obs2[0, 0] == 2


def test_both_at_once_is_termination():
    env = envs.make(TOYS + "Count", max_ep_len=3)
    env.reset(0)
    *_, last = [env.step(np.zeros((1, 1), np.float32)) for _ in range(3)]
    assert last.terminated[0] and not last.truncated[0]


def test_seeds():
    first, same, other = (envs.make("Pendulum", 2).reset(seed) for seed in (0, 0, 7))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any() and (first[0] != first[1]).any()


@pytest.mark.parametrize(
    "env_id, backend",
    [
        ("HalfCheetah", "sync"),
        ("Hopper", "sync"),
        ("Hopper", "async"),
        ("LunarLanderContinuous", "sync"),
        ("Pendulum", "sync"),
    ],
)
def test_a_rebuilt_episode_goes_on_exactly(env_id, backend):
    rng = np.random.default_rng(0)
    env, copy = (envs.make(env_id, 2, backend=backend) for _ in range(2))
    draw = lambda: rng.uniform(env.spec.act_low, env.spec.act_high, (2, env.spec.act_dim)).astype(
        np.float32
    )
    env.reset(3)
    for _ in range(230):
        last = env.step(draw())
    copy.load_state(env.state(), last.obs)
    for _ in range(250):
        act = draw()
        for got, want in zip(copy.step(act)[:5], env.step(act)[:5]):
            np.testing.assert_array_equal(got, want)
    env.close()
    copy.close()


def test_an_env_that_cannot_repeat_itself_is_found_out():
    env = envs.make(TOYS + "Unrepeatable")
    env.reset(0)
    obs = env.step(np.zeros((1, 1), np.float32)).obs
    with pytest.raises(UserError, match="--reset_at_checkpoint"):
        env.load_state(env.state(), obs)


def test_an_env_whose_rewards_are_others_is_found_out():
    """Though its observations are the same."""
    env = envs.make(TOYS + "HiddenGoal")
    env.reset(0)
    env.step(np.zeros((1, 1), np.float32))
    with pytest.raises(UserError, match="--reset_at_checkpoint"):
        env.load_state(env.state(), np.zeros((1, 1), np.float32))


def test_success_is_one_truth():
    env = envs.make(TOYS + "TellsTwo")
    env.reset(0)
    with pytest.raises(UserError, match="TellsTwo-v0: step raised ValueError"):
        env.step(np.zeros((1, 1), np.float32))


def test_an_env_that_fails_to_close_is_told_of_in_a_line(capsys):
    close_in_time(lambda: [][0])
    assert capsys.readouterr().err == "an env did not close: list index out of range\n"


def test_rebuild_depends_on_the_seed_alone():
    env = envs.make("Pendulum", 2)
    fresh = env.reset(5)
    env.step(np.zeros((2, 1), np.float32))
    np.testing.assert_array_equal(env.rebuild(5), fresh)
