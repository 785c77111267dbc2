"""`sweep`: methods times seeds, side by side, as one command that goes on where it was."""

import argparse
import contextlib
import shlex
from pathlib import Path
from typing import Sequence

from rl import lock
from rl.config import Parser, UserError, program
from rl.experiments.commands.train import make_current_folder_importable
from rl.experiments.sweeps.adjusted import adjusted
from rl.experiments.sweeps.definition import load_sweep
from rl.experiments.sweeps.launcher import Launcher
from rl.experiments.sweeps.overview import Overview, print_status
from rl.experiments.sweeps.plan import FILE, make_plan, read_plan, save_plan
from rl.experiments.sweeps.pool import Job, Pool
from rl.experiments.sweeps.pool_flags import (
    POOL_FLAGS,
    add_pool_flags,
    check_pool_flags,
    make_launcher,
    refuse_other,
    split_own_flags,
)
from rl.experiments.sweeps.product import make_sweep
from rl.experiments.sweeps.runs import SweepRun
from rl.experiments.sweeps.stages import last_lines
from rl.files import expanded
from rl.signals import STOPPED

# Flags of the command itself; all others are flags of training.
OWN = ("", *POOL_FLAGS, "methods", "retry", "name", "data_dir", "status", "debug", "help")
EPILOG = """\
examples:
  sweep FILE.py --jobs 2
  sweep FILE.py --methods ddpg td3 --seed 0 1 --device gpu
  sweep --algo ddpg td3 --env Pendulum --seed 0 10 20 --q_lr 1e-3 3e-4 --jobs 2
  sweep --algo sac --env Pendulum --hidden_sizes 64,64 256,256
  sweep --status data/sweep_ddpg_td3_Pendulum

The same command again goes on: what is finished is not done again. Every flag of training may have
several values, and all combinations are trained; in a list flag each value has commas. A flag that
one of the algorithms lacks is refused: methods with flags of their own are for a FILE. Beside a
FILE a flag of training has one value, for all methods; but --seed has the seeds.
"""


def main(argv: Sequence[str]) -> int:
    """The command `main.py sweep ...`."""
    args, training = parse(argv)
    if args.status is not None:
        print_status(read_plan(args.status))
        return 0
    make_current_folder_importable()
    if args.file:
        sweep = adjusted(load_sweep(args.file), args.name, args.methods, training)
    else:
        sweep = make_sweep(args.name, training)
    folder = args.data_dir / sweep.name
    runs = make_plan(sweep, args.data_dir)  # first, for what is refused leaves nothing behind
    refuse_other(folder, "sweep", FILE)
    with contextlib.closing(make_launcher(args)) as launcher:
        folder.mkdir(parents=True, exist_ok=True)
        with lock.locked(folder):
            return work(runs, folder, launcher, args, argv)


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, dict[str, list[str]]]:
    """The command's own flags, and the values of those of training.

    Raises:
      UserError: they can't be, or don't go together.
    """
    words, training = split_own_flags(argv, OWN)
    args = arguments().parse(words)
    check_pool_flags(args)
    if args.status and (args.file or training):
        raise UserError("--status takes a sweep's folder, and nothing beside it")
    if args.methods and not args.file:
        raise UserError("--methods are those of a file")
    if not args.file and not args.status and not training:
        raise UserError("sweep needs a file, flags of training, or --status DIR; see --help")
    return args, training


def arguments() -> Parser:
    """What the command has beside the flags of training."""
    parser = Parser(
        "sweep",
        description="Train methods with several seeds, side by side, each in its own process.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    text = "Python file that makes sweep = rl.Sweep(name, methods, seeds, common)"
    add("file", nargs="?", type=expanded, metavar="FILE.py", help=text)
    text = "of the file, that are trained (default: all)"
    add("--methods", nargs="+", default=[], metavar="METHOD", help=text)
    add_pool_flags(parser)
    add("--retry", action="store_true", help="also go on with runs that failed before")
    text = "of the sweep's folder (default: the file's; or sweep, its algorithms and its envs)"
    add("--name", default="", help=text)
    text = "folder that the sweep's folder is in (default: data)"
    add("--data_dir", type=expanded, default=Path("data"), help=text)
    text = "print how far the sweep in a folder is, from another terminal too"
    add("--status", type=expanded, metavar="DIR", help=text)
    return parser


def work(
    runs: Sequence[SweepRun],
    folder: Path,
    launcher: Launcher,
    args: argparse.Namespace,
    argv: Sequence[str],
) -> int:
    """Trains what is left of a sweep, whose folder's lock is held. Returns the exit code."""
    save_plan(folder, runs, argv)
    print(f"sweep: {folder}, {len(runs)} runs", flush=True)
    overview = Overview()
    try:
        pool = Pool(runs, launcher, args.jobs, args.retry, overview.show)
        code = pool.work()
    finally:
        overview.close()
    report(pool.jobs, folder)
    if code == STOPPED:
        again = shlex.join([word for word in argv if word != "--retry"])
        print(f"stopped; go on with: {program()} sweep {again}")
    return code


def report(jobs: Sequence[Job], folder: Path) -> None:
    """Prints how the runs ended, and the last lines of those that failed."""
    finished = sum(job.state == "finished" for job in jobs)
    failed = [job for job in jobs if job.state == "failed"]
    for job in failed:
        print(f"{job.run.name} failed: {job.note}; the end of {job.run.log}:")
        for line in last_lines(job.run):
            print(f"  {line}")
    print(f"{folder}: {finished} of {len(jobs)} runs finished, {len(failed)} failed")
