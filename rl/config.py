"""Dataclass fields become command-line flags: one field, one flag, one help line.

A field made by `flag(default, help, ...)` carries its meaning and its range; `add_flags` turns the
fields of a dataclass into flags of an argparse parser, and `build` makes the dataclass from what
was parsed. Ranges are checked in both, so a bad value in `config.json` is refused like a bad flag.
"""

import argparse
import dataclasses
import difflib
import math
import typing
from typing import Any, Iterable, NoReturn, Optional, Sequence

# What split, in a run directory; its name is here because plots, too, may import this.
SPLITS = "splits.json"


class UserError(Exception):
    """Something the user can mend. The front door prints it on one line and exits with 2."""


def flag(
    default: Any,
    meaning: str,
    *,
    low: Optional[float] = None,
    high: Optional[float] = None,
    above: Optional[float] = None,
    choices: Optional[Sequence[str]] = None,
    short: Optional[str] = None,
    several: bool = False,
) -> Any:
    """A dataclass field that is also a flag.

    Args:
      default: value when the flag is absent; its type is the field's annotation.
      meaning: one help line, with the unit.
      low, high: inclusive bounds. `above`: exclusive lower bound.
      choices: allowed strings. short: a second spelling such as "-s".
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


def closest(name: str, known: Iterable[str], count: int = 3) -> str:
    """The known names most like `name`, for an error message: "a, b, c"."""
    known = list(known)
    return ", ".join(
        difflib.get_close_matches(name, known, count, cutoff=0.3) or sorted(known)[:count]
    )


class Parser(argparse.ArgumentParser):
    """An argparse parser whose errors are one-line UserErrors and whose hyphens are underscores."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, **kwargs)

    def error(self, message: str) -> NoReturn:
        raise UserError(message.replace("argument ", "", 1))

    def parse(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parses `argv`; an unknown flag is a UserError that names the closest known ones."""
        args, unknown = self.parse_known_args([_underscored(arg) for arg in argv])
        if unknown:
            name = unknown[0].split("=")[0]
            flags = [s for action in self._actions for s in action.option_strings]
            kind = "flag" if name.startswith("-") else "argument"
            self.error(f"unknown {kind} {name}; the closest flags are {closest(name, flags)}")
        return args


def _underscored(arg: str) -> str:
    """`--q-lr=1e-3` -> `--q_lr=1e-3`; values are left alone."""
    name, equals, value = arg.partition("=")
    return "--" + name[2:].replace("-", "_") + equals + value if name.startswith("--") else arg


def add_flags(parser: argparse.ArgumentParser, config: type, title: str) -> None:
    """Adds one flag per field of the dataclass `config`, in a help section called `title`."""
    group, types = parser.add_argument_group(title), typing.get_type_hints(config)
    for field in dataclasses.fields(config):
        kind, meta = types[field.name], field.metadata
        names = [f"--{field.name}"] + ([meta["short"]] if meta["short"] else [])
        many = typing.get_origin(kind) is tuple
        options: dict[str, Any] = {"type": _parse(typing.get_args(kind)[0] if many else kind)}
        if many or meta["several"]:
            options["nargs"] = "+"
        elif kind is bool:
            options |= {"nargs": "?", "const": True}
        default: Any = field.default
        default = " ".join(map(str, default)) or "none" if many else default
        text = f"{meta['meaning']}{_range(meta)} (default: {default})".replace("%", "%%")
        metavar = (
            field.name.upper() if not meta["choices"] else "{" + ",".join(meta["choices"]) + "}"
        )
        value = [field.default] if meta["several"] else field.default
        group.add_argument(*names, default=value, help=text, metavar=metavar, **options)


def _parse(kind: Any) -> Any:
    """A function from a flag's text to a value of type `kind`."""

    def parse(text: str) -> Any:
        try:
            if kind is bool:
                return {
                    "true": True,
                    "1": True,
                    "yes": True,
                    "false": False,
                    "0": False,
                    "no": False,
                }[text.lower()]
            if kind is int and int(float(text)) == float(text):
                return int(text) if text.lstrip("+-").isdigit() else int(float(text))
            return {int: int, float: float}.get(kind, str)(text)
        except (ValueError, KeyError, OverflowError):
            names = {int: "a whole number", float: "a number", bool: "true or false"}
            raise argparse.ArgumentTypeError(f"expected {names[kind]}, got {text!r}") from None

    return parse


def _range(meta: Any) -> str:
    if meta["above"] is not None:
        return f", above {meta['above']:g}" + (
            f", at most {meta['high']:g}" if meta["high"] is not None else ""
        )
    if meta["low"] is not None and meta["high"] is not None:
        return f", in [{meta['low']:g}, {meta['high']:g}]"
    return f", at least {meta['low']:g}" if meta["low"] is not None else ""


def check(config: Any) -> Any:
    """Returns `config`, or raises a UserError naming the first flag out of range and its range."""
    for field in dataclasses.fields(config):
        value, meta = getattr(config, field.name), field.metadata
        for item in value if isinstance(value, tuple) else (value,):
            if meta["choices"] and item not in meta["choices"]:
                raise UserError(
                    f"--{field.name} must be one of {', '.join(meta['choices'])}, got {item!r}"
                )
            if isinstance(item, float) and not math.isfinite(item):
                raise UserError(f"--{field.name} must be finite, got {item}")
            low, high, above = meta["low"], meta["high"], meta["above"]
            outside = (low is not None and item < low) or (high is not None and item > high)
            if outside or (above is not None and item <= above):
                raise UserError(f"--{field.name} must be{_range(meta).lstrip(',')}, got {item}")
    return config


def build(config: type, values: dict[str, Any]) -> Any:
    """The dataclass `config` from `values` (flags or JSON), checked; other keys are ignored."""
    fields = {f.name: values[f.name] for f in dataclasses.fields(config) if f.name in values}
    return check(config(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}))


def override(config: type, defaults: typing.Mapping[str, Any]) -> type:
    """The dataclass `config` with other `defaults` for some of its flags; names it doesn't have are
    ignored."""
    types, changed = typing.get_type_hints(config), [
        f for f in dataclasses.fields(config) if f.name in defaults
    ]
    new = [
        (field.name, types[field.name], flag(defaults[field.name], **field.metadata))
        for field in changed
    ]
    return dataclasses.make_dataclass(config.__name__, new, bases=(config,), frozen=True)
