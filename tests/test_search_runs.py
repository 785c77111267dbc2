"""Real searches: what is left on disk, and that one that was killed ends as one that was not."""

import csv
import json
import os
import shlex
import signal

import pytest

from rl import Choice, LogUniform, Search
from rl.__main__ import main
from rl.config import UserError
from rl.experiments.commands import search as searching
from rl.experiments.searches.definition import check_values
from tests.helpers import IDLE, SHORT, TINY, rows, start, wait_for_rows

pytest.importorskip("optuna", reason="Optuna, the extra 'search', is absent")

FLAGS = ("--env", "Pendulum", *SHORT, "--steps_per_epoch", "200", *TINY["off_policy"].split())
SPACE = ("--space", "pi_lr=log:1e-4:1e-2", "gamma=uniform:0.9:0.99", "--name", "x")
BASE = ("search", *FLAGS, *SPACE)


def trials(folder):
    """The rows of trials.csv, without times."""
    with open(folder / "trials.csv", encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    for row in found:
        del row["started"], row["ended"]
    return found


def finish(*argv):
    """Calls a search and waits for it. Returns its exit code and lines."""
    process = start(*argv, start_new_session=True)
    printed = process.communicate()[0]
    return process.returncode, printed.splitlines()


def test_a_search_leaves_its_trials_and_figures(tmp_path, capsys):
    argv = (*BASE, *IDLE, "--strategy", "random", "--trials", "2", "--jobs", "2")
    code, lines = finish(*argv, "--data_dir", tmp_path)
    assert code == 0
    folder = tmp_path / "x"
    assert f"{folder}: 2 trials ended, 0 of them pruned and 0 failed" in lines
    found = trials(folder)
    assert [row["state"] for row in found] == ["complete", "complete"]
    for row in found:
        name = f"trial_{row['trial']}"
        run = folder / name / f"{name}_s0"
        config = json.loads((run / "config.json").read_text())
        assert (str(config["pi_lr"]), str(config["gamma"])) == (row["pi_lr"], row["gamma"])
        progress = (run / "progress.txt").read_text().splitlines()
        last = dict(zip(progress[0].split("\t"), progress[-1].split("\t")))
        assert float(row["value"]) == pytest.approx(float(last["AverageTestEpRet"]))
    best = max(found, key=lambda row: float(row["value"]))
    assert f"--pi_lr={best['pi_lr']} --gamma={best['gamma']} --seed 0" in lines[-1]
    assert (folder / "progression.png").stat().st_size > 0
    before = (folder / "trials.csv").read_bytes()
    assert searching.main([str(word) for word in (*argv[1:], "--data_dir", tmp_path)]) == 0
    assert (folder / "trials.csv").read_bytes() == before  # nothing was left to try
    capsys.readouterr()
    assert searching.main(["--status", str(folder)]) == 0
    assert "2 of 2 trials ended" in capsys.readouterr().out


@pytest.mark.slow
def test_a_search_is_killed_twice(tmp_path):
    argv = (*BASE, "--strategy", "auto_ic", "--trials", "3", "--seeds", "0", "1", "--data_dir")
    assert finish(*argv, tmp_path / "whole")[0] == 0
    folder = tmp_path / "killed" / "x"
    for run in ("trial_0/trial_0_s1", "trial_2/trial_2_s0"):
        process = start(*argv, tmp_path / "killed", start_new_session=True)
        wait_for_rows(folder / run, 2, process)
        os.killpg(process.pid, signal.SIGKILL)  # its runs, too
        process.communicate()
    assert finish(*argv, tmp_path / "killed")[0] == 0
    assert trials(folder) == trials(tmp_path / "whole" / "x")
    for number in range(3):
        for seed in (0, 1):
            run = f"trial_{number}/trial_{number}_s{seed}"
            assert rows(folder / run) == rows(tmp_path / "whole" / "x" / run)


@pytest.mark.slow
def test_a_signal_stops_a_search(tmp_path):
    argv = (*BASE, "--strategy", "random", "--trials", "2", "--epochs", "6", "--prune", "curves")
    argv = (*argv, "--data_dir")
    process = start(*argv, tmp_path, start_new_session=True)
    folder = tmp_path / "x"
    wait_for_rows(folder / "trial_0" / "trial_0_s0", 1, process)
    process.send_signal(signal.SIGTERM)
    printed = process.communicate()[0]
    assert process.returncode == 130
    assert "stopped; go on with: " in printed.splitlines()[-1]
    assert [row["state"] for row in trials(folder)] == ["running"]
    assert finish(*argv, tmp_path)[0] == 0
    assert [row["state"] for row in trials(folder)] == ["complete", "complete"]


def searched_adaptation(data_dir, **changes):
    """A search for the rate of `meta-test`, of a source that is made by `train_source`."""
    flags = {"meta_test": str(data_dir / "source" / "source_s{seed}"), "episodes": 20, **changes}
    space = {"lr": LogUniform(1e-3, 1e-2), "start": Choice(["equal", "best"])}
    return Search("x", space, flags, strategy="random", trials=2, fitness="AverageTestEpRet")


def train_source(data_dir):
    """A run of networks that split, on tasks of which some are held out."""
    flags = "--algo ppo --env PointMass-ML4 --network splitting --task_onehot false --epochs 1"
    flags += " --hidden_sizes 16 --num_test_episodes 2 --steps_per_epoch 400 --rollout_steps 20"
    flags += " --batch_size 20 --update_epochs 2 --tensorboard false --exp_name source"
    assert main([*flags.split(), "--data_dir", str(data_dir)]) == 0


@pytest.mark.slow
def test_a_search_for_flags_of_meta_test(tmp_path):
    """Each trial adapts the run; the best one is a command, which gives the same rows."""
    train_source(tmp_path)
    file = tmp_path / "search.py"
    file.write_text(
        "from rl import Choice, LogUniform, Search\n"
        f"common = {dict(searched_adaptation(tmp_path).common)!r}\n"
        "space = {'lr': LogUniform(1e-3, 1e-2), 'start': Choice(['equal', 'best'])}\n"
        "search = Search('x', space, common, strategy='random', trials=2,\n"
        "                fitness='AverageTestEpRet')\n"
    )
    code, lines = finish("search", file, "--data_dir", tmp_path)
    assert code == 0
    found = trials(tmp_path / "x")
    assert [row["state"] for row in found] == ["complete", "complete"]
    best = max(found, key=lambda row: float(row["value"]))
    words = shlex.split(lines[-1])[2:]
    assert words[:2] == ["meta-test", str(tmp_path / "source" / "source_s0")]
    assert main([*words, "--data_dir", str(tmp_path), "--exp_name", "again"]) == 0
    name = f"trial_{best['trial']}"
    again = tmp_path / "again" / "again_s0"
    assert rows(again) == rows(tmp_path / "x" / name / f"{name}_s0")


def test_flags_of_meta_test_are_checked_before_anything_begins(tmp_path):
    train_source(tmp_path)
    check_values(searched_adaptation(tmp_path), tmp_path)
    for changes, said in [
        ({"meta_test": "nowhere"}, "nowhere is not a run directory"),
        ({"hidden_sizes": [8]}, "hidden_sizes"),
        ({"lr_speed": 1}, "lr_speed"),
    ]:
        with pytest.raises(UserError, match=said):
            check_values(searched_adaptation(tmp_path, **changes), tmp_path)
