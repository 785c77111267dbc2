"""The multi-task test bed."""

import numpy as np
import pytest

from rl import envs
from rl.config import UserError
from rl.envs.point_mass import LAYOUTS


def drive(env, steps, seed=0):
    """The steps of random actions, and the actions."""
    rng = np.random.default_rng(seed)
    acts = rng.uniform(-1, 1, (steps, env.num_envs, 2)).astype(np.float32)
    return [env.step(act) for act in acts], acts


@pytest.mark.parametrize("layout", LAYOUTS)
def test_interface(layout):
    env = envs.make(layout, 3)
    tasks = len(LAYOUTS[layout])
    assert env.spec.tasks == tuple(LAYOUTS[layout]) and env.num_envs == 3 * tasks
    obs = env.reset(0)
    assert obs.shape == (3 * tasks, 4) and obs.dtype == np.float32
    for k, step in enumerate(drive(env, 40)[0]):
        assert (
            not step.terminated.any()
            and step.truncated.all() == ((k + 1) % 20 == 0) == step.truncated.any()
        )
        assert (step.obs2 == step.obs).all() == (not step.truncated.any())
        assert step.success.dtype == bool and (step.rew <= 0).all()


def test_rewards_by_hand():
    """Marker (0.8, 0): east goes there, west away from it, one unit of distance costs one of
    reward."""
    env = envs.make("PointMass-Opposed2")
    env.reset(0)
    env.point[:], env.marker[:] = [0.6, 0.0], [0.8, 0.0]
    step = env.step(np.array([[0.5, 0.0], [0.5, 0.0]]))
    np.testing.assert_allclose(step.obs2, [[0.7, 0, 0.8, 0]] * 2, atol=1e-6)
    np.testing.assert_allclose(step.rew, [-0.1, -1.5], atol=1e-6)
    step = env.step(np.array([[0.45, 0.0], [-9.0, 0.0]]))  # actions are clipped to 1
    np.testing.assert_allclose(step.obs2[:, 0], [0.79, 0.5], atol=1e-6)
    assert step.success.tolist() == [True, False]


def test_uneven_is_mt4_with_the_rewards_of_one_group_thirty_times_as_large():
    for visit in ("all", "cycle"):
        even, uneven = (
            envs.make(f"PointMass-{name}", 2, visit=visit) for name in ("MT4", "Uneven4")
        )
        np.testing.assert_array_equal(even.reset(3), uneven.reset(3))
        for left, right in zip(drive(even, 90)[0], drive(uneven, 90)[0]):
            np.testing.assert_array_equal(left.obs2, right.obs2)
            task = np.repeat(range(4), 2) if visit == "all" else left.task
            np.testing.assert_array_equal(right.rew, np.array([30, 30, 1, 1])[task] * left.rew)


def test_groups_conflict():
    env = envs.make("PointMass-MT4")
    env.reset(3)
    target = np.einsum("nij,nj->ni", env.turn, np.tile([0.8, 0.0], (4, 1)))
    cosine = target @ target.T / 0.64
    assert (np.sign(cosine) == [[1, 1, -1, -1]] * 2 + [[-1, -1, 1, 1]] * 2).all()


def test_seeds_and_state():
    first, second = envs.make("PointMass-MT4", 2), envs.make("PointMass-MT4", 2)
    np.testing.assert_array_equal(first.reset(5), second.reset(5))
    assert len(np.unique(first.reset(5), axis=0)) == 8 and (first.reset(6) != second.reset(5)).any()
    obs = drive(first, 27)[0][-1].obs
    second.load_state(first.state(), obs)
    for one, two in zip(drive(first, 30, seed=1)[0], drive(second, 30, seed=1)[0]):
        for left, right in zip(one, two):
            np.testing.assert_array_equal(left, right)
    with pytest.raises(UserError, match="do not belong together"):
        second.load_state(first.state(), obs)


def test_names():
    with pytest.raises(UserError, match="PointMass-MT4"):
        envs.make("PointMass-MT5")


def test_picture():
    env = envs.make("PointMass-MT4", 1)
    env.reset(0)
    assert (
        env.render().shape == (96, 96, 3)
        and len(np.unique(env.render().reshape(-1, 3), axis=0)) >= 2
    )
