"""The linear baseline: weights by hand and by NumPy, and PPO with it for a critic."""

import numpy as np
import pytest

from rl import envs, training
from rl.algos.baseline import LinearBaseline, features, ridge
from rl.algos.ppo import PPO
from rl.config import UserError
from tests.helpers import records
from tests.helpers_algos import act, make_algo
from tests.helpers_loops import TOYS, make_on_policy


def test_features_by_hand():
    """Observations within +-10, their squares, the time in hundreds of steps, its powers, 1."""
    got = features(np.array([[3.0, -50.0]], np.float32), np.array([200]))
    assert got.tolist() == [[3, -10, 9, 100, 2, 4, 8, 1]] and got.dtype == np.float64


def test_three_points_by_hand():
    """Of one number x with returns 1 + 2 x + 3 x^2, which features have: a little short of it for
    the penalty. Without time the penalty shrinks a constant: w = sum / (count + 1e-5)."""
    baseline = LinearBaseline(1)
    x = np.array([[-1.0], [0.0], [2.0]])
    ret = 1 + 2 * x[:, 0] + 3 * x[:, 0] ** 2
    baseline.fit(x, np.zeros(3), ret)
    np.testing.assert_allclose(baseline.weights, [2, 3, 0, 0, 0, 1], atol=1e-4)
    np.testing.assert_allclose(baseline.predict(x, 0), [2, 1, 17], rtol=1e-4)
    assert ridge(np.ones((3, 1)), np.full(3, 5.0)) == pytest.approx(15 / (3 + 1e-5), rel=1e-12)


def test_weights_are_those_of_least_squares():
    """The penalty as further rows of a plain problem: NumPy's answer, of each task."""
    rng = np.random.default_rng(0)
    obs, time = rng.normal(size=(2, 50, 3)), rng.integers(0, 500, (2, 50))
    ret = rng.normal(size=(2, 50))
    mask = np.ones((2, 50), bool)
    mask[1, 30:] = False
    baseline = LinearBaseline(3, (2,))
    baseline.fit(obs, time, ret, mask)
    for task, count in enumerate((50, 30)):
        rows = np.concatenate([features(obs, time)[task, :count], np.sqrt(1e-5) * np.eye(10)])
        targets = np.concatenate([ret[task, :count], np.zeros(10)])
        wanted = np.linalg.lstsq(rows, targets, rcond=None)[0]
        np.testing.assert_allclose(baseline.weights[task], wanted, rtol=1e-6, atol=1e-8)


def test_what_cannot_be_fitted_stays():
    """A task without steps, and returns without end."""
    baseline = LinearBaseline(1, (2,))
    x, time = np.ones((2, 4, 1)), np.zeros((2, 4))
    baseline.fit(x, time, np.array([[1.0] * 4, [2.0] * 4]))
    before = baseline.state()["weights"]
    mask = np.array([[False] * 4, [True] * 4])
    baseline.fit(x, time, np.full((2, 4), np.inf), mask)
    np.testing.assert_array_equal(baseline.weights, before)
    np.testing.assert_allclose(baseline.predict(x, time)[:, 0], [1, 2], rtol=1e-4)
    copy = LinearBaseline(1, (2,))
    copy.load_state(baseline.state())
    np.testing.assert_array_equal(copy.predict(x, time), baseline.predict(x, time))


@pytest.mark.parametrize("num_tasks", [None, 2])
def test_ppo_has_no_value_network(num_tasks):
    algo = make_algo(PPO, num_tasks, critic="linear")
    assert algo.actor.value_torso is None and list(algo.actor.groups) == ["LossPi"]
    plain = make_algo(PPO, num_tasks)
    assert len(algo.actor.weights) == len(plain.actor.weights) - 4
    assert "LossV" not in algo.columns and "ExplainedVar" in algo.columns
    assert "LossV" in plain.columns and plain.baseline is None
    obs = np.ones((*algo.spec.batch_dims, 5, 3), np.float32)
    drawn = act(algo.policy, obs, np.random.default_rng(0))
    got = algo.evaluate(obs, obs, drawn, np.zeros(obs.shape[:-1]))
    assert sorted(got) == ["log_prob", "value", "value2"] and not got["value"].any()
    plain.actor.torso.set_weights(algo.actor.torso.get_weights())
    wanted = plain.evaluate(obs, obs, drawn)["log_prob"]
    np.testing.assert_allclose(got["log_prob"], wanted, rtol=1e-5)


@pytest.mark.parametrize("name", ["share_torso", "norm_value", "clip_value"])
def test_flags_of_a_value_network_are_refused(name):
    with pytest.raises(UserError, match=f"--{name}: with --critic linear there is no value"):
        make_algo(PPO, critic="linear", **{name: True})


def test_values_are_of_what_an_episode_still_brings(tmp_path):
    """Ones for the 10 steps of an episode, each worth 0.9 times the one before: 6.5 at its start, 1
    at its last step, which no step after it adds to although a time limit ends it. Fitted to one
    rollout, they are the values of the next."""
    algo = make_algo(PPO, spec=envs.make(TOYS + "Ones").spec, critic="linear", gamma=0.9)
    loop = make_on_policy(
        tmp_path, algo, "Ones", limit=10, epochs=1, steps_per_epoch=200, rollout_steps=100
    )
    assert training.run(loop)
    obs = np.zeros((10, 1))
    left = np.arange(10, 0, -1)
    values = algo.baseline.predict(obs, np.arange(10))
    np.testing.assert_allclose(values, (1 - 0.9**left) / 0.1, atol=0.1)
    row = records(tmp_path)[-1]
    # of two rollouts: values of 0 explain nothing, those fitted nearly all
    assert row["ExplainedVar"] == pytest.approx(0.5, abs=0.02)
    assert row["MaxVVals"] == pytest.approx(6.5, abs=0.1)


def test_an_episode_that_goes_on_is_bootstrapped(tmp_path):
    """Endless ones, whose rollouts of 50 steps end nothing: returns of the second one add the
    values of the first."""
    algo = make_algo(PPO, spec=envs.make(TOYS + "Ones").spec, critic="linear", gamma=0.9)
    algo.baseline.weights[-1] = 10.0  # 1 / (1 - 0.9), at any time
    loop = make_on_policy(tmp_path, algo, "Ones", limit=1000, epochs=1, steps_per_epoch=50)
    assert training.run(loop)
    values = algo.baseline.predict(np.zeros((50, 1)), np.arange(50))
    np.testing.assert_allclose(values, 10, atol=0.01)
