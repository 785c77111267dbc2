"""The scripts of benchmarks/ still fit the code; what sweeps there plan is test_documentation's."""

import importlib
import subprocess
import sys

import pytest

from benchmarks import keep, splitting_streams
from rl.experiments.plots.runs import find_runs
from rl.experiments.rundir import RunDir
from rl.experiments.sweeps.plan import save_plan
from rl.experiments.sweeps.runs import Stage, SweepRun
from tests.helpers import IDLE, ROOT, rows, train

# These run in an environment of their own.
ELSEWHERE = ("speed_peers",)
SCRIPTS = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name not in ELSEWHERE])
def test_a_script_is_imported(name, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")  # as where a script is started
    assert importlib.import_module(f"benchmarks.{name}")


def planned(sweep, method, eval_episodes):
    """A run of a sweep with a single stage, of which a run that is there has the flags."""
    run = RunDir(sweep / method / f"{method}_s0")
    return SweepRun(method, 0, sweep / method, (Stage(run, (), 100, False),), eval_episodes)


def test_runs_are_kept_that_have_nothing_left_to_do_without_checkpoints(tmp_path):
    sweep = tmp_path / "sweep"
    methods = ("finished", "stopped", "to_evaluate")
    for method in methods:
        train(sweep, *IDLE, "--epochs", "1", "--exp_name", method)
    for checkpoint in (sweep / "stopped" / "stopped_s0" / "checkpoints").iterdir():
        checkpoint.unlink()
    runs = [planned(sweep, method, int(method == "to_evaluate")) for method in methods]
    save_plan(sweep, runs, ())
    (kept,) = keep.keep(sweep, tmp_path / "kept")
    assert kept == tmp_path / "kept" / "finished" / "finished_s0"
    assert {path.name for path in kept.iterdir()} == {"config.json", "progress.txt"}
    ((run,),) = find_runs([str(tmp_path / "kept")])
    assert run.directory == kept
    assert rows(kept) == rows(sweep / "finished" / "finished_s0")


@pytest.mark.parametrize("criterion", splitting_streams.CRITERIA)
def test_streams_of_every_criterion(criterion):
    learner = splitting_streams.Learner(criterion, {"split_z": 3.0})
    line = learner.run(seed=0, updates=40, passes=2, correlation=0.9)
    assert set(line) >= {"alike", "groups", "found_at", "loss_alike"}
    assert learner.splitter.updates == 40


def test_metaworlds_own_envs_are_registered():
    """In a process of its own: here another test may have registered them."""
    code = "from benchmarks import metaworld_speed as speed; speed.gym.spec('Meta-World/MT10')"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
