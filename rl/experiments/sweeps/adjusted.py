"""A sweep of a file with other seeds, some of its methods, or flags for all of them, as in
`sweep FILE.py --seed 0 1 --methods ddpg td3 --device gpu`."""

import dataclasses
from typing import Mapping, Sequence

from rl.config import UserError, closest
from rl.experiments.commands.training_flags import given
from rl.experiments.sweeps.definition import Flags, Sweep, Value
from rl.experiments.sweeps.product import list_flags, words_of


def adjusted(
    sweep: Sweep, name: str, methods: Sequence[str], training: Mapping[str, Sequence[str]]
) -> Sweep:
    """`sweep` as a command line has it.

    Args:
      name: of its folder; "": its own.
      methods: those that stay; none: all.
      training: flag -> its value, as texts, for every stage of every method. Those of `seed` are
        the sweep's seeds.

    Raises:
      UserError: there is no such method, or a flag has several values.
    """
    seeds = sweep.seeds
    flags: dict[str, Value] = {}
    lists = list_flags()
    for flag, texts in training.items():
        if flag == "seed":
            seeds = tuple(given(["--seed", *texts])["seed"])
        else:
            flags[flag] = _value(flag, texts, flag in lists)
    chosen = {method: sweep.methods[method] for method in _existing(sweep, methods)}
    return dataclasses.replace(
        sweep,
        name=name or sweep.name,
        methods={method: _with_flags(stages, flags) for method, stages in chosen.items()},
        seeds=seeds,
    )


def _value(flag: str, texts: Sequence[str], is_list: bool) -> Value:
    """What a method's flags have for a flag of the command line."""
    values = words_of(flag, texts, is_list)
    if len(values) > 1:
        raise UserError(f"--{flag}: one value for all methods of a file, got {' '.join(texts)}")
    (words,) = values
    return words if is_list else words[0]


def _existing(sweep: Sweep, methods: Sequence[str]) -> Sequence[str]:
    """`methods`, or all, in the file's order. Raises a UserError if the sweep has none of that
    name."""
    for method in methods:
        if method not in sweep.methods:
            near = closest(method, sweep.methods)
            raise UserError(f"--methods: the file has no {method!r}; the closest are {near}")
    return [method for method in sweep.methods if method in methods or not methods]


def _with_flags(
    stages: Flags | Sequence[Flags], flags: Flags
) -> dict[str, Value] | list[dict[str, Value]]:
    """The flags of a method, or of each of its stages, with others in addition or instead."""
    if isinstance(stages, Mapping):
        return {**stages, **flags}
    return [{**stage, **flags} for stage in stages]
