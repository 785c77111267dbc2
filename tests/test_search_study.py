"""The trials of a search, in Optuna's study and in the pool: one that was killed at any write goes
on as one that wasn't; what is given up, and what fails."""

import contextlib
import importlib
import math
import signal
import sqlite3

import numpy as np
import pytest

from rl.config import UserError
from rl.experiments.rundir import RunDir
from rl.experiments.searches.definition import check_values
from rl.experiments.searches.fitness import Fitness
from rl.experiments.searches.pool import SearchPool
from rl.experiments.searches.spaces import Choice, Uniform
from rl.signals import STOPPED
from tests.helpers_compare import make_task_run
from tests.helpers_search import TrainingLauncher, make_search

optuna = pytest.importorskip("optuna", reason="Optuna, the extra 'search', is absent")
study = importlib.import_module("rl.experiments.searches.study")
storing = importlib.import_module("rl.experiments.searches.storage")
FAIL = optuna.trial.TrialState.FAIL

# Study -----------------------------------------------------------------------------


def objective(params):
    """Best at pi_lr = 1e-3, gamma = 0.95."""
    return -((math.log10(params["pi_lr"]) + 3) ** 2) - (20 * params["gamma"] - 19) ** 2


def configurations(searcher):
    return [(row.number, row.state, row.value, row.params) for row in searcher.rows()]


def search_in_memory(search, storage=None):
    """Tries all that is left to try. Returns the searcher."""
    storage = storage or optuna.storages.InMemoryStorage()
    searcher = study.Searcher(search, storage, "here")
    searcher.drive(objective)
    return searcher


class Killed(BaseException):
    """A process ended."""


class Mortal:
    """Has a storage's writes raise `Killed`, before or after the one with a number."""

    WRITES = (
        "create_new_trial",
        "set_trial_param",
        "set_trial_state_values",
        "set_trial_intermediate_value",
        "set_trial_user_attr",
        "set_trial_system_attr",
    )

    def __init__(self, storage, monkeypatch, last):
        self.left = last
        for name in self.WRITES:
            monkeypatch.setattr(storage, name, self.counted(getattr(storage, name)))

    def counted(self, write):
        def call(*arguments, **options):
            self.left -= 1
            if self.left < 0:
                raise Killed
            return write(*arguments, **options)

        return call


@pytest.mark.parametrize(
    "strategy, writes",
    [
        ("random", range(1, 48, 2)),
        ("grid", range(1, 48, 5)),
        ("ic_grid", range(1, 48, 3)),
        ("auto_ic", range(2, 60, 2)),
        ("tpe", range(60, 72)),
    ],
)
def test_killed_at_any_write_it_goes_on_as_if_not(strategy, writes):
    trials = 12 if strategy == "tpe" else 7
    search = make_search(strategy=strategy, trials=trials)
    whole = configurations(search_in_memory(search))
    assert len(whole) >= 5
    deaths = 0
    for last in writes:
        storage = optuna.storages.InMemoryStorage()
        with pytest.MonkeyPatch.context() as patch:
            Mortal(storage, patch, last)
            try:
                search_in_memory(search, storage)
            except Killed:
                deaths += 1
        assert configurations(search_in_memory(search, storage)) == whole
    assert deaths >= len(writes) // 2


def test_more_trials_go_on_and_another_search_is_refused():
    storage = optuna.storages.InMemoryStorage()
    search_in_memory(make_search(trials=3), storage)
    searcher = search_in_memory(make_search(trials=5), storage)
    assert configurations(searcher) == configurations(search_in_memory(make_search(trials=5)))
    with pytest.raises(UserError, match='was begun with strategy "random", and now it is'):
        search_in_memory(make_search(strategy="grid"), storage)


def test_trials_of_another_owner_are_left_alone():
    storage = optuna.storages.InMemoryStorage()
    there = study.Searcher(make_search(), storage, "there")
    assert there.ask() == 0
    searcher = search_in_memory(make_search(), storage)
    assert [row.state for row in searcher.rows()] == ["running", *["complete"] * 3]
    assert there.take_up() == [0]


def test_trials_of_a_machine_that_is_gone_are_tried_again(tmp_path, monkeypatch):
    """Its trial counts once: that which took its place."""
    search = make_search(trials=2)
    url = f"sqlite:///{tmp_path}/s.db"
    there = study.Searcher(search, storing.open_storage(url), "there")
    params = there.params(there.ask())
    with contextlib.closing(sqlite3.connect(tmp_path / "s.db")) as database:
        beats = database.execute("SELECT trial_id FROM trial_heartbeats").fetchall()
    assert beats == [(1,)]  # a sign of life of the first trial
    storage = storing.open_storage(url)
    stale = [[1]]
    monkeypatch.setattr(storage, "_get_stale_trial_ids", lambda of: stale.pop() if stale else [])
    rows = search_in_memory(search, storage).rows()
    assert [row.number for row in rows] == [1, 2]
    assert rows[0].params == params
    assert {row.state for row in rows} == {"complete"}


def test_two_machines_share_a_journal(tmp_path):
    """They take turns, and try each configuration of a grid once between them."""
    search = make_search(strategy="grid", trials=None)
    url = f"journal:{tmp_path}/journal.log"
    here = study.Searcher(search, storing.open_storage(url), "here")
    there = study.Searcher(search, storing.open_storage(url), "there")
    for number in range(0, 8, 2):
        assert (here.ask(), there.ask()) == (number, number + 1)
        here.complete(number, 0.0, runs=1)
        there.complete(number + 1, 1.0, runs=1)
    assert here.ask() == 8
    assert there.ask() is None
    alone = [row.params for row in search_in_memory(search).rows()]
    assert [row.params for row in there.rows()] == alone
    assert there.best().number == 1


def test_a_trial_that_another_machine_has_ended_is_left_alone():
    storage = optuna.storages.InMemoryStorage()
    searcher = study.Searcher(make_search(), storage, "here")
    number = searcher.ask()
    study.Searcher(make_search(), storage, "there").study.tell(number, state=FAIL)
    assert not searcher.report(number, {0: 1.0})
    searcher.complete(number, 1.0, runs=1)
    assert searcher.rows() == []  # that which will take its place counts


def test_a_storage_that_fails_is_told_in_one_line():
    with pytest.raises(UserError, match="the storage fails: database or disk is full; what was"):
        with storing.storage_errors():
            raise optuna.exceptions.StorageInternalError("database or disk is full\nsql")


def test_less_can_be_better():
    searcher = study.Searcher(
        make_search(maximise=False), optuna.storages.InMemoryStorage(), "here"
    )
    searcher.drive(lambda params: -objective(params))
    values = [row.value for row in searcher.rows()]
    assert searcher.best().value == min(values) > 0
    maximised = search_in_memory(make_search())
    assert searcher.best().params == maximised.best().params


def test_importance():
    search = make_search(trials=40)
    searcher = study.Searcher(search, optuna.storages.InMemoryStorage(), "here")
    searcher.drive(lambda params: math.log10(params["pi_lr"]))
    shares = searcher.importance().shares
    assert shares["pi_lr"] > 0.85
    assert shares["gamma"] < 0.15
    assert not search_in_memory(make_search(trials=3)).importance().shares


def test_equal_trials_tell_nothing_of_flags(monkeypatch):
    """By fANOVA too, which raises."""
    searcher = study.Searcher(make_search(trials=10), optuna.storages.InMemoryStorage(), "here")
    searcher.drive(lambda params: 0.0)
    monkeypatch.setattr(study.importlib.util, "find_spec", lambda name: name)
    assert searcher.importance().shares == {"pi_lr": 0, "gamma": 0}


def test_runs_of_several_tasks_are_judged_whole():
    """A run that is worse in its first four tasks of ten, and far better in the others."""
    search = make_search(seeds=range(3), prune="seeds", trials=2)
    searcher = study.Searcher(search, optuna.storages.InMemoryStorage(), "here")
    best = searcher.ask()
    assert not searcher.report(best, dict(enumerate([0.5] * 30)))
    searcher.complete(best, 0.5, runs=3)
    other = searcher.ask()
    tasks = [0.45, 0.44, 0.43, 0.42, *[1.0] * 6]
    assert not searcher.report(other, dict(enumerate(tasks)))
    worse = [0.3 - 0.01 * task for task in range(20)]
    assert searcher.report(other, {10 + task: value for task, value in enumerate(worse)})


def test_a_storage_that_cannot_be_opened():
    with pytest.raises(UserError, match="cannot open the storage: "):
        storing.open_storage("nothing://")


# Pool ------------------------------------------------------------------------------

SPACE = {"gamma": Uniform(0.5, 0.9, points=5)}


def test_a_server_that_is_gone_is_told_in_a_line():
    class Gone(Exception):
        __module__ = "grpc._channel"

        def code(self):
            return "StatusCode.UNAVAILABLE"

    with pytest.raises(UserError, match="its server gives StatusCode.UNAVAILABLE"):
        with storing.storage_errors():
            raise Gone


# What the run of a configuration scores, by its trial.
GOOD_FIRST = [0.9, 0.1, 0.2, 0.3, 0.4]


def ignore(what):
    """Tells nobody."""
    del what


def work(search, folder, launcher, storage=None, jobs=1):
    """Has a pool try a search's configurations by fake processes. Returns the pool, the searcher,
    and the states of its trials with how many runs each is the mean of."""
    searcher = study.Searcher(search, storage or optuna.storages.InMemoryStorage(), "here")
    pool = SearchPool(search, searcher, folder, launcher, jobs, ignore, ignore)
    pool.work()
    rows = [(row.state, row.runs) for row in searcher.rows()]
    return pool, searcher, rows


def grid_search(**arguments):
    usual = {"space": SPACE, "strategy": "grid", "trials": None, "fitness": "TestSuccess"}
    return make_search(**{**usual, **arguments})


@pytest.fixture(name="launcher")
def fixture_launcher(monkeypatch):
    """Starts processes that are none, and write rows when they are looked at."""
    monkeypatch.setattr("rl.experiments.sweeps.pool.POLL", 0.001)
    launcher = TrainingLauncher(GOOD_FIRST)
    status = RunDir.status.fget
    fake = property(lambda run: "finished" if run.name in launcher.finished else status(run))
    monkeypatch.setattr(RunDir, "status", fake)
    return launcher


def test_a_trial_is_the_mean_of_its_seeds(tmp_path, launcher):
    pool, searcher, rows = work(grid_search(seeds=(0, 1), prune="none"), tmp_path, launcher)
    assert pool.exit_code() == 0
    assert rows == [("complete", 2)] * 5
    order = [f"trial_{trial}_s{seed}" for trial in range(5) for seed in (0, 1)]
    assert launcher.started == order
    # A seed adds a hundredth of its number.
    values = [row.value for row in searcher.rows()]
    assert values == pytest.approx([level + 0.005 for level in GOOD_FIRST])
    assert searcher.best().number == 0


def test_seeds_go_on_side_by_side(tmp_path, launcher):
    work(grid_search(seeds=(0, 1), prune="none"), tmp_path, launcher, jobs=3)
    assert launcher.started[:3] == ["trial_0_s0", "trial_0_s1", "trial_1_s0"]
    assert max(launcher.at_once) == 3


def test_worse_trials_are_given_up_after_some_seeds(tmp_path, launcher):
    """Worse on all of n seeds has p = 2 ** -n in a Wilcoxon test: after 4 it is below 0.1."""
    _, searcher, rows = work(grid_search(seeds=range(6)), tmp_path, launcher)
    assert rows == [("complete", 6), *[("pruned", 4)] * 4]
    assert searcher.rows()[1].value == pytest.approx(0.1 + 0.015)  # the mean of seeds 0 to 3


def test_tasks_count_as_seeds_do(tmp_path, launcher):
    launcher.tasks = ("reach", "push")
    _, _, rows = work(grid_search(seeds=range(3)), tmp_path, launcher)
    assert rows == [("complete", 3), *[("pruned", 2)] * 4]


def test_a_task_without_a_value_is_compared_with_no_other(tmp_path, launcher, monkeypatch):
    """Of five tasks, each easier than the next, trials after the first have no value of the easiest
    and are better in all others."""
    tasks = np.array([1, 0.8, 0.6, 0.4, 0.2])
    later = np.array([np.nan, *(tasks[1:] + 0.08)])

    def read(run, search):
        del search
        is_first = run.name.startswith("trial_0_")
        return Fitness(0.6, tuple(tasks if is_first else later))

    monkeypatch.setattr("rl.experiments.searches.pool.fitness_of", read)
    _, _, rows = work(grid_search(seeds=range(3)), tmp_path, launcher)
    assert rows == [("complete", 3)] * 5


def test_runs_whose_curve_is_low_are_stopped(tmp_path, launcher, monkeypatch):
    """After 2 trials the median of 0.9 and 0.1 is the least that a row must reach."""
    monkeypatch.setattr(study, "FEWEST_CURVES", 2)
    _, searcher, rows = work(grid_search(prune="curves"), tmp_path, launcher)
    assert [state for state, _ in rows] == ["complete", "complete", *["pruned"] * 3]
    assert searcher.rows()[2].value == pytest.approx(0.2)
    assert [process.got for process in launcher.processes[1:3]] == [[], [signal.SIGTERM]]
    assert searcher.best().number == 0


def test_a_trial_of_a_run_that_fails_has_failed(tmp_path, launcher):
    launcher.codes["trial_1_s0"] = 2
    pool, searcher, rows = work(grid_search(seeds=(0, 1), prune="none"), tmp_path, launcher)
    assert rows == [("complete", 2), ("failed", 0), *[("complete", 2)] * 3]
    assert "trial_1_s1" not in launcher.started
    assert searcher.rows()[1].reason == "seed 0: exit code 2"
    assert pool.exit_code() == 0


def test_it_gives_up_when_trials_only_fail(tmp_path, launcher):
    launcher.codes |= {f"trial_{trial}_s0": 1 for trial in range(5)}
    pool, _, rows = work(grid_search(), tmp_path, launcher)
    assert rows == [("failed", 0)] * 3
    assert pool.has_given_up and pool.exit_code() == 1


def test_a_configuration_that_training_refuses_has_failed(tmp_path, launcher):
    """Each value is good by itself, and not this one beside the others."""
    space = {"update_after": Choice([10, 1000]), "replay_size": Choice([100, 2000])}
    search = grid_search(space=space)
    check_values(search)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "trial_1").mkdir()
    run = RunDir(tmp_path / "x" / "trial_1" / "trial_1_s0")
    make_task_run(run.path, {"reach": [0.5]}, "trial_1", algo="ddpg")
    _, searcher, rows = work(search, tmp_path, launcher)
    assert [state for state, _ in rows] == ["complete", "failed", "complete", "complete"]
    assert str(run) in searcher.rows()[1].reason


def test_a_signal_stops_it_and_it_goes_on(tmp_path, launcher):
    search = grid_search(seeds=(0, 1), prune="none")
    (tmp_path / "whole").mkdir()
    (tmp_path / "stopped").mkdir()
    whole = configurations(work(search, tmp_path / "whole", launcher)[1])
    launcher.forget()
    launcher.stop_at = "trial_2_s1"
    storage = optuna.storages.InMemoryStorage()
    pool, _, rows = work(search, tmp_path / "stopped", launcher, storage)
    assert pool.exit_code() == STOPPED
    assert rows == [("complete", 2), ("complete", 2), ("running", 0)]
    _, searcher, _ = work(search, tmp_path / "stopped", launcher, storage)
    assert configurations(searcher) == whole
    assert launcher.started.count("trial_2_s0") == 1
    assert launcher.started.count("trial_2_s1") == 2
