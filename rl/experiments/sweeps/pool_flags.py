"""What the commands that train many runs have alike: their flags beside those of training, and the
folder that is theirs."""

import argparse
import math
import os
import re
from pathlib import Path
from typing import Collection, Sequence

from rl import lock
from rl.config import Parser, UserError
from rl.experiments.sweeps.launcher import Launcher, LocalLauncher
from rl.experiments.sweeps.product import split_flags
from rl.logging.resources import available_cores

LAUNCHERS = ("local", "ray")
OF_RAY = ("ray_address", "cpus_per_run", "gpus_per_run")
# Flags of the processes.
POOL_FLAGS = ("jobs", "threads", "launcher", *OF_RAY)


def split_own_flags(
    argv: Sequence[str], own_names: Collection[str]
) -> tuple[list[str], dict[str, list[str]]]:
    """A command's own words, and the values of the flags of training, as texts.

    Args:
      own_names: of the command's flags, "" of what comes before the first one.
    """
    values = split_flags([{"-h": "--help"}.get(word, word) for word in argv])
    words = list(values[""])
    training = {}
    for name, texts in values.items():
        if name not in own_names:
            training[name] = texts
        elif name:
            words += [f"--{name}", *texts]
    return words, training


def add_pool_flags(parser: Parser) -> None:
    """Adds those of the processes."""
    add = parser.add_argument
    add("--jobs", type=int, default=1, help="runs side by side (default: 1)")
    text = (
        "of each run, for TensorFlow; 0: the cores divided by --jobs, with --launcher ray its CPUs "
        "(default: 0)"
    )
    add("--threads", type=int, default=0, help=text)
    text = "run on this machine, or on a Ray cluster (default: local)"
    add("--launcher", choices=LAUNCHERS, default="local", help=text)
    text = "the head of the cluster that this machine is a node of (default: one is started here)"
    add("--ray_address", metavar="HOST:PORT", help=text)
    add("--cpus_per_run", type=int, help="that Ray keeps for each run (default: 1)")
    text = "that Ray keeps for each run; less than 1: several share one (default: 0)"
    add("--gpus_per_run", type=float, help=text)


def check_pool_flags(args: argparse.Namespace) -> None:
    """Raises a UserError where they can't be."""
    if args.jobs < 1:
        raise UserError(f"--jobs must be at least 1, got {args.jobs}")
    if args.threads < 0:
        raise UserError(f"--threads must be at least 0, got {args.threads}")
    given = [name for name in OF_RAY if getattr(args, name) is not None]
    if given and args.launcher != "ray":
        raise UserError(f"--{given[0]} is for --launcher ray")
    if args.ray_address is not None and not re.fullmatch(r"[^/\s]+:\d+", args.ray_address):
        raise UserError(f"--ray_address must be HOST:PORT, got {args.ray_address!r}")
    if args.cpus_per_run is not None and args.cpus_per_run < 1:
        raise UserError(f"--cpus_per_run must be at least 1, got {args.cpus_per_run}")
    gpus = args.gpus_per_run or 0.0
    if not math.isfinite(gpus) or gpus < 0 or (gpus > 1 and gpus != int(gpus)):
        raise UserError(f"--gpus_per_run must be a whole number, or less than 1, got {gpus:g}")


def make_launcher(args: argparse.Namespace) -> Launcher:
    """What starts the processes. Raises a UserError where that is Ray, which isn't installed or has
    no such cluster."""
    if args.launcher == "local":
        return LocalLauncher(args.threads or max(1, available_cores() // args.jobs))
    try:
        # pylint: disable-next=import-outside-toplevel
        from rl.experiments.sweeps.ray_launcher import RayLauncher
    except ModuleNotFoundError as error:
        raise UserError(f"--launcher ray needs {error.name}: pip install '.[cluster]'") from None
    cpus = args.cpus_per_run or 1
    return RayLauncher(args.ray_address or "", args.threads or cpus, cpus, args.gpus_per_run or 0.0)


def refuse_other(folder: Path, what: str, file: str, others: Collection[str] = ()) -> None:
    """Raises a UserError if there is something else than a `what` where its folder should be.

    Args:
      file: the one that tells a `what`'s folder. others: that a process may leave which was killed
        before it wrote that.
    """
    if not os.path.lexists(folder) or os.path.lexists(folder / file):
        return
    ours = {lock.NAME, f"{file}.tmp", *others}
    if not folder.is_dir() or set(os.listdir(folder)) - ours:
        raise UserError(f"{folder} exists and is no {what}'s folder; give the {what} another name")
