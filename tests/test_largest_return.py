"""Rewards over the largest return of an episode so far, by task."""

import numpy as np
import pytest

from rl.buffers.largest_return import LargestReturn
from rl.buffers.normaliser import Config, Normaliser
from rl.config import UserError
from tests.helpers_algos import make_spec


def observe(largest, rewards, terminated=False):
    """Plays an episode of one env with these rewards."""
    for number, reward in enumerate(rewards, start=1):
        is_last = number == len(rewards)
        end = np.array([is_last])
        largest.observe(np.array([reward]), np.array([is_last and terminated]), end)


def test_returns_by_hand():
    """Of 1, -8, 4 with gamma 0.5: 4, -6 and -2; the largest is of size 6."""
    largest = LargestReturn((), 1, 0.5)
    observe(largest, [1, -8, 4], terminated=True)
    np.testing.assert_allclose(largest.size, 6)
    observe(largest, [1, 1], terminated=True)  # 1.5, which is less
    np.testing.assert_allclose(largest.size, 6)
    # truncated: a reward of 4 on average for ever is worth 8; then 2 + 4, 6 + 3
    observe(largest, [6, 2], terminated=False)
    np.testing.assert_allclose(largest.size, 9)


def test_before_an_episode_has_ended_no_return_can_be_larger():
    largest = LargestReturn((), 1, 0.75)
    np.testing.assert_allclose(largest.size, 1)
    largest.observe(np.array([-2.0]), False, False)
    np.testing.assert_allclose(largest.size, 2 / 0.25)
    largest.observe(np.array([0.0]), True, True)
    np.testing.assert_allclose(largest.size, 2)


def brute_force(rewards, terminated, gamma):
    """The largest size of a sum of discounted rewards from any step on."""
    sizes = []
    for start in range(len(rewards)):
        left = rewards[start:]
        value = sum(gamma**k * reward for k, reward in enumerate(left))
        if not terminated:
            value += gamma ** len(left) * np.mean(rewards) / (1 - gamma)
        sizes.append(abs(value))
    return max(sizes)


@pytest.mark.parametrize("visits", [False, True])
def test_every_episode_of_every_env_counts_for_its_task(visits):
    """Random lengths; envs of a task side by side, or each episode of any task."""
    rng = np.random.default_rng(0)
    largest = LargestReturn((3,), 6, 0.9)
    task = np.arange(6) // 2
    episodes = [[] for _ in range(6)]
    wanted = np.zeros(3)
    for _ in range(300):
        rew = rng.normal(size=6) * (1 + task)
        end = rng.random(6) < 0.1
        terminated = end & (rng.random(6) < 0.5)
        largest.observe(rew, terminated, end, task.copy() if visits else None)
        for env in range(6):
            episodes[env].append(rew[env])
            if end[env]:
                size = brute_force(episodes[env], terminated[env], 0.9)
                wanted[task[env]] = max(wanted[task[env]], size)
                episodes[env] = []
                if visits:
                    task[env] = rng.integers(3)
    np.testing.assert_allclose(largest.size, wanted)


def test_rewards_are_scaled_by_task_and_the_state_holds_unfinished_episodes():
    config = Config(rew_norm=True, rew_norm_by="max", return_max=5.0)
    make = lambda: Normaliser(make_spec(2), config, 2, 0.5)
    first = make()
    obs = np.zeros((2, 3), np.float32)
    first.observe(obs)
    first.observe(obs, np.array([1.0, 100.0]), np.zeros(2, bool))
    second = make()
    second.load_state(first.state())
    for norm in (first, second):
        norm.observe(obs, np.array([2.0, 0.0]), np.ones(2, bool), terminated=np.ones(2, bool))
        # returns of 2 and 100
        scaled = norm.rew(np.array([[1.0], [1.0]], np.float32))
        np.testing.assert_allclose(scaled, [[5 / 2], [5 / 100]])
        by_task = norm.rew(np.array([1.0, 1.0, 1.0]), task=np.array([1, 0, 1]))
        np.testing.assert_allclose(by_task, [5 / 100, 5 / 2, 5 / 100])
        assert scaled.dtype == np.float32


def test_new_episodes_forget_those_that_were_cut():
    norm = Normaliser(make_spec(), Config(rew_norm=True, rew_norm_by="max"), 1, 0.5)
    norm.observe(np.zeros((1, 3)), np.array([100.0]), np.array([False]))
    norm.observe(np.zeros((1, 3)))
    norm.observe(np.zeros((1, 3)), np.array([4.0]), np.array([True]), terminated=np.array([True]))
    np.testing.assert_allclose(norm.rew(np.array([1.0])), 10 / 4)


def test_without_a_discount_it_is_refused():
    with pytest.raises(UserError, match="--rew_norm_by max needs a --gamma below 1"):
        LargestReturn((), 1, 1.0)
