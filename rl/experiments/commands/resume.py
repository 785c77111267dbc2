"""`resume`: go on with a run, also to a greater length or at other rates."""

import dataclasses
from pathlib import Path
from typing import Any, Mapping, Sequence

from rl.config import Parser, UserError, add_flags
from rl.experiments import rundir
from rl.experiments.commands.train import make_current_folder_importable
from rl.experiments.commands.training_flags import others
from rl.experiments.run import resume
from rl.flags import ALGORITHMS, GRADIENTS, sections
from rl.flags.binding import CHANGEABLE

TRUST = "let the run import its env's module and give its env arguments: it may run code"


def main(argv: Sequence[str]) -> int:
    """The command `main.py resume DIR [--epochs N] [rates and schedule]`."""
    given = vars(arguments().parse(argv))
    directory = given.pop("directory")
    trust = given.pop("trust")
    if trust:
        make_current_folder_importable()
    # Before the lock, which is put only where there is a run.
    check_changes(rundir.load_config(directory, trust), given)
    return resume(directory, trust, given)


def arguments() -> Parser:
    """The run's directory, and new values of the flags that may change."""
    text = (
        "Go on with a run as if it had never stopped. With --epochs its schedule is stretched to "
        "the new length; a new schedule starts here and ends with the run."
    )
    parser = Parser("resume", description=text)
    parser.add_argument("directory", type=Path, help="of the run")
    parser.add_argument("--trust", action="store_true", help=TRUST)
    for title, part, names in _changeable():
        add_flags(parser, part, title, names, absent="the run's")
    return parser


def _changeable() -> list[tuple[str, type, list[str]]]:
    """Titles, dataclasses and names of the flags that may change, of all algorithms and gradient
    methods."""
    found = []
    shown: set[str] = set()
    choices = [{"algo": algo, "gradient": method} for algo in ALGORITHMS for method in GRADIENTS]
    for chosen in choices:
        for title, part in sections(chosen).items():
            fields = {field.name for field in dataclasses.fields(part)}
            names = [name for name in CHANGEABLE if name in fields - shown]
            if names:
                found.append((title, part, names))
                shown |= set(names)
    return found


def check_changes(saved: Mapping[str, Any], changes: dict[str, Any]) -> None:
    """Raises a UserError naming the first of the flags in `changes` that a run of the flags `saved`
    lacks."""
    known = {field.name for part in sections(saved).values() for field in dataclasses.fields(part)}
    for name in sorted(set(changes) - known):
        raise UserError(f"--{name}: {others(saved)[name]}")
