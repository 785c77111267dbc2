"""What several tests need: tiny runs through the front door, and their results."""

import os
import subprocess
import sys
from pathlib import Path

from rl.__main__ import main

ROOT = Path(__file__).parents[1]
TINY = ["--hidden_sizes", "16", "--batch_size", "8", "--replay_size", "2000", "--num_test_episodes", "2"]
TINY += ["--start_steps", "60", "--update_after", "40", "--update_every", "10", "--tensorboard", "false"]


def command(*args):
    """argv of a tiny DDPG run."""
    return ["--algo", "ddpg", "--env", "Pendulum", "--epochs", "3", "--steps_per_epoch", "200", *TINY, *map(str, args)]


def train(data_dir, *args):
    """Runs it in this process; returns the run directory."""
    argv = command("--data_dir", data_dir, "--exp_name", "x", *args)
    assert main(argv) == 0
    return Path(data_dir) / "x" / "x_s0"


def start(*argv, **options):
    """The front door in a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([sys.executable, str(ROOT / "main.py"), *map(str, argv)], env=env, **pipes, **options)


def rows(directory):
    """`progress.txt` without its time columns, as text lines of cells."""
    lines = [line.split("\t") for line in (directory / "progress.txt").read_text().splitlines()]
    kept = [i for i, name in enumerate(lines[0]) if not name.startswith("Time")]
    return [[line[i] for i in kept] for line in lines]


def column(directory, name):
    """One column of `progress.txt` as floats."""
    header, *body = rows(directory)
    return [float(row[header.index(name)]) for row in body]
