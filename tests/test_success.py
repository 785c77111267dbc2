"""Success as envs report it: in every step or the last, all envs or some, from the first row on or
later."""

import json

import numpy as np
import pytest

from rl import envs, training
from rl.__main__ import main
from rl.experiments.scores import summary
from rl.experiments.statistics.intervals import wilson
from rl.logging import EpochLogger
from rl.training.evaluate import evaluate
from tests.helpers import column, rows, train
from tests.helpers_loops import TOYS, Acting, Fake, make_off_policy

RATES = ("Success", "MovingSuccess", "TestSuccess", "MovingTestSuccess")
RETURNS = ("AverageEpRet", "MovingEpRet", "AverageTestEpRet", "MovingTestEpRet")


@pytest.mark.parametrize("env", ["Tells", "TellsAtEnd"])
def test_columns_of_a_single_task(tmp_path, env):
    """A won episode's return is 1 and a lost one's 0, so rates are mean returns."""
    loop = make_off_policy(tmp_path, Fake(), env=env, num_envs=2, epochs=4, steps_per_epoch=40)
    assert training.run(loop)
    for rate, ret in zip(RATES, RETURNS):
        assert column(tmp_path, rate) == column(tmp_path, ret), rate
    assert 0 < column(tmp_path, "MovingSuccess")[-1] < 1
    assert 0 < column(tmp_path, "MovingTestSuccess")[-1] < 1


def test_lost_episodes_count_even_if_only_wins_are_told(tmp_path):
    loop = make_off_policy(tmp_path, Fake(), env="TellsWins", epochs=6, steps_per_epoch=60)
    loop.session.config = training.Config(epochs=6, steps_per_epoch=60, num_test_episodes=1)
    assert training.run(loop)
    assert column(tmp_path, "Success")[1:] == column(tmp_path, "AverageEpRet")[1:]
    told, earned = column(tmp_path, "TestSuccess"), column(tmp_path, "AverageTestEpRet")
    first = earned.index(1)
    assert 0 in earned[first:] and told[first:] == earned[first:] and np.isnan(told[:first]).all()


def test_no_columns_where_no_env_tells(tmp_path):
    assert training.run(make_off_policy(tmp_path, Fake(), env="Count"))
    assert not [name for name in rows(tmp_path)[0] if "Success" in name]


@pytest.mark.parametrize("backend", ["sync", "async"])
@pytest.mark.parametrize("seed, tells", [(0, [True, False, True]), (1, [False, True, False])])
def test_envs_that_do_not_tell_count_as_failures(backend, seed, tells):
    env = envs.make(TOYS + "TellsSome", 3, backend=backend, num_workers=2)
    env.reset(seed)
    act = np.zeros((3, 1), np.float32)
    steps = [env.step(act) for _ in range(3)]
    env.close()
    assert [step.success.tolist() for step in steps] == [[False] * 3, tells, [False] * 3]
    assert all(step.success.dtype == bool for step in steps)


def test_test_episodes_told_at_their_end():
    env = envs.make(TOYS + "TellsAtEnd", 2)
    played = evaluate(Acting(lambda obs, start: np.zeros((2, 1))), env, 20, seed=0)
    assert played["Success"].tolist() == played["EpRet"].tolist()
    assert 0 < played["Success"].sum() < 20


def run_in_parts(path, env, stops):
    """Four epochs of 40 steps, stopped at each of `stops` and resumed; None: to the end."""
    path.mkdir()
    for stop in stops:
        loop = make_off_policy(path, Fake(), env=env, num_envs=2, epochs=4, steps_per_epoch=40)
        collect = loop.collect

        def collect_until(loop=loop, collect=collect, stop=stop):
            ended = collect()
            loop.session.stopping = loop.step == stop
            return ended

        loop.collect = collect_until
        assert training.run(loop) == (stop is None)


@pytest.mark.parametrize("env", ["Tells", "TellsAtEnd", "TellsWins"])
def test_a_resumed_run_has_the_same_columns(tmp_path, env):
    """Stopped before anybody told, in the middle of episodes, and where a row is whole."""
    run_in_parts(tmp_path / "whole", env, [None])
    assert set(RATES) <= set(rows(tmp_path / "whole")[0])
    run_in_parts(tmp_path / "parts", env, [2, 4, 50, 80, 82, None])
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")


def test_eval_of_a_single_task(tmp_path, capsys):
    run = train(tmp_path, "--env", TOYS + "Tells", "--epochs", "1")
    capsys.readouterr()
    assert main(["eval", str(run), "--episodes", "20", "--trust"]) == 0
    told = json.loads(capsys.readouterr().out)
    wins = round(20 * told["return_mean"])
    assert 0 < wins < 20 and told["success_mean"] == pytest.approx(wins / 20)
    assert told["success_interval"] == pytest.approx(wilson(wins, 20))


def test_summary_without_success():
    spec = envs.make(TOYS + "Count").spec
    stats = summary({"EpRet": np.ones(4), "EpLen": np.ones(4)}, spec)
    assert not [name for name in stats if "success" in name]


# The logger: columns that join --------------------------------------------


def make_logger(path):
    columns = {"Epoch": "value", "Success": "rate", "LossQ": "mean"}
    return EpochLogger(path, columns, window=2, optional=("Success",))


def text(path):
    return (path / "progress.txt").read_text().splitlines()


def test_a_column_joins_with_its_first_value(tmp_path):
    logger = make_logger(tmp_path)
    logger.store(LossQ=1.0)
    assert logger.dump(Epoch=1) == {"Epoch": 1, "LossQ": 1}
    assert text(tmp_path) == ["Epoch\tLossQ", "1\t1"]
    logger.store(LossQ=2.0, Success=[True, False])
    logger.dump(Epoch=2)
    logger.store(Success=[1.0, 1.0])
    logger.dump(Epoch=3)
    header = "Epoch\tSuccess\tMovingSuccess\tLossQ"
    assert text(tmp_path) == [header, "1\tnan\tnan\t1", "2\t0.5\t0.5\t2", "3\t1\t0.75\tnan"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["progress.txt"]


@pytest.mark.parametrize("saved", [0, 1, 2])
def test_a_column_that_joined_after_the_checkpoint(tmp_path, saved):
    """Resumed from any row, the file ends as the uninterrupted run's."""

    def epochs(logger, first):
        states = []
        for epoch in range(first, 4):
            states.append(logger.state())
            if epoch > 1:
                logger.store(Success=[epoch == 2, False])
            logger.dump(Epoch=epoch)
        return states

    states = epochs(make_logger(tmp_path), 0)
    whole = text(tmp_path)
    again = make_logger(tmp_path)
    again.load_state(states[saved])
    assert len(text(tmp_path)) == (saved + 1 if saved else 0)
    epochs(again, saved)
    assert text(tmp_path) == whole
