"""`train`: one run, or one after another for several seeds, each in a process of its own."""

import os
import sys
from typing import Sequence

from rl.config import UserError
from rl.experiments.commands.ending import tell_end
from rl.experiments.commands.training_flags import parse
from rl.experiments.launch import launch
from rl.experiments.run import train
from rl.flags.torsos import refuse_adapted


def main(argv: Sequence[str]) -> int:
    """The command `main.py [train] ...`."""
    make_current_folder_importable()
    values = parse(argv)
    seeds = values.pop("seed")
    refuse_adapted(values["network"])
    if len(seeds) == 1:
        return tell_end(train(values | {"seed": seeds[0]}))
    if len(set(seeds)) < len(seeds):
        raise UserError(f"--seed: each seed makes a run, so none can be given twice, got {seeds}")
    commands = [[*argv, "--seed", str(seed)] for seed in seeds]  # the last --seed counts
    codes = launch(commands)
    return next((code for code in codes if code), 0)


def make_current_folder_importable() -> None:
    """Lets `--env module:Env` find modules of the current folder, after all installed ones."""
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
