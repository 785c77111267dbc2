"""One process per run directory."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from rl.__main__ import main
from rl.config import UserError
from rl.experiments import run as commands
from rl.lock import locked
from rl.training.checkpoint import Checkpoints
from tests.helpers import (
    IDLE,
    ROOT,
    column,
    command,
    refused,
    rows,
    start,
    train,
)

FORKED = """
import os, pathlib, sys, time
from rl.lock import locked
with locked(pathlib.Path(sys.argv[1])):
    if not os.fork():  # it has let go of the lock by now
        print(os.getpid(), flush=True)
    time.sleep(60)
"""


def test_another_process_is_named(tmp_path):
    with locked(tmp_path):
        with pytest.raises(UserError, match=rf"\(pid {os.getpid()}\) is using {tmp_path}"):
            with locked(tmp_path):
                pass
    with locked(tmp_path):  # it was let go
        pass
    assert (tmp_path / "lock").read_bytes() == b""


def test_it_is_let_go_by_an_error(tmp_path):
    with pytest.raises(KeyError):
        with locked(tmp_path):
            raise KeyError
    with locked(tmp_path):
        pass


def test_it_dies_with_the_process_and_not_with_its_children(tmp_path):
    """A child made by fork lives on when its parent was killed, without the lock."""
    pipes = {"stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    with subprocess.Popen([sys.executable, "-c", FORKED, str(tmp_path)], **pipes) as process:
        child = int(process.stdout.readline())
        with pytest.raises(UserError, match=f"pid {process.pid}"):
            with locked(tmp_path):
                pass
        process.kill()
        process.wait()
        with locked(tmp_path):
            pass
        os.kill(child, signal.SIGKILL)  # it was there all the time


def test_a_lock_is_a_file(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "lock").symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match="lock is not a regular file"):
        with locked(tmp_path / "run"):
            pass
    assert not (tmp_path / "outside").exists()


def test_every_command_that_writes_is_refused(tmp_path, capsys):
    run = train(tmp_path, *IDLE, "--epochs", "1")
    again = command("--data_dir", tmp_path, "--exp_name", "x", "--overwrite")
    with locked(run):
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        for argv in (["resume", run, "--epochs", "2"], again):
            assert f"(pid {os.getpid()}) is using {run}" in refused(capsys, *argv)
        after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        assert after == before
        assert main(["eval", str(run), "--episodes", "1"]) == 0
        assert main(["plot", str(run), "-o", str(tmp_path / "o.png")]) == 0


def test_a_run_that_another_process_began_meanwhile_is_kept(tmp_path, capsys, monkeypatch):
    """It appears after the first look and before the lock."""
    run = tmp_path / "x" / "x_s0"
    make_envs = commands.make_envs

    def late(values, env):
        run.mkdir(parents=True)
        (run / "progress.txt").write_text("of another")
        return make_envs(values, env)

    monkeypatch.setattr(commands, "make_envs", late)
    error = refused(capsys, *command("--data_dir", tmp_path, "--exp_name", "x"))
    assert "exists; add --overwrite" in error
    assert (run / "progress.txt").read_text() == "of another"


def test_no_lock_where_there_is_no_run(tmp_path, capsys):
    assert "not a run directory" in refused(capsys, "resume", tmp_path)
    assert not list(tmp_path.iterdir())


# Two at once ------------------------------------------------------------------

LONG = ("--epochs", "4000")  # none ends by itself
SIZES = (*IDLE, *LONG, "--num_test_episodes", "1")


def two_at_once(tmp_path, wanted, first, second, number):
    """Starts two commands on one directory within a second, kills the one that works when it has
    some rows, or both: what is left is resumed to the rows of a run of its own, `wanted`."""
    data = tmp_path / str(number)
    run = data / "x" / "x_s0"
    begin = command("--data_dir", data, "--exp_name", "x", *SIZES)
    again = {
        "train": begin,
        "overwrite": [*begin, "--overwrite"],
        "resume": ["resume", run],
    }
    if "resume" in (first, second):
        train(data, *SIZES, "--epochs", "1")
        again["resume"] += LONG
    rng = random.Random(number)
    processes = []
    for name in (first, second):
        processes.append(start(*again[name]))
        time.sleep(rng.uniform(0, 1))
    while all(process.poll() is None for process in processes):
        time.sleep(0.02)
    loser, winner = sorted(processes, key=lambda process: process.poll() is None)
    out = loser.communicate()[0]
    assert loser.returncode == 2 and out.count("\n") == 1, out
    assert "is using" in out or "exists; add --overwrite" in out, out
    if "is using" in out:
        assert f"another process (pid {winner.pid}) is using {run}" in out
    deadline = time.monotonic() + 120
    while len(Checkpoints(run).steps()) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(rng.uniform(0, 0.5))
    assert winner.poll() is None
    winner.kill()
    winner.communicate()
    done = Checkpoints(run).steps()[-1] // 200
    assert main(["resume", str(run), "--epochs", str(done + 2)]) == 0
    assert column(run, "Epoch") == list(range(1, done + 3))
    assert rows(run)[: len(wanted)] == wanted[: done + 3]


def rows_wanted(tmp_path):
    return rows(train(tmp_path / "wanted", *SIZES, "--epochs", "3"))


COMBINATIONS = [
    ("train", "overwrite"),
    ("overwrite", "resume"),
    ("resume", "resume"),
    ("resume", "overwrite"),
]


def test_two_at_once(tmp_path):
    two_at_once(tmp_path, rows_wanted(tmp_path), "resume", "resume", 0)


@pytest.mark.slow
def test_two_at_once_twenty_times(tmp_path):
    wanted = rows_wanted(tmp_path)
    for number, pair in zip(range(20), itertools.cycle(COMBINATIONS)):
        two_at_once(tmp_path, wanted, *pair, number)
