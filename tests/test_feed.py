"""What bursts of updates are fed: n-step returns of scaled rewards, and priorities from TD errors."""

import types

import numpy as np
import pytest

from rl.buffers.normaliser import Config as NormConfig
from rl.buffers.normaliser import Normaliser
from rl.training.feed import Config, Feed
from rl.training.schedule import Config as ScheduleConfig
from rl.training.schedule import Schedule
from tests.helpers_algos import make_spec
from tests.helpers_loops import Fake, make_off_policy


def make_feed(num_tasks=None, task=None, gamma=0.5, norm=NormConfig(), **flags):
    """The feed of one env of each task, or of one that goes from task to task."""
    spec = make_spec(num_tasks)
    num_envs = 1 if task is not None else num_tasks or 1
    session = types.SimpleNamespace(
        normaliser=Normaliser(spec, norm, num_envs, gamma),
        schedule=Schedule(ScheduleConfig()),
        seed_for=lambda stream: stream,
    )
    env = types.SimpleNamespace(spec=spec, num_envs=num_envs, task=task)
    return Feed(env, gamma, Config(**flags), session)


def store(feed, number, rews, end=False, task=None):
    """A step of every env whose observation says its number."""
    obs = np.full((len(rews), 3), number, np.float32)
    ended = np.full(len(rews), end)
    step = types.SimpleNamespace(rew=np.array(rews), obs2=obs + 1, terminated=ended, task=task)
    feed.store(obs, np.zeros((len(rews), 2)), step, ended)


def returns_of(batches, number, task=()):
    """The returns that begin at step `number`, which must be alike."""
    rew = batches.rew[0][task]
    found = np.unique(rew[batches.obs[0][task][:, 0] == number])
    assert len(found) == 1
    return found[0]


def test_losses_see_normalised_observations():
    """Of mean 2 and standard deviation 2: obs2 is 1 above obs, and so a half."""
    feed = make_feed(norm=NormConfig(obs_norm=True), replay_size=4, batch_size=8)
    seen = feed.session.normaliser.seen
    seen.mean = np.full(3, 2.0)
    seen.var = np.full(3, 4.0)
    for number in range(4):
        store(feed, number, [0.0])
    _, batches, _ = feed.draw(1, 1, 10)
    assert set(np.unique(batches.obs)) <= {-1, -0.5, 0, 0.5}
    np.testing.assert_allclose(batches.obs2, batches.obs + 0.5, rtol=1e-6)


def test_importance_weights_correct_ever_more_of_the_bias():
    feed = make_feed(replay="prioritised", per_beta=0.4)
    store(feed, 0, [0.0])
    for updates, beta in ((0, 0.4), (5, 0.7), (10, 1.0)):
        feed.updates = updates
        feed.draw(1, 1, 10)
        assert feed.replay.beta == pytest.approx(beta)


# A trajectory's rewards; with a scale of 2 they count as 10 (clipped), -10 (clipped), 2 and 3.
REWS = (100.0, -50.0, 4.0, 6.0)
RETURNS = {0: 10 - 10 / 2 + 2 / 4, 1: -10 + 2 / 2 + 3 / 4, 2: 2 + 3 / 2, 3: 3}


def test_rewards_are_scaled_one_by_one_in_a_return():
    """Three steps at gamma 1/2; the sum of the raw rewards would be clipped as one."""
    feed = make_feed(norm=NormConfig(rew_norm=True), n_step=3)
    feed.session.normaliser.earned.var = np.array(4.0)
    for number, rew in enumerate(REWS):
        store(feed, number, [rew], end=number == 3)
    _, batches, _ = feed.draw(1, 1, 10)
    for number, value in RETURNS.items():
        np.testing.assert_allclose(returns_of(batches, number), value, rtol=1e-6)


def test_rewards_are_scaled_by_their_own_task_in_a_return():
    """Task 1 earns ten times what task 0 does."""
    feed = make_feed(2, norm=NormConfig(rew_norm=True), n_step=3)
    feed.session.normaliser.earned.var = np.array([4.0, 400.0])
    for number, rew in enumerate(REWS):
        store(feed, number, [rew, 10 * rew], end=number == 3)
    _, batches, _ = feed.draw(1, 1, 10)
    for number, value in RETURNS.items():
        for task in (0, 1):
            np.testing.assert_allclose(returns_of(batches, number, task), value, rtol=1e-6)


def test_rewards_are_scaled_by_the_task_an_env_is_at():
    """One env, at task 0 and then at task 1, which earns ten times as much."""
    feed = make_feed(2, np.zeros(1, int), norm=NormConfig(rew_norm=True), n_step=3)
    feed.session.normaliser.earned.var = np.array([4.0, 400.0])
    for task in (0, 1):
        for number, rew in enumerate(REWS):
            store(feed, number, [10**task * rew], end=number == 3, task=np.array([task]))
    _, batches, _ = feed.draw(1, 1, 10)
    for number, value in RETURNS.items():
        for task in (0, 1):
            np.testing.assert_allclose(returns_of(batches, number, task), value, rtol=1e-6)


def test_single_rewards_are_as_the_normaliser_has_them():
    feed = make_feed(norm=NormConfig(rew_norm=True))
    feed.session.normaliser.earned.var = np.array(7.0)
    for number, rew in enumerate(REWS):
        store(feed, number, [rew])
    _, batches, _ = feed.draw(1, 1, 10)
    raw = np.array(REWS, np.float32)[batches.obs[0, :, 0].astype(int)]
    np.testing.assert_array_equal(batches.rew[0], feed.session.normaliser.rew(raw))


@pytest.mark.parametrize("num_tasks", [None, 2])
def test_errors_of_overwritten_transitions_are_dropped(num_tasks):
    """A ring of 4 that holds steps 0 to 3 when a burst is drawn, and 2 to 5 when its errors come."""
    tasks = num_tasks or 1
    feed = make_feed(num_tasks, replay="prioritised", replay_size=4, per_alpha=1.0, batch_size=8)
    for number in range(4):
        store(feed, number, [0.0] * tasks)
    drawn, batches, _ = feed.draw(1, 1, 10)  # alike in priority, so each of the 4 twice
    errors = 2.0 + batches.obs[..., 0]
    for number in (4, 5):
        store(feed, number, [0.0] * tasks)
    feed.draw(1, 1, 10)  # steps 4 and 5 get the largest priority so far, 1
    feed.keep(drawn, errors)
    feed.learn()
    for tree in feed.replay.trees:
        np.testing.assert_allclose(tree.leaves[:4], [1, 1, 4, 5], atol=1e-5)
        np.testing.assert_allclose(tree.tree[1], 11, atol=1e-5)


def test_new_transitions_have_the_largest_priority_of_their_task():
    feed = make_feed(2, replay="prioritised", replay_size=4, per_alpha=1.0, batch_size=8)
    for number in range(2):
        store(feed, number, [0.0] * 2)
    drawn, batches, _ = feed.draw(1, 1, 10)
    feed.keep(drawn, np.array([3.0, 500.0])[:, None] + 0 * batches.obs[..., 0])
    feed.learn()
    store(feed, 2, [0.0] * 2)
    feed.draw(1, 1, 10)
    for tree, largest in zip(feed.replay.trees, (3, 500)):
        np.testing.assert_allclose(tree.leaves[:3], largest, rtol=1e-5)


def test_errors_that_all_come_too_late_change_no_priority():
    feed = make_feed(replay="prioritised", replay_size=4, per_alpha=1.0)
    for number in range(4):
        store(feed, number, [0.0])
    drawn, _, _ = feed.draw(1, 1, 10)
    for number in range(4, 8):
        store(feed, number, [0.0])
    feed.draw(1, 1, 10)
    feed.keep(drawn, np.full(drawn.shape, 5.0))
    feed.learn()
    np.testing.assert_allclose(feed.replay.trees[0].leaves[:4], 1)


class Numbered(Fake):
    """The TD errors of burst k are k."""

    def update(self, batches, updates, count):
        info = super().update(batches, updates, count)
        return info | {"TDError": np.full(info["TDError"].shape, float(len(self.counts)))}


@pytest.mark.parametrize(
    "flags, unknown",
    [
        # Bursts at steps 30, 40, 50 and so on, 8 of them in an epoch of 100 steps but for its first
        ({"overlap": True}, 1),
        ({"overlap": False}, 0),
        # Bursts of at most 10 for each trajectory of 25 steps
        ({"update_at": "episode", "update_every": 10}, 0),
    ],
)
def test_batches_are_drawn_by_all_errors_but_those_of_the_burst_under_way(tmp_path, flags, unknown):
    algo = Numbered()
    loop = make_off_policy(tmp_path, algo, env="Ones", limit=25, replay="prioritised", **flags)
    learned, at_draw, first = set(), [], []
    learn, draw, end_epoch = loop.replay.learn, loop.feed.draw, loop.session.end_epoch

    def learn_and_tell(number, error):
        learned.update(np.unique(error))
        learn(number, error)

    def draw_and_tell(*args):
        at_draw.append(set(learned))
        return draw(*args)

    def end_epoch_and_tell(*args):
        first.append(len(at_draw) + 1)
        end_epoch(*args)

    loop.replay.learn = learn_and_tell
    loop.feed.draw = draw_and_tell
    loop.session.end_epoch = end_epoch_and_tell
    loop.train(200)
    assert len(at_draw) > 15
    for number, known in enumerate(at_draw, start=1):
        # Nothing is under way when an epoch begins.
        missing = 0 if number in first else unknown
        assert known == set(range(1, number - missing))
