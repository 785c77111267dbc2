"""Real sweeps: what was killed, at any moment and in any way, ends as what was not."""

import json
import os
import signal
from pathlib import Path

import pytest

from rl import lock
from rl.__main__ import main
from rl.experiments.commands import sweep as sweeping
from rl.experiments.rundir import RunDir
from rl.experiments.sweeps.plan import read_plan
from rl.experiments.sweeps.stages import state_of
from tests.helpers import IDLE, rows, start, wait_for_rows
from tests.helpers_sweeps import (
    BASE,
    FLAGS,
    SIX,
    check_six_alike,
    finish,
    kill_all,
    run_of,
    start_sweep,
    worker_of,
)


def test_a_sweep_trains_as_the_runs_alone_do(tmp_path, capsys):
    argv = (*BASE, *IDLE, "-s", "0", "1", "--jobs", "2", "--name", "x", "--data_dir", tmp_path)
    code, lines = finish(*argv)
    assert code == 0
    folder = tmp_path / "x"
    assert lines[-1] == f"{folder}: 2 of 2 runs finished, 0 failed"
    assert sum(line.endswith("started") for line in lines) == 2
    alone = ("--data_dir", tmp_path / "alone", "--exp_name", "ddpg", "-s", "0", *FLAGS, *IDLE)
    assert main([str(word) for word in alone]) == 0
    assert rows(run_of(folder, "ddpg", 0)) == rows(run_of(tmp_path / "alone", "ddpg", 0))
    config = json.loads((run_of(folder, "ddpg", 1) / "config.json").read_text())
    assert (config["exp_name"], config["data_dir"], config["seed"]) == ("ddpg", str(folder), 1)
    written = (run_of(folder, "ddpg", 1) / "progress.txt").read_bytes()
    assert sweeping.main([str(word) for word in argv[1:]]) == 0  # nothing is left to do
    assert (run_of(folder, "ddpg", 1) / "progress.txt").read_bytes() == written
    capsys.readouterr()
    assert sweeping.main(["--status", str(folder)]) == 0
    assert capsys.readouterr().out.count("finished") == 2


@pytest.mark.slow
def test_a_run_and_the_sweep_are_killed(tmp_path):
    """A run that is killed has failed, and the others go on. When the sweep alone is killed its
    runs stop by themselves, and the next sweep waits for those that still save."""
    algos = ("--algo", "ddpg", "td3", "-s", "0", "1")
    argv = (*BASE, *algos, "--epochs", "6", "--jobs", "2", "--name", "x", "--data_dir")
    assert finish(*argv, tmp_path / "whole")[0] == 0
    folder = tmp_path / "killed" / "x"
    process = start_sweep(*argv, tmp_path / "killed")
    wait_for_rows(run_of(folder, "ddpg", 0), 1, process)
    os.kill(worker_of(run_of(folder, "ddpg", 0)), signal.SIGKILL)
    wait_for_rows(run_of(folder, "ddpg", 1), 1, process)
    process.kill()
    process.communicate()
    code, lines = finish(*argv, tmp_path / "killed")
    assert code == 1
    assert lines[-1] == f"{folder}: 3 of 4 runs finished, 1 failed"
    assert any(line.startswith("ddpg_s0: failed (before;") for line in lines)
    assert state_of(read_plan(folder)[0]) == "failed"
    assert finish(*argv, tmp_path / "killed", "--retry")[0] == 0
    for method in ("ddpg", "td3"):
        for seed in (0, 1):
            whole = run_of(tmp_path / "whole" / "x", method, seed)
            assert rows(run_of(folder, method, seed)) == rows(whole)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_runs_which_save(tmp_path, number):
    argv = (*BASE, "--epochs", "50", "-s", "0", "1", "--name", "x", "--data_dir", tmp_path)
    process = start_sweep(*argv)
    run = run_of(tmp_path / "x", "ddpg", 0)
    wait_for_rows(run, 1, process)
    process.send_signal(number)
    lines = process.communicate()[0].splitlines()
    assert process.returncode == 130
    words = " ".join(map(str, argv))
    assert lines[-1] == f"stopped; go on with: python main.py {words}"
    assert read_plan(tmp_path / "x")[0].stages[0].run.status == "unfinished"
    assert not run_of(tmp_path / "x", "ddpg", 1).exists()
    assert not lock.is_held(run)


@pytest.mark.slow
def test_a_meta_test_killed_and_resumed(tmp_path):
    """It waits for its source, and ends as one that wasn't killed, with its last episodes."""
    file = tmp_path / "meta.py"
    file.write_text(
        "from rl import Sweep\n"
        "common = dict(algo='ppo', env='PointMass-ML4', network='splitting', task_onehot=False)\n"
        "common |= dict(hidden_sizes=(16,), num_test_episodes=2, epochs=2, steps_per_epoch=400)\n"
        "common |= dict(rollout_steps=20, batch_size=20, update_epochs=2, tensorboard=False)\n"
        "meta = {'meta_test': '{sweep}/source/source_s{seed}', 'episodes': 40, 'save_freq': 5}\n"
        "sweep = Sweep('x', {'source': {}, 'meta': meta}, common=common, eval_episodes=3)\n"
    )
    argv = ("sweep", file, "--jobs", "2", "--data_dir")
    code, lines = finish(*argv, tmp_path / "whole")
    assert code == 0
    assert "meta_s0: waiting (for source_s0)" in lines
    assert lines[-1].endswith("2 of 2 runs finished, 0 failed")
    meta = Path("x", "meta", "meta_s0")
    process = start_sweep(*argv, tmp_path / "killed")
    wait_for_rows(tmp_path / "killed" / meta, 12, process)
    kill_all(process)
    assert not (tmp_path / "killed" / meta / "eval.json").exists()
    code, lines = finish(*argv, tmp_path / "killed")
    assert code == 0
    assert any(line.startswith("meta_s0: resumed") for line in lines)
    assert any(line.startswith("meta_s0: plays its last episodes") for line in lines)
    assert rows(tmp_path / "killed" / meta) == rows(tmp_path / "whole" / meta)
    for run in (meta, Path("x", "source", "source_s0")):
        found = [RunDir(tmp_path / folder / run).evaluation for folder in ("killed", "whole")]
        assert found[0] == found[1] and found[0]["asked"]["episodes"] == 3


@pytest.mark.slow
def test_stages_killed_in_the_second(tmp_path):
    """It ends as one that wasn't killed, and the second stage as a run that is told to start from
    the first."""
    file = tmp_path / "curriculum.py"
    file.write_text(
        "from rl import Sweep\n"
        "common = dict(env='Pendulum', hidden_sizes=(16,), num_test_episodes=2, epochs=4)\n"
        "common |= dict(steps_per_epoch=200, batch_size=8, replay_size=2000, start_steps=60)\n"
        "common |= dict(update_after=40, update_every=10, tensorboard=False)\n"
        "stages = [{}, {'env_kwargs': '{\"g\": 5.0}', 'epochs': 6}]\n"
        "sweep = Sweep('x', {'c': stages}, common=common)\n"
    )
    argv = ("sweep", file, "--data_dir")
    assert finish(*argv, tmp_path / "whole")[0] == 0
    second = Path("x", "c", "c_stage2", "c_stage2_s0")
    process = start_sweep(*argv, tmp_path / "killed")
    wait_for_rows(tmp_path / "killed" / second, 2, process)
    kill_all(process)
    code, lines = finish(*argv, tmp_path / "killed")
    assert code == 0
    assert lines[1].startswith("c_s0: resumed, stage 2 of 2")
    assert rows(tmp_path / "killed" / second) == rows(tmp_path / "whole" / second)
    first = tmp_path / "whole" / "x" / "c" / "c_stage1" / "c_stage1_s0"
    alone = ("--data_dir", tmp_path / "alone", "--exp_name", "c", *FLAGS, "--epochs", "6")
    alone += ("--env_kwargs", '{"g": 5.0}', "--start_from", first)
    assert start(*alone).wait() == 0
    assert rows(run_of(tmp_path / "alone", "c", 0)) == rows(tmp_path / "whole" / second)


@pytest.mark.slow
def test_six_runs_killed_twice(tmp_path):
    """Two methods with three seeds, by SIGKILL to the sweep and all its runs."""
    argv = (*SIX, "--data_dir")
    assert finish(*argv, tmp_path / "whole")[0] == 0
    folder = tmp_path / "killed" / "x"
    for method, seed, row in (("td3", 0, 2), ("ddpg", 2, 1)):
        process = start_sweep(*argv, tmp_path / "killed")
        wait_for_rows(run_of(folder, method, seed), row, process)
        assert process.poll() is None
        kill_all(process)
    code, lines = finish(*argv, tmp_path / "killed")
    assert code == 0
    assert any("resumed" in line for line in lines)
    check_six_alike(folder, tmp_path / "whole" / "x")
