"""The off-policy loop with a fake algorithm, and what values it makes a real one learn."""

import itertools
import types
from fractions import Fraction

import numpy as np
import pytest

from rl import envs, training
from rl.algos.ddpg import DDPG
from rl.config import UserError
from rl.files import load_tree
from rl.training.evaluate import evaluate
from rl.training.off_policy import Config
from tests.helpers import records
from tests.helpers_algos import make_algo
from tests.helpers_loops import TOYS, Acting, Fake, make_off_policy


def test_schedule(tmp_path):
    algo = Fake()
    loop = make_off_policy(tmp_path, algo)
    assert training.run(loop)
    assert algo.counts == [10] * 18  # nothing for the first 20 steps, then one update per step
    assert algo.batches[0].obs.shape == (10, 4, 1)


def test_random_steps_first_then_the_policy(tmp_path):
    algo = Fake()
    loop = make_off_policy(tmp_path, algo, start_steps=15)
    training.run(loop)
    act = loop.replay.data["act"][0, : loop.replay.total, 0]
    assert len(np.unique(act[:15])) == 15 and (act[15:] == 0.25).all()
    assert act[:15].min() >= -1 and act[:15].max() <= 1


@pytest.mark.parametrize("per_step, total", [(0.5, 90), (2.0, 360), (0.0, 0)])
def test_updates_per_step(tmp_path, per_step, total):
    algo = Fake()
    loop = make_off_policy(tmp_path, algo, updates_per_step=per_step)
    training.run(loop)
    assert sum(algo.counts) == total


RATES = {0.1: "0.1", 0.3: "0.3", 0.5: "0.5", 1.0: "1", 1.5: "1.5", 2 / 3: "2/3", 0.29: "0.29"}


def updates_asked_for(total, every, after, num_envs, rate):
    """A run with `update_at steps`, step by step and without rounding."""
    step, owed, updates = 0, Fraction(0), 0
    while step < total:
        before, step = step, step + num_envs
        if step > after:
            owed += rate * num_envs
        if step // every > before // every:
            updates += int(owed)
            owed -= int(owed)
    return updates


def test_total_updates_against_a_plain_loop(tmp_path):
    loop = make_off_policy(tmp_path, Fake())
    grid = itertools.product(
        (1, 30, 100, 203), (1, 7, 10, 50), (0, 1, 20, 37, 500), (1, 3, 8), RATES
    )
    for total, every, after, num_envs, rate in grid:
        loop.config = Config(update_every=every, update_after=after, updates_per_step=rate)
        loop.env = types.SimpleNamespace(num_envs=num_envs)
        loop.session.total_steps = total
        wanted = updates_asked_for(total, every, after, num_envs, Fraction(RATES[rate]))
        assert loop.total_updates() == wanted, (total, every, after, num_envs, rate)


@pytest.mark.parametrize("rate, every, num_envs", [(0.1, 1, 1), (2 / 3, 10, 4), (0.3, 20, 2)])
def test_a_run_makes_its_total_of_updates(tmp_path, rate, every, num_envs):
    algo = Fake()
    flags = {"updates_per_step": rate, "update_every": every}
    loop = make_off_policy(tmp_path, algo, num_envs=num_envs, **flags)
    training.run(loop)
    wanted = updates_asked_for(200, every, 20, num_envs, Fraction(RATES[rate]))
    assert sum(algo.counts) == loop.total_updates() == wanted


def test_many_envs_keep_the_ratio_and_count_every_step(tmp_path):
    algo = Fake()
    loop = make_off_policy(tmp_path, algo, num_envs=4, update_every=10)
    training.run(loop)
    assert loop.step == loop.replay.total == 200
    assert 180 - 10 < sum(algo.counts) <= 180
    assert [row["TotalEnvInteracts"] for row in records(tmp_path)] == [100, 200]


def test_updates_at_the_end_of_each_trajectory(tmp_path):
    """As many updates as the trajectory had steps, however many that are, by one program."""
    algo = Fake()
    loop = make_off_policy(
        tmp_path,
        algo,
        env="Ones",
        limit=7,
        update_at="episode",
        update_after=0,
        update_every=5,
        epochs=1,
    )
    training.run(loop)
    assert algo.counts == [5, 2] * 14  # 100 steps hold 14 whole trajectories of 7
    assert {b.obs.shape[0] for b in algo.batches} == {5}


def test_rows_and_transitions_of_known_episodes(tmp_path):
    """Count: rewards 1, 2, 3, then termination."""
    algo = Fake()
    loop = make_off_policy(tmp_path, algo)
    training.run(loop)
    row = records(tmp_path)[0]
    assert (row["AverageEpRet"], row["EpLen"], row["MaxEpRet"], row["MinEpRet"]) == (6, 3, 6, 6)
    assert (row["AverageTestEpRet"], row["TestEpLen"], row["Loss"]) == (6, 3, 0)
    data = {k: v[0, :4].reshape(4, -1)[:, 0].tolist() for k, v in loop.replay.data.items()}
    assert data["obs"] == [0, 1, 2, 0] and data["obs2"] == [
        1,
        2,
        3,
        1,
    ]  # the final observation, not the reset one
    assert data["rew"] == [1, 2, 3, 1] and data["done"] == [0, 0, 1, 0]


def test_truncation_is_stored_as_not_done_with_its_final_observation(tmp_path):
    loop = make_off_policy(tmp_path, Fake(), limit=2)
    training.run(loop)
    data = {k: v[0, :4].reshape(4, -1)[:, 0].tolist() for k, v in loop.replay.data.items()}
    assert (
        data["done"] == [0, 0, 0, 0]
        and data["obs2"] == [1, 2, 1, 2]
        and data["obs"] == [0, 1, 0, 1]
    )
    assert records(tmp_path)[0]["EpLen"] == 2


def test_start_marks_first_steps(tmp_path):
    algo = Fake()
    loop = make_off_policy(tmp_path, algo, start_steps=0)
    training.run(loop)
    assert [bool(s[0]) for s in algo.starts[:7]] == [True, False, False, True, False, False, True]


@pytest.mark.parametrize(
    "algo, env, words",
    [
        (Fake(loss=float("nan")), "Count", "Loss became nan or inf by env step 30"),
        (Fake(explored=float("inf")), "Count", "action became nan or inf by env step 10"),
    ],
)
def test_nan_stops_the_run(tmp_path, algo, env, words):
    loop = make_off_policy(tmp_path, algo, env=env)
    with pytest.raises(UserError, match=words):
        training.run(loop)


def test_evaluation_counts_a_fixed_share_per_env():
    """Env i's episodes end at different times; all of them count, whichever end first."""
    env = envs.make(TOYS + "Count", 3)
    still = Acting(lambda obs, start: np.zeros((3, 1), np.float32))
    played = evaluate(still, env, 7, seed=0)
    assert set(played) == {"EpRet", "EpLen"}
    assert played["EpRet"].tolist() == [6.0] * 7 and played["EpLen"].tolist() == [3] * 7


def test_rewards_may_be_arrays_of_one_number(tmp_path):
    loop = make_off_policy(
        tmp_path, Fake(), env="ArrayReward", num_envs=2, frame={"num_test_episodes": 4}
    )
    training.run(loop)
    assert loop.replay.data["rew"][0, :6].tolist() == [1, 1, 2, 2, 1, 1]
    row = records(tmp_path)[-1]
    assert (row["AverageEpRet"], row["AverageTestEpRet"], row["TestEpLen"]) == (4, 4, 3)


def test_rewards_of_several_numbers_are_refused(tmp_path):
    with pytest.raises(UserError, match="a reward of 2 numbers"):
        training.run(make_off_policy(tmp_path, Fake(), env="TwoRewards"))


def learned_value(tmp_path, env, limit, store_truncated_as_done=False):
    """The mean Q that DDPG learns at gamma 0.9."""
    algo = make_algo(
        DDPG, spec=envs.make(TOYS + env).spec, gamma=0.9, polyak=0.9, q_lr=1e-2, pi_lr=1e-4
    )
    loop = make_off_policy(
        tmp_path,
        algo,
        env=env,
        limit=limit,
        epochs=4,
        steps_per_epoch=500,
        start_steps=10**6,
        batch_size=64,
    )
    if store_truncated_as_done:
        store = loop.replay.store
        loop.replay.store = lambda **t: store(**{**t, "done": t["end"]})
    training.run(loop)
    return records(tmp_path)[-1]["AverageQVals"]


def test_time_limits_bootstrap(tmp_path):
    """An endless stream of ones is worth 1 / (1 - gamma), although every episode is cut at 10
    steps."""
    assert learned_value(tmp_path, "Ones", 10) == pytest.approx(10, rel=0.03)


def test_value_is_wrong_if_truncation_ends_it(tmp_path):
    """The same run with truncation stored as termination: 1 / (1 - gamma * 9 / 10). So the test
    above can fail."""
    assert learned_value(tmp_path, "Ones", 10, store_truncated_as_done=True) == pytest.approx(
        1 / (1 - 0.81), rel=0.1
    )


def test_termination_ends_it(tmp_path):
    """Ones for 5 steps, then termination, unseen by the policy: 1 / (1 - gamma * 4 / 5)."""
    assert learned_value(tmp_path, "OnesUntilDeath", 50) == pytest.approx(1 / (1 - 0.72), rel=0.1)


def test_learns_the_target_env(tmp_path):
    algo = make_algo(DDPG, spec=envs.make(TOYS + "Target").spec, sizes=(32,), gamma=0.0)
    loop = make_off_policy(
        tmp_path, algo, env="Target", epochs=4, steps_per_epoch=500, start_steps=300, batch_size=64
    )
    training.run(loop)
    rows = records(tmp_path)
    assert rows[-1]["AverageTestEpRet"] > -0.3  # ten steps of squared error; about -6.7 at random


@pytest.mark.parametrize("save_freq, best_steps", [(1, [100, 200, 200, 400]), (2, [200, 400])])
def test_the_best_checkpoint_is_of_the_highest_test_return(
    tmp_path, monkeypatch, save_freq, best_steps
):
    """Also of a run that goes on from a checkpoint: returns are 1, 5, 3 and 6."""
    returns = iter([1.0, 5.0, 3.0, 6.0])

    def play(*args, **options):
        del args, options
        return {"EpRet": np.full(10, next(returns)), "EpLen": np.ones(10)}

    monkeypatch.setattr("rl.training.session.evaluate", play)
    found = []
    for epochs in (2, 4):
        frame = {"save_freq": save_freq}
        loop = make_off_policy(tmp_path, Fake(), epochs=epochs, frame=frame)
        save = loop.session.checkpoints.save

        def save_and_look(*args, save=save, **options):
            save(*args, **options)
            found.append(load_tree(tmp_path / "checkpoints" / "best.npz")["loop"]["step"])

        monkeypatch.setattr(loop.session.checkpoints, "save", save_and_look)
        training.run(loop)
    assert found == best_steps
