"""Runs that end before their last epoch: when, what they say, and how they go on."""

import dataclasses
import json
import types

import numpy as np
import pytest

from rl import envs, training
from rl.__main__ import main
from rl.config import UserError
from rl.experiments.environments import check_solvable
from rl.experiments.rundir import RunDir
from rl.files import load_tree
from rl.training.early_stop import EarlyStop, standard_error, stopped_early
from tests.helpers import IDLE, collect_until, column, refused, rows, train
from tests.helpers_loops import TOYS, Fake, make_off_policy


def make(kind, epochs=2, threshold=None):
    config = training.Config(early_stop=kind, early_stop_epochs=epochs)
    return EarlyStop(config, threshold)


def returns(*values):
    return {"EpRet": np.array(values, float)}


def reasons(early_stop, tests):
    """What it says after each of `tests`."""
    said = []
    for played in tests:
        early_stop.observe(played)
        said.append(early_stop.reason)
    return said


# When -------------------------------------------------------------------------------


def test_solved_by_the_threshold():
    """Its mean is what counts, the threshold itself is enough, and a worse test starts over."""
    tests = [returns(4, 6), returns(0, 9), returns(5, 5), returns(9, 2), returns(0, 0)]
    reason = "the test return was at least 5 in 2 tests in a row"
    assert reasons(make("solved", threshold=5.0), tests) == ["", "", "", reason, reason]


def test_solved_by_success_whatever_the_return():
    tests = [{"EpRet": np.array([9.0, 9.0]), "Success": np.array(won)} for won in ([0, 1], [1, 1])]
    reason = "the test success was 1 in 2 tests in a row"
    stop = make("solved", threshold=5.0)
    assert reasons(stop, [tests[1], tests[0], tests[1], tests[1]]) == ["", "", "", reason]


def test_solved_in_all_tasks():
    tasks = [[True, True], [True, False]]
    played = {"EpRet": np.zeros((2, 2)), "Success": np.array(tasks)}
    stop = make("solved", epochs=1)
    assert reasons(stop, [played, {**played, "Success": np.ones((2, 2), bool)}])[0] == ""
    assert stop.reason == "the test success was 1 in a test"


def test_plateau_by_more_than_noise():
    """Means 1 and 2 with a standard error of sqrt(1/2) each: their difference has one of 1. What
    is not enough alone adds up."""
    reason = "the test return has not improved in 3 tests in a row"
    tests = [(0, 2), (0.9, 2.9), (0.95, 2.95), (1.1, 3.1), (0, 2), (1.2, 3.2), (2.05, 4.05)]
    said = reasons(make("plateau", epochs=3), [returns(*values) for values in tests])
    assert said == [""] * 6 + [reason]


def test_plateau_needs_both_scores():
    """A success that stays 0 ends no run whose return still improves."""
    tests = []
    for number, won in enumerate([0, 0, 0, 1, 1, 1]):
        ret = min(number, 2)
        tests.append({"EpRet": np.full(2, ret), "Success": np.full(2, won)})
    reason = "neither test return nor success improved in 2 tests in a row"
    assert reasons(make("plateau"), tests) == ["", "", "", "", "", reason]


def test_differences_between_tasks_are_no_noise():
    assert standard_error(np.array([[0.0, 0.0], [10.0, 10.0]])) == 0
    assert standard_error(np.array([0.0, 2.0])) == pytest.approx(np.sqrt(1 / 2))
    # The mean of two tasks' means, whose errors are sqrt(1/2) and 0.
    assert standard_error(np.array([[0.0, 2.0], [7.0, 7.0]])) == pytest.approx(np.sqrt(1 / 2) / 2)


def test_state_round_trip():
    stop = make("plateau", epochs=3)
    reasons(stop, [returns(1, 1), returns(1, 1)])
    copy = make("plateau", epochs=3)
    copy.load_state(json.loads(json.dumps(stop.state())))
    for early_stop in (stop, copy):
        reasons(early_stop, [returns(1, 1), returns(1, 1)])
    assert copy.reason == stop.reason != "" and copy.state() == stop.state()
    other = make("solved", epochs=3)
    other.load_state(copy.state())
    assert other.state() == make("solved", epochs=3).state()


@pytest.mark.parametrize("damage", [{"early_stop": 1}, {"early_stop": {}}, {"flags": []}, {}])
def test_a_strangers_state_has_no_reason(damage):
    flags = {"epochs": 3, "early_stop": "solved", "early_stop_epochs": 1}
    state = {"early_stop": {"reason": "solved"}, "flags": flags}
    assert stopped_early(state, flags) == "solved"
    assert stopped_early(state, flags | {"epochs": 4}) == ""
    assert stopped_early({**state, **damage} if damage else {}, flags) == ""


# Runs -------------------------------------------------------------------------------


def make_loop(path, env="Count", kind="plateau", epochs=9):
    algo = Fake()
    algo.spec = types.SimpleNamespace(tasks=(), reward_threshold=6.0)
    frame = {"early_stop": kind, "early_stop_epochs": 2, "save_freq": 4}
    return make_off_policy(path, algo, env=env, epochs=epochs, steps_per_epoch=40, frame=frame)


@pytest.mark.parametrize("kind, last", [("solved", 2), ("plateau", 3), ("none", 9)])
def test_the_last_row(tmp_path, kind, last):
    """Every episode of Count returns 1 + 2 + 3."""
    loop = make_loop(tmp_path, kind=kind)
    assert training.run(loop)
    assert column(tmp_path, "Epoch") == list(range(1, last + 1))
    assert column(tmp_path, "AverageTestEpRet")[-1] == 6
    assert loop.session.checkpoints.steps()[-1] == 40 * last


@pytest.mark.parametrize("stops", [[17, 40, 81, None], [80, 119, None]])
def test_stopped_and_resumed_it_ends_at_the_same_row(tmp_path, stops):
    (tmp_path / "whole").mkdir()
    assert training.run(make_loop(tmp_path / "whole"))
    (tmp_path / "parts").mkdir()
    for stop in stops:
        loop = make_loop(tmp_path / "parts")
        collect_until(loop, stop)
        assert training.run(loop) == (stop is None)
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")
    again = make_loop(tmp_path / "parts")
    assert training.run(again) and again.step == 120  # there is nothing left to do
    assert rows(tmp_path / "parts") == rows(tmp_path / "whole")


PLATEAU = ("--early_stop", "plateau", "--early_stop_epochs", "2")
COUNT = (*IDLE, "--env", TOYS + "Count", "--epochs", "5", "--steps_per_epoch", "40")


def test_a_run_that_ended_early(tmp_path, capsys):
    directory = train(tmp_path / "early", *COUNT, *PLATEAU)
    why = "at 120 of 200 steps: the test return has not improved in 2 tests in a row"
    assert f"stopped early, {why}" in capsys.readouterr().out
    run = RunDir(directory)
    assert run.status == "finished" and run.config["stopped_early"] == why
    before = (directory / "config.json").read_bytes()
    line = refused(capsys, "resume", directory, "--trust")
    assert f"{directory} stopped early, {why}; go on with --early_stop none" in line
    assert (directory / "config.json").read_bytes() == before and run.status == "finished"

    assert main(["resume", str(directory), "--trust", "--early_stop", "none"]) == 0
    assert rows(directory) == rows(train(tmp_path / "whole", *COUNT))
    assert run.status == "finished" and "stopped_early" not in run.config


def test_more_epochs_count_anew(tmp_path, capsys):
    """Also when the run is killed before its next checkpoint."""
    directory = train(tmp_path, *COUNT, *PLATEAU)
    config = json.loads((directory / "config.json").read_text())
    config |= {"epochs": 9, "resumes": [{"step": 120, "changes": {"epochs": 9}}]}
    (directory / "config.json").write_text(json.dumps(config))
    run = RunDir(directory)
    assert run.status == "unfinished"
    assert main(["resume", str(directory), "--trust"]) == 0
    assert column(directory, "Epoch") == [1, 2, 3, 4, 5, 6] and run.status == "finished"
    newest = load_tree(directory / "checkpoints" / "step_000000240.npz")
    assert newest["early_stop"]["count"] == 2
    assert "at 240 of 360 steps" in refused(capsys, "resume", directory, "--trust")


# Refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flags, words",
    [
        (("--early_stop", "solved"), ["Pendulum-v1 has no reward_threshold", "success"]),
        (("--early_stop", "plateau", "--num_test_episodes", "0"), ["--num_test_episodes is 0"]),
        (("--early_stop_epochs", "3"), ["--early_stop_epochs has no effect", "--early_stop"]),
        (("--early_stop", "soon"), ["--early_stop must be one of none, solved, plateau"]),
    ],
)
def test_refused(tmp_path, capsys, flags, words):
    line = refused(capsys, "--env", "Pendulum", "--data_dir", tmp_path, *flags)
    assert all(word in line for word in words), line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("env", ["Tells", "TellsAtEnd", "Count"])
def test_an_episode_tells_of_success(env):
    vector = envs.make(TOYS + env, 2)
    vector.spec = dataclasses.replace(vector.spec, reward_threshold=None)
    if env == "Count":
        with pytest.raises(UserError, match="don't tell of success"):
            check_solvable(vector)
    else:
        check_solvable(vector)


def test_sets_of_tasks_can_be_solved():
    check_solvable(envs.make("PointMass-MT4", 1))
