"""What tests of real sweeps share: sweeps in processes of their own, and ways to end them."""

import os
import signal

from tests.helpers import SHORT, TINY, rows, start

STEPS = 200
FLAGS = ("--env", "Pendulum", *SHORT, "--steps_per_epoch", str(STEPS), *TINY["off_policy"].split())
# Lists have commas in a sweep.
BASE = ("sweep", *("16," if word == "16" else word for word in FLAGS))
METHODS = ("ddpg", "td3")
SEEDS = (0, 1, 2)
# Two methods with three seeds, which learn.
SIX = ("sweep", "--algo", *METHODS, "--env", "Pendulum", "-s", *map(str, SEEDS), "--epochs", "4")
SIX += ("--steps_per_epoch", "1000", "--start_steps", "500", "--update_after", "500")
SIX += ("--hidden_sizes", "64,64", "--num_test_episodes", "2", "--tensorboard", "false")
SIX += ("--jobs", "2", "--name", "x")


def run_of(folder, method, seed):
    return folder / method / f"{method}_s{seed}"


def start_sweep(*argv):
    """A sweep in a process group of its own."""
    return start(*argv, start_new_session=True)


def kill_all(process):
    """Kills a sweep and its runs."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def worker_of(run):
    """The id of the process that works on a run, which its lock holds."""
    return int((run / "lock").read_text())


def finish(*argv):
    """Calls a sweep and waits for it. Returns its exit code and lines."""
    process = start_sweep(*argv)
    printed = process.communicate()[0]
    return process.returncode, printed.splitlines()


def check_six_alike(folder, whole):
    """All rows of SIX in one folder are those in the other."""
    for method in METHODS:
        for seed in SEEDS:
            written = rows(run_of(folder, method, seed))
            assert len(written) == 5
            assert written == rows(run_of(whole, method, seed))
