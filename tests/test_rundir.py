"""What is believed of a run directory, where its code came from, and how it is extended."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rl.__main__ import main
from rl.config import UserError
from rl.experiments.rundir import RunDir
from rl.files import load_tree, save_tree
from rl.lock import locked
from rl.training.schedule import Config, Schedule
from tests.helpers import ROOT, column, refused, rows, train

COMMANDS = [("eval", "--episodes", "1"), ("resume", "--epochs", "3"), ("meta-test",)]


@pytest.fixture(scope="module", name="made")
def fixture_made(tmp_path_factory):
    """A run of two epochs, to be copied."""
    return train(tmp_path_factory.mktemp("made"), "--epochs", "2", "--obs_norm")


@pytest.fixture(name="run")
def fixture_run(made, tmp_path):
    return shutil.copytree(made, tmp_path / "x_s0")


def edit(run, **values):
    """Changes keys of `config.json`."""
    path = run / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


# What a stranger's config may do -----------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_no_module_is_imported_without_trust(run, tmp_path, monkeypatch, capsys, command):
    (tmp_path / "trap.py").write_text("import pathlib\npathlib.Path('sprung').touch()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    edit(run, env="trap:Pendulum-v1")
    line = refused(capsys, command[0], run, *command[1:])
    assert "trap:Pendulum-v1" in line and "--trust" in line
    assert not (tmp_path / "sprung").exists() and "trap" not in sys.modules


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_no_arguments_are_given_to_an_env_without_trust(run, capsys, command):
    edit(run, env="Ant-v5", env_kwargs='{"xml_file": "/etc/passwd"}')
    assert "--trust" in refused(capsys, command[0], run, *command[1:])


def test_trust_imports(run, tmp_path, monkeypatch, capsys):
    (tmp_path / "mended.py").write_text("import pathlib\npathlib.Path('imported').touch()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    edit(run, env="mended:Pendulum-v1")
    # The checkpoint was made with another env, but the module was imported before that shows.
    assert "Pendulum-v1" in refused(capsys, "eval", run, "--trust")
    assert (tmp_path / "imported").exists()


@pytest.mark.parametrize(
    "values, words",
    [
        ({"surprise": 1}, ["unknown key", "surprise"]),
        ({"gamma": 1.5}, ["--gamma", "[0, 1]"]),
        ({"gamma": "0.9"}, ["--gamma", "a number"]),
        ({"gamma": True}, ["--gamma", "a number"]),
        ({"gamma": float("nan")}, ["--gamma", "finite"]),
        ({"epochs": 2.5}, ["--epochs", "a whole number"]),
        ({"epochs": 10**12}, ["--epochs", "at most"]),
        ({"obs_norm": 1}, ["--obs_norm", "true or false"]),
        ({"hidden_sizes": 16}, ["--hidden_sizes", "a list"]),
        ({"hidden_sizes": ["a"]}, ["--hidden_sizes", "a whole number"]),
        ({"env": ["Pendulum"]}, ["--env", "a text"]),
        ({"env": None}, ["--env", "a text"]),
        ({"optimizer": "lion"}, ["--optimizer", "adam"]),
        ({"algo": "dqn"}, ["unknown algo", "dqn"]),
        ({"algo": 1}, ["algo"]),
    ],
)
def test_values_that_no_flag_could_have(run, capsys, values, words):
    edit(run, **values)
    for command in ("eval", "resume"):
        line = refused(capsys, command, run)
        assert all(word in line for word in words), line


@pytest.mark.parametrize("text", ["[]", "1", "null", '"x"', "{}", "[" * 100_000, "\udcff", ""])
def test_no_config(run, capsys, text):
    (run / "config.json").write_bytes(text.encode(errors="surrogateescape"))
    assert "not a run directory" in refused(capsys, "eval", run)


@pytest.mark.parametrize(
    "values",
    [
        {"hidden_sizes": [17]},
        {"seed": 1},
        {"obs_norm": False},
        {"optimizer": "sgd"},
        {"gamma": 0.5},
        {"num_envs": 2},
        {"env": "MountainCarContinuous-v0"},
    ],
)
def test_edited_values_that_contradict_the_checkpoint(run, capsys, values):
    before = load_tree(run / "checkpoints" / "step_000000400.npz")["algo"]["acting"]
    edit(run, **values)
    for argv in (("eval", run), ("resume", run, "--epochs", "3")):
        line = refused(capsys, *argv)
        assert all(name in line for name in values) and "config.json" in line
    after = load_tree(run / "checkpoints" / "step_000000400.npz")["algo"]["acting"]
    assert all((old == new).all() for old, new in zip(before, after))


def test_another_algorithm(run, capsys):
    edit(run, algo="td3")
    assert "unknown key 'noise'" in refused(capsys, "resume", run, "--epochs", "3")


def test_what_may_be_edited(run):
    """A run may be moved and renamed, and what says nothing of its state may change."""
    moved = run.rename(run.with_name("other"))
    edit(moved, exp_name="other", keep=7, tensorboard=False, data_dir="elsewhere")
    assert main(["resume", str(moved), "--epochs", "3"]) == 0
    assert column(moved, "Epoch") == [1, 2, 3]


# What it says of the run --------------------------------------------------------


def test_the_newest_rows(run):
    found = RunDir(run)
    assert found.newest_rows(1)["Epoch"] == [2] and found.newest_rows(9) == found.rows


def test_a_directory_that_another_process_locked_first_stays(tmp_path, monkeypatch):
    """Though there was none when this one looked."""
    run = RunDir(tmp_path / "x" / "x_s0")
    run.path.mkdir(parents=True)
    with locked(run.path):
        with monkeypatch.context() as patch:
            patch.setattr(type(run.path), "exists", lambda path: False)
            with pytest.raises(UserError, match="is using"):
                with run.locked(overwrite=False):
                    pass
        assert (run.path / "lock").exists()


def test_how_far_a_run_is(run, tmp_path):
    found = RunDir(run)
    assert found.name == "x_s0" and found.path == run
    assert found.status == "finished" and found.step == 400
    assert found.checkpoints == [200, 400]
    assert found.rows["Epoch"] == [1, 2]
    assert found.rows["AverageEpRet"] == column(run, "AverageEpRet")
    with locked(run):
        assert found.status == "running"
    (run / "lock").write_text("1")  # of a process that was killed
    assert found.status == "finished"
    edit(run, epochs=3)
    assert found.status == "unfinished"
    edit(run, epochs=2)
    newest = run / "checkpoints" / "step_000000400.npz"
    state = load_tree(newest)
    save_tree(newest, {**state, "test_due": True})
    assert found.status == "unfinished"
    newest.write_bytes(b"torn")
    assert found.status == "unfinished" and found.step == 400
    newest.unlink()
    assert found.status == "unfinished" and found.step == 200
    (run / "config.json").unlink()
    assert found.status == "new"
    assert RunDir(tmp_path / "nowhere").status == "new"


def test_rows_that_are_none(run):
    found = RunDir(run)
    table = run / "progress.txt"
    complete = table.read_text()
    table.write_text(complete + "3\t1")  # of a row that is being written
    assert found.rows["Epoch"] == [1, 2]
    for text in ("a\tb\n1\n", "a\nx\n"):
        table.write_text(text)
        with pytest.raises(UserError, match="not a table of numbers"):
            found.rows  # pylint: disable=pointless-statement
    for text in ("", "a"):
        table.write_text(text)
        assert not found.rows
    table.unlink()
    assert found.rows == {}


# Names and places ---------------------------------------------------------------

NAMES = ["two words", "größe", "学習", "a=1, b+2", "x.y", "_", "a~"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_experiments(name):
    flags = {"data_dir": "data", "exp_name": name, "seed": 3}
    assert RunDir.of(flags).path == Path("data") / name / f"{name}_s3"


@pytest.mark.parametrize("name", ["a/b", "a\\b", "..", ".a", "-a", "a\nb", "a\x1b", "é" * 51])
def test_names_of_no_plain_folder(name):
    with pytest.raises(UserError, match="plain folder name"):
        RunDir.of({"data_dir": "data", "exp_name": name, "seed": 3})


def test_homes(monkeypatch, tmp_path, capsys):
    """`~` is one's home in every path, as in `--data_dir=~/runs`, which no shell expands."""
    monkeypatch.setenv("HOME", str(tmp_path))
    flags = {"data_dir": "~/runs", "exp_name": "x", "seed": 0}
    assert RunDir.of(flags).path == tmp_path / "runs" / "x" / "x_s0"
    assert RunDir("~/runs").path == tmp_path / "runs"
    assert RunDir("~nobody-of-this-name/runs").path == Path("~nobody-of-this-name/runs")
    (tmp_path / "there").mkdir()
    for argv in (
        ["eval", "~/there", "--export", "~/new"],
        ["resume", "~/there"],
        ["meta-test", "~/there"],
        ["plot", "~/there"],
    ):
        assert str(tmp_path / "there") in refused(capsys, *argv)
    assert "exists" in refused(capsys, "eval", "~/there", "--export", "~/there")
    (tmp_path / "file").write_text("")
    assert "is no folder" in refused(capsys, "eval", "~/there", "--video", "~/file")
    (tmp_path / "folder.png").mkdir()
    assert f"{tmp_path}/folder.png is a folder" in refused(
        capsys, "plot", "~/there", "-o", "~/folder.png"
    )


def test_a_map_that_is_not_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    argv = ("--env", "PointMass-MT4", "--network", "splitting", "--split_map", "~/maps.json")
    line = refused(capsys, *argv, "--data_dir", tmp_path / "data")
    assert f"there is no {tmp_path / 'maps.json'}" in line


def test_the_folder_of_an_experiment(run, tmp_path, capsys):
    """It stands for its run if it has one; of several it names all."""
    assert RunDir.find(tmp_path) == RunDir(run)
    assert RunDir.find(run) == RunDir(run)
    (tmp_path / "x_s1").mkdir()  # has no config yet
    (tmp_path / "x_s2").symlink_to(run)  # leads elsewhere
    assert RunDir.find(tmp_path) == RunDir(run)
    assert RunDir.find(tmp_path / "nowhere") == RunDir(tmp_path / "nowhere")
    edit(run, gamma=2)
    for command in COMMANDS:
        assert f"{run / 'config.json'}: --gamma" in refused(capsys, command[0], tmp_path)
    shutil.copytree(run, tmp_path / "x s3")
    for command in COMMANDS:
        line = refused(capsys, command[0], tmp_path)
        assert f"has 2 runs; choose one of '{tmp_path}/x s3' {run}" in line


# Where the code came from ---------------------------------------------------------


def git(folder, *argv):
    given = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *given, *argv], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def ask(place, question, **env):
    """What a copy of the package at `place` says of itself."""
    code = f"from rl.experiments import provenance as p; print(p.{question})"
    env = {**os.environ, "PYTHONPATH": str(place), **env}
    argv = [sys.executable, "-c", code]
    return subprocess.run(argv, cwd=place, env=env, check=True, capture_output=True, text=True)


@pytest.fixture(name="copied")
def fixture_copied(tmp_path):
    """The package in a folder of a repository that isn't its own."""
    git(tmp_path, "init", "-q")
    (tmp_path / "theirs").write_text("x")
    git(tmp_path, "add", "theirs")
    git(tmp_path, "commit", "-qm", "theirs")
    shutil.copytree(ROOT / "rl", tmp_path / "site" / "rl")
    return tmp_path / "site"


def test_a_copy_is_not_of_the_repository_around_it(copied):
    assert ask(copied, "commit()").stdout.strip() == "unknown"
    assert ask(copied, "commit()", RL_GIT_COMMIT="abc").stdout.strip() == "abc"
    before = ask(copied, "digest()").stdout
    (copied / "rl" / "config.py").write_text((copied / "rl" / "config.py").read_text() + "\n")
    assert ask(copied, "digest()").stdout != before


def test_a_checkout_knows_its_commit_and_what_differs(copied):
    git(copied, "init", "-q")
    git(copied, "add", "rl/*.py")
    git(copied, "commit", "-qm", "ours")
    head = git(copied, "rev-parse", "HEAD")
    assert ask(copied, "commit()").stdout.strip() == head
    assert ask(copied, "difference()").stdout.strip() == ""
    (copied / "rl" / "__init__.py").write_text("CHANGED = 1\n")
    (copied / "rl" / "new.py").write_text("NEW = 1\n")
    assert ask(copied, "commit()").stdout.strip() == f"{head}-dirty"
    patch = ask(copied, "difference()").stdout
    assert "+CHANGED = 1" in patch and "+NEW = 1" in patch


def test_a_run_keeps_what_differs_and_every_resuming_commit(run, tmp_path, monkeypatch):
    came_from = {"versions": {}, "git_commit": "first-dirty", "code": "a"}
    monkeypatch.setattr("rl.experiments.run.provenance", lambda: came_from)
    monkeypatch.setattr("rl.experiments.run.difference", lambda: "+ a line\n")
    new = train(tmp_path / "new", "--epochs", "1")
    assert (new / "code.diff").read_text() == "+ a line\n"
    assert RunDir(new).config["git_commit"] == "first-dirty"
    came_from["git_commit"] = "second"
    assert main(["resume", str(new), "--epochs", "2"]) == 0
    came_from["git_commit"] = "third"
    assert main(["resume", str(new), "--epochs", "3"]) == 0
    config = RunDir(new).config
    assert config["git_commit"] == "first-dirty"
    noted = [(note["step"], note["git_commit"]) for note in config["resumes"]]
    assert noted == [(200, "second"), (400, "third")]
    assert (new / "code_2.diff").exists()


# Extending -----------------------------------------------------------------------


def rate(run, step, optimizer="q_opt"):
    """The learning rate of the last update before a checkpoint."""
    saved = load_tree(run / "checkpoints" / f"step_{step:09}.npz")["algo"]["variables"]
    return float(saved[optimizer][1])


def test_a_schedule_begins_where_it_is_told():
    schedule = Schedule(Config(lr_schedule="linear", lr_end=0.0))
    schedule.begin(100)
    assert schedule(100, 101, 201).tolist() == pytest.approx([1 - k / 100 for k in range(101)])
    again = Schedule(Config(lr_schedule="linear", lr_end=0.0))
    again.load_state(schedule.state())
    assert again(150, 1, 201) == schedule(150, 1, 201)


def test_new_rates_and_a_new_schedule(tmp_path):
    """Constant rates for two epochs; then the critic's twice as high at first, and falling to half
    of that."""
    run = train(tmp_path, "--epochs", "2", "--keep", "9", "--update_every", "10")
    assert rate(run, 400) == pytest.approx(1e-3)
    new = ["--q_lr", "2e-3", "--lr_schedule", "linear", "--lr_end", "0.5"]
    assert main(["resume", str(run), "--epochs", "4", *new]) == 0
    assert rate(run, 600) == pytest.approx(1.5e-3, rel=0.03)
    assert rate(run, 800) == pytest.approx(1e-3)
    assert rate(run, 800, "pi_opt") == pytest.approx(0.5e-3)
    config = RunDir(run).config
    assert (config["q_lr"], config["lr_schedule"], config["epochs"]) == (2e-3, "linear", 4)
    changes = {"epochs": 4, "q_lr": 2e-3, "lr_schedule": "linear", "lr_end": 0.5}
    assert config["resumes"][0]["changes"] == changes
    # It goes on as it was, whether its end is reached in one part or, from a checkpoint, in two.
    wanted = rows(run)
    for step in (800, 600):
        (run / "checkpoints" / f"step_{step:09}.npz").unlink()
    (run / "checkpoints" / "best.npz").unlink()
    assert main(["resume", str(run)]) == 0
    assert rows(run) == wanted
    (run / "checkpoints" / "step_000000800.npz").unlink()
    assert main(["resume", str(run)]) == 0
    assert rows(run) == wanted


def test_what_resume_does_not_change(run, capsys):
    before = (run / "config.json").read_bytes()
    assert "--gamma" in refused(capsys, "resume", run, "--gamma", "0.9")
    assert "--algo ppo has it, ddpg has not" in refused(capsys, "resume", run, "--lr", "0.9")
    assert "above 0" in refused(capsys, "resume", run, "--q_lr", "0")
    assert (run / "config.json").read_bytes() == before
