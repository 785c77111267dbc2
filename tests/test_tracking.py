"""Rows to a tracker, played by a module of the same functions."""

import sys
import types

import pytest

from rl import training
from rl.__main__ import main
from rl.config import UserError
from rl.experiments.rundir import RunDir, check_notes
from rl.experiments.tracking import make_tracker
from rl.logging import Tracker
from tests.helpers import IDLE, collect_until, column, refused, train
from tests.helpers_loops import TOYS, Fake, make_off_policy

SHORT = (*IDLE, "--env", TOYS + "Count", "--epochs", "2", "--steps_per_epoch", "40")


class Package(types.ModuleType):
    """Remembers what it was told; `broken` names functions that fail."""

    def __init__(self, name):
        super().__init__(name)
        self.calls = []
        self.broken = ()

    def _told(self, name, *told):
        self.calls.append((name, *told))
        if name in self.broken:
            raise ConnectionError("nobody answers")

    def init(self, **options):
        self._told("init", options)

    def log(self, row, step):
        self._told("log", step, row)

    def finish(self):
        self._told("finish")

    def named(self, name):
        """What the calls of a function were told."""
        return [call[1:] for call in self.calls if call[0] == name]


@pytest.fixture(name="package", params=["wandb", "trackio"])
def fixture_package(request, monkeypatch):
    package = Package(request.param)
    monkeypatch.setitem(sys.modules, request.param, package)
    return package


def test_a_run_and_its_resume_are_one(tmp_path, package):
    directory = train(tmp_path, *SHORT, "--track", package.__name__)
    assert [name for name, *_ in package.calls] == ["init", "log", "log", "finish"]
    (options,) = package.named("init")[0]
    name = options.pop("name")
    assert name.startswith("x_s0-") and len(name) == len("x_s0-") + 8
    assert options["project"] == "x" and options["resume"] == "allow"
    assert options["config"]["epochs"] == 2 and options["config"]["seed"] == 0
    assert options.get("id") == (name if package.__name__ == "wandb" else None)
    steps = [step for step, _ in package.named("log")]
    assert steps == [40, 80] == column(directory, "TotalEnvInteracts")
    row = package.named("log")[0][1]
    assert row["AverageTestEpRet"] == 6 and "LossQ" not in row  # which is nan
    assert RunDir(directory).config["track_id"] == name
    assert not [path for path in directory.iterdir() if package.__name__ in path.name]

    assert main(["resume", str(directory), "--trust", "--epochs", "3"]) == 0
    (again,) = package.named("init")[1]
    assert again["name"] == name and again["config"]["epochs"] == 3
    assert [step for step, _ in package.named("log")] == [40, 80, 120]


def test_resume_begins_and_ends_tracking(tmp_path, package):
    directory = train(tmp_path, *SHORT)
    argv = ["resume", str(directory), "--trust", "--epochs"]
    assert main([*argv, "3", "--track", package.__name__]) == 0
    name = RunDir(directory).config["track_id"]
    assert [step for step, _ in package.named("log")] == [120]
    assert main([*argv, "4", "--track", "none"]) == 0
    assert len(package.named("log")) == 1
    assert RunDir(directory).config["track_id"] == name


def test_rows_of_epochs_cut_short_are_not_sent(tmp_path, package):
    for stop in (60, None):
        loop = make_off_policy(tmp_path, Fake(), steps_per_epoch=40)
        loop.session.sinks.append(Tracker(package.__name__, "x", "x_s0", {}))
        collect_until(loop, stop)
        assert training.run(loop) == (stop is None)
        if stop:
            assert column(tmp_path, "TotalEnvInteracts") == [40, 60]
    assert [step for step, _ in package.named("log")] == [40, 80]
    assert len(package.named("finish")) == 2


@pytest.mark.parametrize("broken, calls", [("init", 1), ("log", 2), ("finish", 4)])
def test_a_failure_is_told_once_and_ends_no_run(tmp_path, package, capsys, broken, calls):
    package.broken = (broken,)
    directory = train(tmp_path, *SHORT, "--track", package.__name__)
    assert column(directory, "Epoch") == [1, 2] and len(package.calls) == calls
    out = capsys.readouterr().out
    assert out.count(f"{package.__name__} failed, ConnectionError: nobody answers") == 1


def test_a_package_that_is_not_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "trackio", None)
    argv = ("--env", "Pendulum", "--data_dir", tmp_path, "--track", "trackio")
    assert 'pip install ".[track]"' in refused(capsys, *argv)
    monkeypatch.setitem(sys.modules, "trackio", types.ModuleType("trackio"))  # of a mere folder
    assert "there is no such package" in refused(capsys, *argv)
    assert not list(tmp_path.iterdir())


def test_nothing_is_sent_by_default(tmp_path, package):
    train(tmp_path, *SHORT)
    assert not package.calls
    assert make_tracker({"track": "none"}, "x_s0") is None


def test_names_that_every_tracker_takes(package):
    flags = {"track": package.__name__, "exp_name": "a=1, b/2"}
    tracker = make_tracker(flags, "a=1, b/2_s0")
    assert tracker.project == "a_1_b_2" and tracker.name.startswith("a_1_b_2_s0-")
    assert tracker.name != make_tracker(flags, "a=1, b/2_s0").name
    assert make_tracker(flags, "a_s0", "a_s0-12345678").name == "a_s0-12345678"


@pytest.mark.parametrize("name", ["../../x", "a b", "", "x" * 129, 3])
def test_names_that_no_run_has(tmp_path, name):
    with pytest.raises(UserError, match="track_id is not as a run writes it"):
        check_notes({"track_id": name}, tmp_path / "config.json")
    check_notes({"track_id": "x_s0-12345678"}, tmp_path / "config.json")
