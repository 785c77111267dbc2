"""`resume`: go on with a run, also to a greater length or at other rates."""

import dataclasses
from typing import Sequence

from rl.config import Parser, add_flags
from rl.experiments.commands.ending import tell_end
from rl.experiments.commands.train import make_current_folder_importable
from rl.experiments.run import resume
from rl.experiments.rundir import RunDir
from rl.flags import ALGORITHMS, GRADIENTS, sections
from rl.flags.binding import CHANGEABLE

DIRECTORY = "of the run, or of an experiment with one run"
TRUST = "let the run import its env's module and give its env arguments: it may run code"


def main(argv: Sequence[str]) -> int:
    """The command `main.py resume DIR [--epochs N] [rates and schedule]`."""
    changes = vars(arguments().parse(argv))
    run = changes.pop("directory")
    trust = changes.pop("trust")
    if trust:
        make_current_folder_importable()
    return tell_end(resume(run, changes, trust))


def arguments() -> Parser:
    """The run's directory, and new values of the flags that may change."""
    text = (
        "Go on with a run as if it had never stopped. With --epochs its schedule is stretched to "
        "the new length; a new schedule starts here and ends with the run."
    )
    parser = Parser("resume", description=text)
    parser.add_argument("directory", type=RunDir.find, help=DIRECTORY)
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
