"""`--start_from`: whose weights a run begins with, and what it refuses."""

import json
import shutil

import numpy as np
import pytest

from rl.__main__ import main
from rl.experiments.rundir import RunDir
from rl.training.checkpoint import Checkpoints
from tests.helpers import IDLE, command, refused, rows, train

SHORT = ("--epochs", "1", "--num_test_episodes", "1")


@pytest.fixture(name="source", scope="module")
def fixture_source(tmp_path_factory):
    """A run of DDPG that has learned a little."""
    return train(tmp_path_factory.mktemp("source"), *SHORT, "--obs_norm")


def weights(run, step):
    """The weights of a checkpoint by network, and the moments of observations."""
    state = Checkpoints(run).read(step)
    return state["algo"]["variables"], state["normaliser"]["seen"]


def test_networks_are_taken_over_and_optimisers_are_not(source, tmp_path):
    run = train(tmp_path, *SHORT, *IDLE, "--obs_norm", "--start_from", source, "--seed", "0")
    learned, seen = weights(source, 200)
    begun, seen_first = weights(run, 0)
    for name in ("actor", "actor_targ", "q", "q_targ"):
        for value, expected in zip(begun[name], learned[name], strict=True):
            np.testing.assert_array_equal(value, expected)
    assert any(np.any(value != 0) for value in learned["q_opt"][1:])
    np.testing.assert_array_equal(seen_first["mean"], seen["mean"])
    # The optimisers' slots are those of a run without a source: Adam's count of steps is 0.
    assert max(np.max(np.abs(value)) for value in begun["q_opt"] if np.ndim(value) > 0) == 0
    assert json.loads((run / "config.json").read_text())["start_from"] == str(source)
    # Without updates the weights of the end are those of the start.
    np.testing.assert_array_equal(weights(run, 200)[0]["actor"][0], learned["actor"][0])


def test_it_goes_on_without_its_source(source, tmp_path):
    """From its first checkpoint alone it ends as it did, whatever became of the source."""
    copy = tmp_path / "copy"
    shutil.copytree(source, copy)
    run = train(tmp_path, *SHORT, "--obs_norm", "--start_from", copy)
    expected = rows(run)
    shutil.rmtree(copy)
    for path in (run / "checkpoints").iterdir():
        if path.name != "step_000000000.npz":
            path.unlink()
    for name in ("progress.txt", "saved.txt"):
        (run / name).unlink()
    assert RunDir(run).status == "unfinished" and RunDir(run).step == 0
    assert main(["resume", str(run)]) == 0
    assert rows(run) == expected and len(expected) == 2


@pytest.mark.parametrize(
    "flags, words",
    [
        (("--hidden_sizes", "8"), "--hidden_sizes (16,), and this run (8,)"),
        (("--env", "MountainCarContinuous"), "networks/actor/0 needs float32 (2, 16)"),
        (("--obs_norm", "false"), "--obs_norm True, and this run False"),
        (("--algo", "td3"), "--algo ddpg, and this run td3"),
    ],
)
def test_what_does_not_fit_is_refused(source, tmp_path, capsys, flags, words):
    argv = command("--data_dir", tmp_path, "--obs_norm", "--start_from", source)
    assert words in refused(capsys, *argv, *flags)
    assert not list(tmp_path.iterdir())


def test_what_is_no_run_is_refused(source, tmp_path, capsys):
    line = refused(capsys, *command("--data_dir", tmp_path, "--start_from", tmp_path / "nothing"))
    assert "is not a run directory" in line
    argv = command("--data_dir", source.parents[1], "--exp_name", "x", "--obs_norm")
    line = refused(capsys, *argv, "--start_from", source, "--overwrite")
    assert "is the run itself" in line
    split = ("--env", "PointMass-MT4", "--network", "splitting")
    line = refused(capsys, *command("--data_dir", tmp_path, *split, "--start_from", source))
    assert "--network" in line
