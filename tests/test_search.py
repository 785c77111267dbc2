"""Searches: spaces, what is refused before anything begins, what a run is worth, and what a folder
says. Without Optuna."""

import dataclasses
import math
import subprocess
import sys
from pathlib import Path
from typing import Optional

import numpy as np
import pytest

import rl
from rl.config import UserError
from rl.experiments.commands import search as searching
from rl.experiments.rundir import RunDir
from rl.experiments.searches.definition import Search, check_values, load_search
from rl.experiments.searches.fitness import curve_of, fitness_of
from rl.experiments.searches.importance import explained_share
from rl.experiments.searches.results import (
    best_command,
    read_owner,
    read_trials,
    status_text,
    write_search,
    write_trials,
)
from rl.experiments.searches.spaces import Choice, IntUniform, LogUniform, Uniform
from tests.helpers import ROOT, refused
from tests.helpers_compare import make_task_run
from tests.helpers_search import RATES, make_search

# Spaces ----------------------------------------------------------------------------


def test_it_is_public():
    assert rl.Search is Search
    assert rl.Uniform is Uniform and rl.LogUniform is LogUniform
    assert rl.IntUniform is IntUniform and rl.Choice is Choice


def test_grids():
    assert Uniform(0, 1).grid() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert LogUniform(1e-4, 1e-2, 3).grid() == pytest.approx([1e-4, 1e-3, 1e-2])
    assert IntUniform(1, 10, 4).grid() == [1, 4, 7, 10]
    assert IntUniform(1, 3).grid() == [1, 2, 3]  # it has no five
    assert Choice([True, 3, "x", [64, 64]]).grid() == ["true", "3", "x", "64,64"]


def test_places_in_a_range():
    space = LogUniform(1e-4, 1e-2)
    assert space.at(0.75) == pytest.approx(10**-2.5)
    assert space.fraction(1e-3) == pytest.approx(0.5)
    assert (space.at(0), space.at(1)) == (1e-4, 1e-2)
    assert Uniform(2, 4).fraction(3.5) == 0.75
    assert IntUniform(0, 10).at(0.26) == 3


def test_draws_fill_a_range():
    rng = np.random.default_rng(0)
    draws = [LogUniform(1e-4, 1e-2).draw(rng) for _ in range(400)]
    assert np.mean(np.array(draws) < 1e-3) == pytest.approx(0.5, abs=0.1)
    assert {IntUniform(1, 3).draw(rng) for _ in range(40)} == {1, 2, 3}
    assert {Choice(["a", [1, 2]]).draw(rng) for _ in range(20)} == {"a", "1,2"}


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: Uniform(1, 1), "must be below the high end"),
        (lambda: Uniform(0, math.inf), "must be a finite number"),
        (lambda: Uniform(0, 1, 1), "2 points or more"),
        (lambda: LogUniform(0, 1), "must be above 0"),
        (lambda: IntUniform(0, 1.5), "must be whole numbers"),
        (lambda: Choice([1]), "2 values or more"),
        (lambda: Choice(["1", 1]), "a value twice"),
    ],
)
def test_what_is_no_space(make, words):
    with pytest.raises(UserError, match=words):
        make()


# Definition ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"space": {}}, "one flag or more"),
        ({"space": {"pi_lr": 3}}, "must be a Uniform"),
        ({"space": {"seed": IntUniform(0, 3)}}, "--seed follows from"),
        ({"space": {"epochs": IntUniform(1, 3)}}, "in the space and among the common"),
        ({"strategy": "bayes"}, "must be one of random, grid"),
        ({"trials": None}, "by random needs a number of trials"),
        ({"trials": 0}, "trials must be a whole number of at least 1"),
        ({"seeds": (0, 0)}, "none can be given twice"),
        ({"score": "median"}, "score must be one of"),
        ({"prune": "all"}, "prune must be one of"),
        ({"name": "a/b"}, "plain folder name"),
    ],
)
def test_what_is_no_search(arguments, words):
    with pytest.raises(UserError, match=words):
        make_search(**arguments)


@pytest.mark.parametrize(
    "space, words",
    [
        ({"pi_lr": Uniform(-1, 1)}, "space pi_lr: --pi_lr must be above 0"),
        ({"gamma": Uniform(0.5, 1.5)}, "space gamma: --gamma must be"),
        ({"batch_size": Uniform(32, 64)}, "space batch_size: --batch_size: expected a whole"),
        ({"pi_rate": Uniform(0, 1)}, "unknown flag --pi_rate"),
        ({"network": Choice(["mlp", "nothing"])}, "space network: "),
        ({"clip_ratio": Uniform(0.1, 0.3)}, "clip_ratio"),
    ],
)
def test_spaces_are_checked_against_their_flags(space, words):
    with pytest.raises(UserError, match=words):
        check_values(make_search(space=space))


def test_a_space_of_every_kind_is_checked():
    space = {
        **RATES,
        "batch_size": IntUniform(8, 64),
        "hidden_sizes": Choice([[16], [32, 32]]),
        "obs_norm": Choice([False, True]),
    }
    search = make_search(space=space)
    check_values(search)
    params = {"pi_lr": 1e-3, "hidden_sizes": "32,32", "obs_norm": "true"}
    assert search.values(params) == {"pi_lr": 1e-3, "hidden_sizes": [32, 32], "obs_norm": True}
    assert best_command(search, params, (0, 1), Path("data/x")).endswith(
        "--algo=ddpg --env=Pendulum --epochs=2 --steps_per_epoch=50 --pi_lr=0.001 "
        "--hidden_sizes 32 32 --obs_norm=true --seed 0 1"
    )


def test_the_command_of_a_trial_that_begins_with_a_run_of_its_seed():
    common = {"algo": "ddpg", "env": "Pendulum", "start_from": "{sweep}/../a/a_s{seed}"}
    search = make_search(common=common, seeds=(3, 4))
    command = best_command(search, {"pi_lr": 1e-3, "gamma": 0.9}, (3, 4), Path("data/x"))
    assert command.endswith("--start_from=data/x/../a/a_s3 --pi_lr=0.001 --gamma=0.9 --seed=3")


def test_pruning_by_seeds_is_for_several():
    assert make_search().pruning == "none"
    assert make_search(seeds=(0, 1)).pruning == "seeds"
    assert make_search(seeds=(0, 1), prune="curves").pruning == "curves"


def test_a_file(tmp_path):
    file = tmp_path / "f.py"
    file.write_text(
        "from rl import Search, Uniform\n"
        "search = Search('x', {'gamma': Uniform(0.9, 0.99)}, trials=3, seeds=range(2))\n"
    )
    assert load_search(file).space == {"gamma": Uniform(0.9, 0.99)}
    file.write_text("search = 3")
    with pytest.raises(UserError, match="has no search"):
        load_search(file)


def from_flags(text):
    args, training = searching.parse(text.split())
    return searching.make_search(args, training)


def test_a_command_line():
    search = from_flags(
        "--algo ddpg --env Pendulum --hidden_sizes 64 64 --strategy auto_ic --trials 7 --seeds 3 4"
        " --space pi-lr=log:1e-4:1e-2 batch_size=int:8:64:3 critic_sizes=choice:64,:32,32"
        " --fitness TestEpLen --score mean --last 2 --minimise"
    )
    assert search == Search(
        name="search_auto_ic_ddpg_Pendulum",
        space={
            "pi_lr": LogUniform(1e-4, 1e-2),
            "batch_size": IntUniform(8, 64, 3),
            "critic_sizes": Choice([[64], [32, 32]]),
        },
        common={"algo": "ddpg", "env": "Pendulum", "hidden_sizes": [64, 64]},
        strategy="auto_ic",
        trials=7,
        seeds=(3, 4),
        fitness="TestEpLen",
        score="mean",
        rows=2,
        maximise=False,
    )


@pytest.mark.parametrize(
    "flags, words",
    [
        ("--env Pendulum", "needs a file, --space, or --status"),
        ("--space pi_lr=log:1:2:3:4 --trials 2", "ranges may end with :POINTS"),
        ("--space pi_lr=log:a:2 --trials 2", "must be numbers"),
        ("--space pi_lr --trials 2", "--space needs name=uniform"),
        ("--space gamma=uniform:0:1 gamma=uniform:0:1 --trials 2", "gamma is given twice"),
        ("--space batch_size=int:1.5:3 --trials 2", "must be whole numbers"),
        ("--space gama=uniform:0.5:0.9 --trials 2", "unknown flag --gama"),
        ("--space gamma=uniform:0.5:1.9 --trials 2", "--gamma must be"),
        ("--space gamma=uniform:0.5:0.9 --trials 2 --env Nothing", "Nothing"),
        ("--space gamma=uniform:0.5:0.9", "tpe needs a number of trials"),
        ("--space gamma=uniform:0.5:0.9 --trials 2 --last 3", "--last is for --score mean"),
        ("x.py --trials 3", "--trials is for searches without a file"),
        ("nothing.py", "there is no file"),
        ("--status nothing", "is not a search's folder"),
    ],
)
def test_refused_before_anything_begins(tmp_path, capsys, flags, words):
    line = refused(capsys, "search", *flags.split(), "--data_dir", tmp_path)
    assert words in line
    assert not list(tmp_path.iterdir())


def test_the_url_of_a_storage_is_shown_nowhere():
    assert searching.hide_storage(["--storage", "a", "--storage=b", "c"]) == [
        "--storage",
        "URL",
        "--storage=URL",
        "c",
    ]


def test_help_needs_no_optuna():
    code = (
        "import contextlib, sys\n"
        "from rl.__main__ import main\n"
        "with contextlib.suppress(SystemExit):\n"
        "    main(['search', '--help'])\n"
        "sys.exit('optuna' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True)
    assert ended.returncode == 0
    assert b"usage:" in ended.stdout


# Fitness ---------------------------------------------------------------------------


@pytest.fixture(name="run", scope="module")
def fixture_run(tmp_path_factory):
    place = tmp_path_factory.mktemp("run") / "r"
    make_task_run(place, {"reach": [0.2, 0.8, 0.4], "push": [0.4, 1.0, 0.4]}, "r")
    return RunDir(place)


@pytest.mark.parametrize(
    "score, maximise, total, by_task",
    [
        ("last", True, 0.4, (0.4, 0.4)),
        ("best", True, 0.9, (0.8, 1.0)),
        ("best", False, 0.3, (0.2, 0.4)),
        ("mean", True, 0.65, (0.6, 0.7)),
        ("mean", False, 0.65, (0.6, 0.7)),
    ],
)
def test_the_fitness_of_a_run(run, score, maximise, total, by_task):
    search = make_search(fitness="TestSuccess", score=score, rows=2, maximise=maximise)
    fitness = fitness_of(run, search)
    assert fitness.total == pytest.approx(total)
    assert fitness.by_task == pytest.approx(by_task)


def test_tasks_without_a_value_keep_their_place(tmp_path):
    names = ["TotalEnvInteracts", "AverageEpRet", "EpRet/a", "EpRet/b"]
    rows = [names, ["1000", "1", "1", "1"], ["2000", "5", "nan", "5"]]
    (tmp_path / "progress.txt").write_text("".join("\t".join(row) + "\n" for row in rows))
    fitness = fitness_of(RunDir(tmp_path), make_search(fitness="AverageEpRet", score="last"))
    np.testing.assert_equal(fitness.by_task, (np.nan, 5))


def test_the_curve_of_a_run(run, tmp_path):
    search = make_search(fitness="TestSuccess", maximise=False)
    assert curve_of(run, search, 1000) == pytest.approx({0: 0.3, 1: 0.9, 2: 0.4})
    assert curve_of(run, search, 2000) == pytest.approx({1: 0.9})  # others are parts of epochs
    assert curve_of(RunDir(tmp_path), search, 1000) == {}
    with pytest.raises(UserError, match="has no column Nothing"):
        curve_of(run, make_search(fitness="Nothing"), 1000)


# Importance ------------------------------------------------------------------------


def test_the_share_of_a_choice_by_hand():
    """Within a and b squares sum to 2 + 2, in all to 4 + 8 * 2 ** 2; 1 - (4 / 6) / (36 / 7)."""
    fitness = np.array([-1.0, 0, 0, 1, 3, 4, 4, 5])
    share = explained_share(["a"] * 4 + ["b"] * 4, fitness)
    assert share == pytest.approx(1 - (4 / 6) / (36 / 7))
    assert explained_share(["a", "b"] * 4, np.ones(8)) == 0


def test_the_share_of_numbers():
    """Quarters of the values differ by 10, and by 1 within; another order explains nothing."""
    fitness = np.array([0.0, 1, 10, 11, 20, 21, 30, 31])
    share = explained_share([1, 2, 3, 4, 5, 6, 7, 8], fitness)
    assert share == pytest.approx(1 - (2 / 4) / (1002 / 7))
    assert (
        explained_share([1, 3, 5, 7, 8, 6, 4, 2], fitness) == 0
    )  # each quarter has one of each end
    assert explained_share([0.1, 0.2] * 4, np.array([0.0, 1] * 4)) == 1.0


# Results ---------------------------------------------------------------------------


def make_row(number, state, value, **fields):
    usual = {"runs": 1, "reason": "", "started": "", "ended": ""}
    params = {"pi_lr": 0.001 * (number + 1), "gamma": 0.95}
    return Row(number, state, value, params=params, **{**usual, **fields})


@dataclasses.dataclass
class Row:
    """As a TrialRow, which needs Optuna."""

    number: int
    state: str
    value: Optional[float]
    params: dict
    runs: int
    reason: str
    started: str
    ended: str


def test_status_is_read_without_optuna(tmp_path):
    search = make_search(trials=9, seeds=(0, 1))
    rows = [
        make_row(0, "complete", -150.25, runs=2),
        make_row(1, "pruned", -90.0),
        make_row(2, "failed", None, reason="seed 0: exit code 1"),
        make_row(3, "running", None),
    ]
    write_search(tmp_path, search, "me", ["--jobs", "2"])
    write_trials(tmp_path, search, rows)
    run = tmp_path / "trial_3" / "trial_3_s1"
    make_task_run(run, {"reach": [0.5, 0.5]}, "trial_3")
    lines = status_text(tmp_path).splitlines()
    assert lines[0].split() == ["trial", "state", "value", "runs", "steps", "pi_lr", "gamma"]
    assert lines[1].split() == ["0", "complete", "-150.25", "2", "0.001", "0.95"]
    assert lines[4].split() == ["3", "running", "1", "2000", "0.004", "0.95"]
    assert lines[5] == "best: trial_0, Performance -150.25"
    assert lines[6] == f"{tmp_path}: 3 of 9 trials ended; no process works on it here"
    assert [row["reason"] for row in read_trials(tmp_path)][2] == "seed 0: exit code 1"


def test_the_owner_of_trials_stays_the_same(tmp_path):
    owner = read_owner(tmp_path)
    assert owner != read_owner(tmp_path)
    write_search(tmp_path, make_search(), owner, [])
    assert read_owner(tmp_path) == owner


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "trial,state\n1,2,3\n", "trial\0"])
def test_a_table_of_something_else(tmp_path, text):
    write_search(tmp_path, make_search(), "me", [])
    (tmp_path / "trials.csv").write_text(text)
    with pytest.raises(UserError, match="not a table of trials"):
        status_text(tmp_path)


def test_a_folder_of_something_else(tmp_path, capsys):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "precious").touch()
    flags = "--name x --algo ddpg --env Pendulum --trials 1 --space gamma=uniform:0.5:0.9"
    line = refused(capsys, "search", *flags.split(), "--data_dir", tmp_path)
    assert "exists and is no search's folder" in line
