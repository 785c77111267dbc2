"""What test episodes are made to say: whole shares, success at any step, intervals."""

import numpy as np
import pytest

from rl import envs
from rl.experiments.scores import summary
from rl.spec import EnvSpec, Field, Step
from rl.training.evaluate import evaluate
from tests.helpers_loops import Acting

BOX = np.ones(1, np.float32)
STILL = Acting(lambda obs, start: np.zeros((len(obs), 1)))


class Goals:
    """Two tasks of `per_task` envs; an env's k-th episode is its k-th goal. Solved ones succeed at
    step 2 and end at 3.

    `solved` has the solved goals of each task; other episodes last 10 steps, or 2 in the second
    task.
    """

    def __init__(self, solved, per_task=1):
        self.spec = EnvSpec("goals", Field((1,)), Field((1,)), (1,), -BOX, BOX, tasks=("a", "b"))
        self.per_task, self.num_envs = per_task, 2 * per_task
        self.won = [solved[i // per_task] for i in range(self.num_envs)]

    def reset(self, seed=None):
        self.goal, self.time = np.arange(self.num_envs) % self.per_task, np.zeros(
            self.num_envs, int
        )
        return np.zeros((self.num_envs, 1), np.float32)

    def step(self, act):
        self.time += 1
        solved = np.array([goal in won for goal, won in zip(self.goal, self.won)])
        limit = np.where(solved, 3, np.where(np.arange(self.num_envs) < self.per_task, 10, 2))
        end = self.time == limit
        success = solved & (self.time == 2)
        self.goal = self.goal + self.per_task * end
        self.time[end] = 0
        obs = np.zeros((self.num_envs, 1), np.float32)
        return Step(obs, np.ones(self.num_envs), end & solved, end & ~solved, obs, success)


@pytest.mark.parametrize("per_task", [1, 4, 20])
@pytest.mark.parametrize("solved", [({7}, set(range(20))), (set(), {0}), ({19}, {3, 11})])
def test_success_rates_are_unbiased(per_task, solved):
    """20 goals each, one episode each: 1 of 20 reads 0.05, however early solved episodes end."""
    env = Goals(solved, per_task)
    played = evaluate(STILL, env, 20, seed=0)
    assert played["Success"].shape == (2, 20)
    assert played["Success"].mean(1).tolist() == [len(won) / 20 for won in solved]
    assert sorted(played["EpLen"][0]) == sorted([3] * len(solved[0]) + [10] * (20 - len(solved[0])))
    assert sorted(played["EpLen"][1]) == sorted([3] * len(solved[1]) + [2] * (20 - len(solved[1])))
    np.testing.assert_array_equal(played["EpRet"], played["EpLen"])


def test_uneven_shares_of_a_task():
    played = evaluate(STILL, Goals(({0}, {0}), 3), 7, seed=0)
    assert played["EpRet"].shape == (2, 7) and played["Success"].sum(1).tolist() == [1, 1]


def test_summary_by_task():
    spec = envs.make("PointMass-MT4").spec
    won = np.array([[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]], bool)
    stats_of = summary(
        {"EpRet": -np.ones((4, 4)), "EpLen": np.full((4, 4), 20), "Success": won}, spec
    )
    assert stats_of["episodes"] == 16 and stats_of["success_mean"] == pytest.approx(
        (1 + 0.25 + 0 + 0.5) / 4
    )
    assert stats_of["success_iqm"] == pytest.approx(0.375)  # of 0, 0.25, 0.5, 1
    assert stats_of["tasks"]["east"]["success"] == 1 and stats_of["tasks"]["west"]["return"] == -1
