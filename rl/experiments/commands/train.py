"""`train`: one run, or one after another for several seeds, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Sequence

from rl.config import UserError
from rl.experiments.commands.training_flags import parse
from rl.experiments.run import start


def main(argv: Sequence[str]) -> int:
    """The command `main.py [train] ...`."""
    make_current_folder_importable()
    values = parse(argv)
    seeds = values.pop("seed")
    if values["network"] == "meta_splitting":
        raise UserError("--network meta_splitting is made from a run: main.py meta-test DIR")
    if len(seeds) == 1:
        return start(values | {"seed": seeds[0]})
    if len(set(seeds)) < len(seeds):
        raise UserError(f"--seed: each seed makes a run, so none can be given twice, got {seeds}")
    for seed in seeds:
        code = _run_apart(argv, seed)
        if code:
            return code
    return 0


def make_current_folder_importable() -> None:
    """Lets `--env module:Env` find modules of the current folder, after all installed ones."""
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())


def _run_apart(argv: Sequence[str], seed: int) -> int:
    """The same command with one seed, in a process of its own. (The last `--seed` given counts.)"""
    root = str(Path(__file__).parents[3])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "rl", *argv, "--seed", str(seed)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths}) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue  # the run got the Ctrl-C too, and is saving
