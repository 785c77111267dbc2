"""Commands in processes of their own: how many at once, what ends them, and what they return."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from rl import signals
from rl.experiments import launch as launching
from rl.experiments.launch import launch

REFUSED = ["--gama", "1"]
HELP = ["plot", "--help"]


def test_exit_codes_are_in_order(capfd):
    assert launch([HELP, ["resume", "--help"], REFUSED], jobs=2) == [0, 0, 2]
    assert "unknown flag --gama" in capfd.readouterr().err


def test_none_begins_after_one_that_failed(capfd):
    assert launch([REFUSED, HELP], jobs=1) == [2, signals.STOPPED]
    assert "usage" not in capfd.readouterr().out


def test_modules_of_the_current_folder_are_not_taken_for_others(tmp_path, monkeypatch):
    for name in ("rl", "queue"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    assert launch([HELP]) == [0]


class Sleeper:
    """In place of `_start`: the command's words are the seconds that a process sleeps."""

    def __init__(self):
        self.processes = []
        self.at_once = []  # processes at work when each began, itself included

    def __call__(self, argv):
        code = f"import time; time.sleep({argv[0]})"
        self.processes.append(subprocess.Popen([sys.executable, "-S", "-c", code]))
        running = [process for process in self.processes if process.poll() is None]
        self.at_once.append(len(running))
        return self.processes[-1]


@pytest.fixture(name="sleeper")
def fixture_sleeper(monkeypatch):
    sleeper = Sleeper()
    monkeypatch.setattr(launching, "_start", sleeper)
    return sleeper


def test_at_most_so_many_at_once(sleeper):
    assert launch([["0.5"]] * 5, jobs=2) == [0] * 5
    assert max(sleeper.at_once) == 2 and len(sleeper.at_once) == 5


@pytest.mark.parametrize("number", signals.SIGNALS)
def test_signals_are_passed_on_to_all(sleeper, number):
    """And no other command begins."""

    def send():
        while len(sleeper.processes) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    sender = threading.Thread(target=send)
    sender.start()
    assert launch([["60"]] * 3, jobs=2) == [signals.STOPPED] * 3
    sender.join()
    assert [process.returncode for process in sleeper.processes] == [-number] * 2


def test_a_process_that_was_killed(sleeper):
    def kill():
        while not sleeper.processes:
            time.sleep(0.01)
        sleeper.processes[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    assert launch([["60"]]) == [128 + signal.SIGKILL]
    killer.join()


def test_an_error_leaves_no_process(sleeper, monkeypatch):
    begun = []

    def start_one(argv):
        if begun:
            raise OSError("no more processes")
        begun.append(argv)
        return sleeper(argv)

    monkeypatch.setattr(launching, "_start", start_one)
    with pytest.raises(OSError):
        launch([["60"], ["60"]], jobs=2)
    assert sleeper.processes[0].returncode == -signal.SIGTERM
