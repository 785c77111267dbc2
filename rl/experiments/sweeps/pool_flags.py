"""What the commands that train many runs have alike: their flags beside those of training, and the
folder that is theirs."""

import argparse
import os
from pathlib import Path
from typing import Collection, Sequence

from rl import lock
from rl.config import Parser, UserError
from rl.experiments.sweeps.launcher import LocalLauncher
from rl.experiments.sweeps.product import split_flags
from rl.logging.resources import available_cores


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
    text = "of each run, for TensorFlow; 0: the cores divided by --jobs (default: 0)"
    add("--threads", type=int, default=0, help=text)


def check_pool_flags(args: argparse.Namespace) -> None:
    """Raises a UserError where they can't be."""
    if args.jobs < 1:
        raise UserError(f"--jobs must be at least 1, got {args.jobs}")
    if args.threads < 0:
        raise UserError(f"--threads must be at least 0, got {args.threads}")


def make_launcher(args: argparse.Namespace) -> LocalLauncher:
    """What starts the processes."""
    return LocalLauncher(args.threads or max(1, available_cores() // args.jobs))


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
