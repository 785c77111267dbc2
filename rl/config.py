"""Dataclass fields become command-line flags: one field, one flag, one help line.

A field made by `flag(default, help, ...)` carries its meaning and its range; `add_flags` turns the
fields of a dataclass into flags of an argparse parser, and `build` makes the dataclass from what
was parsed. `build` checks types and ranges, so a bad value in `config.json` is refused like a bad
flag.
"""

import argparse
import dataclasses
import difflib
import functools
import math
import re
import sys
import typing
from pathlib import Path
from typing import Any, Collection, Iterable, Mapping, NoReturn, Optional, Sequence

# What split, in a run directory; its name is here because plots, too, may import this.
SPLITS = "splits.json"
# Which weights tasks use, likewise.
MASKS = "masks.npz"
MOST = 2**31 - 1  # a whole number above it is a slip, and would overflow in NumPy, or in an env
DEBUG = "--debug"
LONGEST = 1000  # characters of a text
NEGATIVE = re.compile(r"-(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")  # numbers
TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


class UserError(Exception):
    """Something the user can mend. The front door prints it on one line and exits with 2."""


def program() -> str:
    """How this program was started, for messages: "python main.py", "python -m rl" or "rl"."""
    started = Path(sys.argv[0])
    if started.name == "rl":
        return "rl"
    if started.name == "__main__.py" and started.parent.name == "rl":
        return "python -m rl"
    return "python main.py"


def flag(
    default: Any,
    meaning: str,
    *,
    low: Optional[float] = None,
    high: Optional[float] = None,
    above: Optional[float] = None,
    choices: Optional[Collection[str]] = None,
    short: Optional[str] = None,
    several: bool = False,
) -> Any:
    """A dataclass field that is also a flag.

    Args:
      default: value when the flag is absent; its type is the field's annotation.
      meaning: one help line, with the unit.
      low, high: inclusive bounds. `above`: exclusive lower bound.
      choices: allowed strings; a table that grows, such as NETWORKS, is looked up when it's needed.
      short: a second spelling such as "-s".
      several: the flag takes a list on the command line, for one run with each.
    """
    metadata = dict(
        meaning=meaning,
        low=low,
        high=high,
        above=above,
        choices=choices,
        short=short,
        several=several,
    )
    # pylint: disable-next=invalid-field-call
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class NoFlags:
    """The flags of what has none."""


def closest(name: str, known: Iterable[str], count: int = 3) -> str:
    """The known names most like `name`, for an error message: "a, b, c"."""
    known = list(known)
    alike = difflib.get_close_matches(name, known, count, cutoff=0.3)
    return ", ".join(alike or sorted(known)[:count])


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors are one-line UserErrors and whose hyphens are underscores.

    Every command takes DEBUG, which the front door heeds.

    Args:
      command: name of the command, for the help.

    Attributes:
      hints: name of an unknown flag that people give -> what to tell them.
    """

    hints: Mapping[str, str] = {}

    def __init__(self, command: str = "", **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, prog=f"{program()} {command}".rstrip(), **kwargs)
        # argparse's own knows no exponents, and takes -1e1 for a flag.
        self._negative_number_matcher = NEGATIVE
        text = "where an env fails, show its traceback below the one line"
        self.add_argument(DEBUG, action="store_true", help=text)

    def error(self, message: str) -> NoReturn:
        raise UserError(message.replace("argument ", "", 1))

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parses `argv`; an unknown flag is a UserError that names the closest known ones."""
        args, unknown = self.parse_known_args([underscored(arg) for arg in argv])
        if unknown:
            self.refuse(unknown[0].split("=")[0])
        del args.debug  # the front door's
        return args

    def refuse(self, name: str) -> NoReturn:
        """Raises the UserError for an unknown flag or a stray argument."""
        if name.lstrip("-") in self.hints:
            self.error(f"unknown flag {name}: {self.hints[name.lstrip('-')]}")
        flags = [text for action in self._actions for text in action.option_strings]
        kind = "flag" if name.startswith("-") else "argument"
        self.error(f"unknown {kind} {name}; the closest flags are {closest(name, flags)}")


def underscored(arg: str) -> str:
    """`--q-lr=1e-3` -> `--q_lr=1e-3`; values are left alone."""
    if not arg.startswith("--"):
        return arg
    name, equals, value = arg.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value


def add_flags(
    parser: argparse.ArgumentParser,
    config: type,
    title: str,
    only: Optional[Iterable[str]] = None,
    absent: str = "",
) -> None:
    """Adds a flag for each field of the dataclass `config`, in a help section called `title`.

    Args:
      only: names of the fields that count, in their order; None: all.
      absent: what a flag that isn't given stands for, in words; there is then no value for it. By
        default it has the field's default.
    """
    fields = {field.name: field for field in dataclasses.fields(config)}
    names = list(fields) if only is None else [name for name in only if name in fields]
    types = typing.get_type_hints(config)
    group = parser.add_argument_group(title)
    for name in names:
        _add_flag(group, fields[name], types[name], absent)


def _add_flag(group: Any, field: Any, kind: Any, absent: str) -> None:
    meta = field.metadata
    names = [f"--{field.name}"]
    if meta["short"]:
        names.append(meta["short"])
    many = typing.get_origin(kind) is tuple
    options: dict[str, Any] = {"type": _parse(typing.get_args(kind)[0] if many else kind)}
    if many or meta["several"]:
        options["nargs"] = "+"
    elif kind is bool:
        options |= {"nargs": "?", "const": True}
    options["metavar"] = field.name.upper()
    if meta["choices"]:
        options["metavar"] = "{" + ",".join(meta["choices"]) + "}"
    shown = str(field.default)
    if many:
        shown = " ".join(map(str, field.default)) or "none"
    shown = absent or shown
    text = f"{meta['meaning']}{_range(meta)}" + (f" (default: {shown})" if shown else "")
    default = [field.default] if meta["several"] else field.default
    if absent:
        default = argparse.SUPPRESS
    group.add_argument(*names, default=default, help=text.replace("%", "%%"), **options)


def _parse(kind: Any) -> Any:
    """A function from a flag's text to a value of type `kind`."""

    def parse(text: str) -> Any:
        try:
            if kind is bool:
                return TRUTHS[text.lower()]
            if kind is int and not text.lstrip("+-").isdigit():
                number = float(text)  # such as 1e6
                if int(number) != number:
                    raise ValueError(text)
                return int(number)
            return kind(text)
        except (ValueError, KeyError, OverflowError):
            message = f"expected {KINDS[kind]}, got {_short(text)}"
            raise argparse.ArgumentTypeError(message) from None

    return parse


def _range(meta: Any) -> str:
    low = meta["low"]
    high = meta["high"]
    above = meta["above"]
    if above is not None:
        most = f", at most {high:g}" if high is not None else ""
        return f", above {above:g}{most}"
    if low is not None and high is not None:
        return f", in [{low:g}, {high:g}]"
    return f", at least {low:g}" if low is not None else ""


def check(config: Any) -> Any:
    """Returns `config`, or raises a UserError naming the first flag out of range and its range."""
    types = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        kind = types[field.name]
        if typing.get_origin(kind) is not tuple:
            _check_item(field, kind, value)
            continue
        if not isinstance(value, tuple):
            raise UserError(f"--{field.name} must be a list, got {_short(value)}")
        for item in value:
            _check_item(field, typing.get_args(kind)[0], item)
    return config


def _check_item(field: Any, kind: Any, item: Any) -> None:
    name = f"--{field.name}"
    meta = field.metadata
    if not _is_a(kind, item):
        raise UserError(f"{name} must be {KINDS[kind]}, got {_short(item)}")
    if meta["choices"] and item not in meta["choices"]:
        raise UserError(f"{name} must be one of {', '.join(meta['choices'])}, got {_short(item)}")
    if kind is str and not (len(item) <= LONGEST and item.isprintable()):
        raise UserError(f"{name} must be printable and short, got {_short(item)}")
    if isinstance(item, float) and not math.isfinite(item):
        raise UserError(f"{name} must be finite, got {item}")
    if kind in (int, float):
        _check_range(name, meta, item)


def _check_range(name: str, meta: Any, item: float) -> None:
    if isinstance(item, int) and abs(item) > MOST:
        raise UserError(f"{name} must be at most {MOST}, got {_short(item)}")
    low = meta["low"]
    high = meta["high"]
    above = meta["above"]
    outside = (low is not None and item < low) or (high is not None and item > high)
    if outside or (above is not None and item <= above):
        raise UserError(f"{name} must be{_range(meta).lstrip(',')}, got {item}")


def _is_a(kind: type, item: Any) -> bool:
    """Whether a value is of a flag's type: whole numbers are numbers, truths are not."""
    if kind in (int, float):
        numbers = (int, float) if kind is float else (int,)
        return isinstance(item, numbers) and not isinstance(item, bool)
    return isinstance(item, kind)


def _short(value: Any) -> str:
    """A value's repr, cut to a length that a line has room for."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def build(config: type, values: Mapping[str, Any]) -> Any:
    """The dataclass `config` from `values` (flags or JSON), checked; other keys are ignored."""
    fields = {}
    for field in dataclasses.fields(config):
        if field.name in values:
            value = values[field.name]
            fields[field.name] = tuple(value) if isinstance(value, list) else value
    return check(config(**fields))


def override(config: type, defaults: Mapping[str, Any]) -> type:
    """The dataclass `config` with other `defaults` for some of its flags; names it doesn't have are
    ignored."""
    names = [field.name for field in dataclasses.fields(config) if field.name in defaults]
    if not names:
        return config
    return _overridden(config, tuple((name, defaults[name]) for name in names))


@functools.cache  # for the configs of many runs: making a class takes a millisecond
def _overridden(config: type, defaults: tuple[tuple[str, Any], ...]) -> type:
    types = typing.get_type_hints(config)
    fields = {field.name: field for field in dataclasses.fields(config)}
    new = []
    for name, default in defaults:
        new.append((name, types[name], flag(default, **fields[name].metadata)))
    return dataclasses.make_dataclass(config.__name__, new, bases=(config,), frozen=True)
