"""A sweep from a command line: flags with several values, and all their combinations.

    --algo ddpg td3 --env Pendulum --seed 0 10 --q_lr 1e-3 3e-4

A flag that is a list has commas in each of its values: `--hidden_sizes 64,64 256,256`, and `400,`
is a list of one.
"""

import dataclasses
import itertools
import re
import typing
from typing import Any, Mapping, Sequence

from rl.config import UserError, underscored
from rl.experiments.commands.training_flags import given
from rl.experiments.sweeps.definition import OWN, Sweep
from rl.flags import ALGORITHMS, GRADIENTS, NETWORKS, run, sections

SHORT = {"-s": "--seed"}  # other spellings
GATHERED = ("space",)  # flags of which each is another dimension of a search


def split_flags(argv: Sequence[str]) -> dict[str, list[str]]:
    """The values of each flag of a command line, as texts; of one without values, none.

    A flag that is given again has the new values alone, as in training, but for those of GATHERED,
    which has more. What comes before the first flag is that of "".
    """
    values: dict[str, list[str]] = {"": []}
    name = ""
    for word in argv:
        if not word.startswith("--") and word not in SHORT:
            values[name].append(word)
            continue
        flag, equals, value = underscored(SHORT.get(word, word)).partition("=")
        name = flag.removeprefix("--")
        before = values.get(name, []) if name in GATHERED else []
        values[name] = [*before, value] if equals else before
    return values


def make_sweep(name: str, axes: Mapping[str, Sequence[str]]) -> Sweep:
    """The sweep of all combinations of values; its methods are named by the values that differ.

    Args:
      name: of the sweep; "": "sweep" and its algorithms and envs.
      axes: flag -> its values, as texts. Those of `seed` are the sweep's seeds.

    Raises:
      UserError: a value is given twice, is not one of its flag, or one of the algorithms has no
        such flag.
    """
    axes = {"algo": ["ddpg"], "seed": ["0"], **axes}
    decided = [flag for flag in OWN if flag in axes and flag != "seed"]
    if decided:
        raise UserError(f"--{decided[0]} follows from the sweep's methods and seeds")
    lists = list_flags()
    words = {flag: words_of(flag, texts, flag in lists) for flag, texts in axes.items()}
    seeds = [seed for values in words.pop("seed") for seed in given(["--seed", *values])["seed"]]
    methods: dict[str, dict[str, Any]] = {}
    varying = [flag for flag, choices in words.items() if len(choices) > 1]
    for combination in itertools.product(*words.values()):
        argv: list[str] = []
        for flag, values in zip(words, combination):
            argv += [f"--{flag}", *values] if flag in lists else [f"--{flag}={values[0]}"]
        flags = given(argv)
        method = method_name(flags, varying)
        if method in methods:
            raise UserError(f"two methods would be called {method}; give them names in a file")
        methods[method] = flags
    if not name:
        parts = [*axes["algo"], *axes.get("env", [])]
        name = plain("_".join(["sweep", *parts]))
    return Sweep(name, methods, tuple(seeds))


def list_flags() -> set[str]:
    """Names of the flags of training that are lists."""
    parts: list[type] = [run.Config]
    for algo in ALGORITHMS:
        parts += sections({"algo": algo}).values()
    parts += [network.config for network in NETWORKS.values()]
    parts += GRADIENTS.values()
    names = set()
    for part in parts:
        types = typing.get_type_hints(part)
        for field in dataclasses.fields(part):
            if typing.get_origin(types[field.name]) is tuple:
                names.add(field.name)
    return names


def words_of(flag: str, texts: Sequence[str], is_list: bool) -> list[list[str]]:
    """The words of each value of a flag: one, or those between the commas of a list.

    Raises:
      UserError: a list has no comma, or a value is given twice.
    """
    if not texts:
        return [["true"]]
    if not is_list:
        words = [[text] for text in texts]
    else:
        without = [text for text in texts if "," not in text]
        if without:
            raise UserError(
                f"--{flag}: lists have commas in a sweep, such as 64,64 256,256 for two lists of "
                f"two, or {without[0]}, for a list of one; got {without[0]}"
            )
        words = [[word for word in text.split(",") if word] for text in texts]
    for value in words:
        if words.count(value) > 1:
            raise UserError(f"--{flag}: {','.join(value)} is given twice")
    return words


def method_name(flags: Mapping[str, Any], varying: Sequence[str]) -> str:
    """What a method is called: its algorithm and env alone, other flags with their names.

    Args:
      flags: of the method. varying: names of those in which methods differ; without any the
        algorithm is named.
    """
    parts = []
    for flag in varying or ["algo"]:
        value = flags[flag]
        if isinstance(value, (list, tuple)):
            text = "-".join(map(str, value))
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
        parts.append(text if flag in ("algo", "env") else f"{flag}={text}")
    return plain("_".join(parts))


def plain(name: str) -> str:
    """A name with an underscore for every character that a folder had better not have."""
    return re.sub(r"[^\w.=-]+", "_", name)
