"""A search from a command line: flags of training, and the space of some of them.

    --algo ddpg --env Pendulum --space pi_lr=log:1e-4:1e-2 batch_size=int:32:256:3

KIND:LOW:HIGH[:POINTS] is a range, of which POINTS are the points of the grid; KIND is "uniform",
"log" or "int". choice:A:B:C is a choice; a value that is a list has commas, as in a sweep.
"""

from typing import Any, Mapping, Sequence

from rl.config import UserError, underscored
from rl.experiments.commands.training_flags import given
from rl.experiments.searches.spaces import (
    POINTS,
    Choice,
    IntUniform,
    LogUniform,
    Space,
    Uniform,
)
from rl.experiments.sweeps.definition import Value
from rl.experiments.sweeps.product import list_flags, words_of

FORM = "name=uniform:LOW:HIGH, name=log:LOW:HIGH, name=int:LOW:HIGH or name=choice:A:B"


def common_flags(training: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The values of the flags of training.

    Args:
      training: flag -> its words, as `split_flags` gives them.

    Raises:
      UserError: one is unknown, or a value is not of its type.
    """
    return given(_argv(training))


def _argv(training: Mapping[str, Sequence[str]]) -> list[str]:
    words = []
    for name, texts in training.items():
        words += [f"--{name}", *texts]
    return words


def read_space(texts: Sequence[str], training: Mapping[str, Sequence[str]]) -> dict[str, Space]:
    """The space that a command line says.

    Args:
      texts: such as "pi_lr=log:1e-4:1e-2". training: the words of the flags of training.

    Raises:
      UserError: one is not of that form, or given twice.
    """
    space: dict[str, Space] = {}
    for text in texts:
        name, equals, description = text.partition("=")
        kind, *parts = description.split(":")
        name = underscored(f"--{name}").removeprefix("--")
        if not equals or not name:
            raise UserError(f"--space needs {FORM}, got {text}")
        if name in space:
            raise UserError(f"--space: {name} is given twice")
        try:
            if kind == "choice":
                space[name] = Choice(_choices(name, parts, training))
            else:
                space[name] = _range(kind, parts, text)
        except UserError as error:
            raise UserError(f"--space {name}: {error}") from None
    return space


def _range(kind: str, parts: Sequence[str], text: str) -> Space:
    """A range of a kind. Raises a UserError where it can't be."""
    if kind not in ("uniform", "log", "int") or len(parts) not in (2, 3):
        raise UserError(f"it must be {FORM}, and ranges may end with :POINTS, got {text}")
    try:
        low = float(parts[0])
        high = float(parts[1])
        points = int(parts[2]) if len(parts) == 3 else POINTS
    except ValueError:
        raise UserError(f"the ends and points of a range must be numbers, got {text}") from None
    if kind == "uniform":
        return Uniform(low, high, points)
    if kind == "log":
        return LogUniform(low, high, points)
    if not (low.is_integer() and high.is_integer()):
        raise UserError(f"the ends of an int range must be whole numbers, got {text}")
    return IntUniform(int(low), int(high), points)


def _choices(name: str, texts: Sequence[str], training: Mapping[str, Sequence[str]]) -> list[Value]:
    """The values of a choice, of the type of the flag."""
    others = {flag: words for flag, words in training.items() if flag != name}
    values = []
    for words in words_of(name, texts, name in list_flags()):
        values.append(given([*_argv(others), f"--{name}", *words])[name])
    return values
