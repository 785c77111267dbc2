"""The command line of training: every flag of an algorithm's runs, and two lengths of help."""

import dataclasses
from types import MappingProxyType
from typing import Any, Iterable, Mapping, Sequence

from rl.config import Parser, add_flags, build, underscored
from rl.flags import (
    ALGORITHMS,
    GRADIENTS,
    NETWORKS,
    gradients,
    network,
    own_titles,
    run,
    sections,
)
from rl.flags.conditions import refuse_idle
from rl.flags.hints import HINTS

# What `--help` shows of all flags, beside the algorithm's own.
COMMON = (
    "algo",
    "env",
    "seed",
    "exp_name",
    "data_dir",
    "overwrite",
    "epochs",
    "steps_per_epoch",
    "num_envs",
    "env_backend",
    "num_test_episodes",
    "hidden_sizes",
    "batch_size",
    "replay_size",
    "start_steps",
    "update_after",
    "update_every",
    "rollout_steps",
    "update_epochs",
    "obs_norm",
    "lr_schedule",
    "network",
    "gradient",
    "device",
)


# What decides which flags there are -> which of them there are by default.
CHOICES = {
    "algo": run.Config().algo,
    "network": network.Config().network,
    "gradient": gradients.Config().gradient,
}


def parse(
    argv: Sequence[str], defaults: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """The values of all flags, given or not, checked; `seed` is a list.

    `--algo`, `--network` and `--gradient` decide which flags there are. `--help` and `--help_all`
    print them, and exit.

    Args:
      defaults: of some flags, before their own.

    Raises:
      UserError: an unknown flag, a value that it can't have, or a flag that has no effect here.
    """
    argv = [underscored(arg) for arg in argv]
    chosen = _choices(argv, defaults)
    if {"-h", "--help", "--help_all"} & set(argv):
        show_help(chosen, everything="--help_all" in argv)
    parser = _parser(chosen)
    parser.set_defaults(**defaults)
    values = vars(parser.parse(argv))
    for part in sections(chosen).values():
        for seed in values["seed"]:
            build(part, values | {"seed": seed})
    refuse_idle(given(argv, defaults), values)
    return values


def _choices(argv: Sequence[str], defaults: Mapping[str, Any]) -> dict[str, str]:
    """The values of the flags in CHOICES."""
    first = Parser(add_help=False)
    for name, usual in CHOICES.items():
        first.add_argument(f"--{name}", default=defaults.get(name, usual))
    chosen = vars(first.parse_known_args(argv)[0])
    sections(chosen)  # refuses unknown ones
    return chosen


def _parser(chosen: Mapping[str, str]) -> Parser:
    parser = Parser(add_help=False)
    parser.hints = {name: f"here it is {text}" for name, text in HINTS.items()} | others(chosen)
    for title, part in sections(chosen).items():
        add_flags(parser, part, title)
    return parser


def others(chosen: Mapping[str, str]) -> dict[str, str]:
    """Name of a flag -> who has it, and that what is `chosen` has not."""
    tables: dict[str, dict[str, Iterable[type]]] = {
        "algo": {name: sections({"algo": name}).values() for name in ALGORITHMS},
        "network": {name: [flags.config] for name, flags in NETWORKS.items()},
        "gradient": {name: [config] for name, config in GRADIENTS.items()},
    }
    told = {}
    for choice, table in tables.items():
        for name, owners in _owners(table).items():
            told[name] = f"--{choice} {' or '.join(owners)} has it, {chosen[choice]} has not"
    return told


def _owners(table: Mapping[str, Iterable[type]]) -> dict[str, list[str]]:
    """Name of a flag -> which of `table` have it in one of their dataclasses."""
    owners: dict[str, list[str]] = {}
    for owner, parts in table.items():
        for part in parts:
            for field in dataclasses.fields(part):
                owners.setdefault(field.name, []).append(owner)
    return owners


def given(argv: Sequence[str], defaults: Mapping[str, Any]) -> set[str]:
    """Names of the flags that were given; arguments as `parse`'s.

    Raises:
      UserError: one is unknown.
    """
    parser = _parser(_choices(argv, defaults))
    unset = object()
    parser.set_defaults(**dict.fromkeys(vars(parser.parse([])), unset))
    return {name for name, value in vars(parser.parse(argv)).items() if value is not unset}


def show_help(chosen: Mapping[str, str], everything: bool) -> None:
    """Prints the flags of the runs of an algorithm, a network and a gradient method, all or the
    most used ones, and exits."""
    parser = Parser(
        usage=f"%(prog)s [--algo {{{','.join(ALGORITHMS)}}}] [--env ENV] [-s SEED ...] [flags]",
        description=f"Train {chosen['algo']}.",
        add_help=False,
    )
    own = own_titles(chosen)
    parts = sections(chosen)
    for title, part in parts.items():
        add_flags(parser, part, title, None if everything or title in own else COMMON)
    if not everything:
        count = sum(len(dataclasses.fields(part)) for part in parts.values())
        parser.epilog = (
            f"--help-all shows all {count} flags of {chosen['algo']}; another --network or "
            "--gradient beside it has others."
        )
    print(parser.format_help(), end="")
    raise SystemExit(0)
