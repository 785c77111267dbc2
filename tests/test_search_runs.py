"""Real searches: what is left on disk, and that one that was killed ends as one that was not."""

import csv
import json
import os
import signal

import pytest

from rl.experiments.commands import search as searching
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
