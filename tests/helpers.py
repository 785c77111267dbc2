"""What several tests need: tiny runs through the front door, and their results."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from rl import training
from rl.__main__ import main
from rl.algos import ALGOS
from rl.config import SPLITS
from rl.experiments.build import make_loop
from rl.experiments.rundir import RunDir
from rl.files import write_json
from rl.logging import depends_on_machine

ROOT = Path(__file__).parents[1]
SHORT = "--hidden_sizes 16 --num_test_episodes 2 --tensorboard false --epochs 3".split()
TINY = {  # by loop
    "off_policy": "--batch_size 8 --replay_size 2000 --start_steps 60 --update_after 40"
    " --update_every 10",
    "on_policy": "--rollout_steps 64 --batch_size 16 --update_epochs 2",
}
OPTIONS = {  # everything that has a state of its own
    "off_policy": "--obs_norm --rew_norm --replay prioritised --n_step 3 --lr_schedule cosine"
    " --max_grad_norm 1",
    "on_policy": "--obs_norm --rew_norm --lr_schedule plateau --lr_patience 1 --norm_value"
    " --target_kl 0.02",
}
IDLE = ("--update_after", "1000000")  # no update, so nothing is compiled


def command(*args, algo="ddpg"):
    """argv of a tiny run."""
    tiny = [*SHORT, "--steps_per_epoch", "200", *TINY[ALGOS[algo].loop].split()]
    return ["--algo", algo, "--env", "Pendulum", *tiny, *map(str, args)]


def options(algo):
    """Flags that turn on every option with a state of its own."""
    return OPTIONS[ALGOS[algo].loop].split()


def train(data_dir, *args, algo="ddpg"):
    """Runs it in this process; returns the run directory."""
    argv = command("--data_dir", data_dir, "--exp_name", "x", *args, algo=algo)
    assert main(argv) == 0
    return Path(data_dir) / "x" / "x_s0"


def collect_until(loop, step):
    """Makes `loop` stop once it is at `step`; None: never."""
    collect = loop.collect

    def collect_and_stop():
        ended = collect()
        loop.session.stopping = loop.step == step
        return ended

    loop.collect = collect_and_stop


def train_in_parts(run, values, stops):
    """Runs `values` in this process, stopped at each of the steps `stops` and resumed; None: to the
    end.

    Returns `run`, the new directory of it all.
    """
    run.mkdir()
    last = values["epochs"] * values["steps_per_epoch"]
    for stop in stops:
        loop = make_loop(values, run)
        collect_until(loop, stop)
        assert training.run(loop) == (stop is None)
        assert loop.step == (stop or last)
    return run


def keep_checkpoints(run, count):
    """Deletes all checkpoints of `run` but the first `count` and the best."""
    for path in sorted((run / "checkpoints").glob("step_*.npz"))[count:]:
        path.unlink()


def stopped_earlier(run, copy, epochs):
    """Makes `copy` the directory of `run`, which kept all checkpoints, as it was after its first
    `epochs`. Returns `copy`."""
    shutil.copytree(run, copy)
    keep_checkpoints(copy, epochs)
    for table in ("progress.txt", "saved.txt"):
        lines = (copy / table).read_text().splitlines(keepends=True)
        (copy / table).write_text("".join(lines[: 1 + epochs]))
    loop = make_loop(RunDir(copy).config, copy)
    training.restore(loop)
    if splits := loop.session.algo.splits():
        write_json(copy / SPLITS, splits)
    return copy


def start(*argv, **options):
    """The front door in a process of its own; `options` are those of `Popen`."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), *map(str, argv)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def wait_for_rows(run, count, process):
    """Waits until the run has written `count` rows, or has ended."""
    path = run / "progress.txt"
    while process.poll() is None:
        if path.exists() and path.read_text().count("\n") > count:
            return
        time.sleep(0.02)


def kill(process, run, row, delay):
    """Kills `process`, which trains `run`, `delay` seconds after row `row`; row 0 is its start."""
    if row:
        wait_for_rows(run, row, process)
    time.sleep(delay)
    assert process.poll() is None, "it ended before the kill"
    process.send_signal(signal.SIGKILL)
    process.communicate()


def train_killed(data_dir, *args, algo, count, delay=0.0):
    """Runs it in a process of its own, killed `delay` seconds after row `count`; returns the run
    directory."""
    run = Path(data_dir) / "x" / "x_s0"
    process = start(*command("--data_dir", data_dir, "--exp_name", "x", *args, algo=algo))
    kill(process, run, count, delay)
    return run


def rows(directory):
    """`progress.txt` without the columns that depend on the machine, as text lines of cells."""
    lines = [line.split("\t") for line in (directory / "progress.txt").read_text().splitlines()]
    columns = [i for i, name in enumerate(lines[0]) if not depends_on_machine(name)]
    return [[line[i] for i in columns] for line in lines]


def records(directory):
    """`progress.txt` as a dict of floats for each row, with every column."""
    header, *body = (directory / "progress.txt").read_text().splitlines()
    names = header.split("\t")
    return [dict(zip(names, map(float, line.split("\t")))) for line in body]


def column(directory, name):
    """One column of `progress.txt` as floats."""
    header, *body = rows(directory)
    return [float(row[header.index(name)]) for row in body]


def refused(capsys, *argv):
    """Runs a command that must fail; returns its one line."""
    capsys.readouterr()
    assert main([str(arg) for arg in argv]) == 2
    error = capsys.readouterr().err
    assert ": error: " in error
    assert error.count("\n") == 1
    assert "Traceback" not in error
    return error
