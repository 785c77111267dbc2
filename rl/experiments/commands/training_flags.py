"""The command line of training: every flag of an algorithm's runs, and two lengths of help."""

import argparse
import dataclasses
from types import MappingProxyType
from typing import Any, Mapping, NoReturn, Sequence

from rl.config import Parser, add_flags, build, override, underscored
from rl.flags import (
    ALGORITHMS,
    gradients,
    network,
    own_titles,
    presets,
    run,
    sections,
)
from rl.flags.conditions import refuse_idle
from rl.flags.hints import HINTS
from rl.flags.owners import others

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
    print them, and exit. Values are those that are given, or else those of `--preset`.

    Args:
      defaults: of some flags, before their own.

    Raises:
      UserError: an unknown flag, a value that it can't have, or a flag that has no effect here.
    """
    argv = [underscored(arg) for arg in argv]
    preset = presets.preset_flags(_preset(argv))
    chosen = _choices(argv, defaults)
    if {"-h", "--help", "--help_all"} & set(argv):
        show_help(chosen, preset, everything="--help_all" in argv)
    asked = vars(_parser(chosen).parse(argv))
    asked.pop("preset", None)
    values = {"seed": [0], **defaults, **preset, **asked}
    flags: dict[str, Any] = {}
    for part in sections(chosen).values():
        for seed in values["seed"]:
            flags |= dataclasses.asdict(build(part, values | {"seed": seed}))
    flags["seed"] = values["seed"]
    refuse_idle(set(asked), flags)
    return flags


def _preset(argv: Sequence[str]) -> str:
    """The name of the preset, or presets.NONE."""
    first = Parser(add_help=False)
    first.add_argument("--preset", default=presets.NONE)
    return first.parse_known_args(argv)[0].preset


def _choices(argv: Sequence[str], defaults: Mapping[str, Any]) -> dict[str, str]:
    """The values of the flags in CHOICES."""
    name_of_preset = _preset(argv)
    usual = {**CHOICES, **defaults, **presets.preset_flags(name_of_preset)}
    first = Parser(add_help=False)
    for name in CHOICES:
        first.add_argument(f"--{name}", default=usual[name])
    chosen = vars(first.parse_known_args(argv)[0])
    sections(chosen)  # refuses unknown ones
    presets.check_algo(name_of_preset, chosen["algo"])
    return chosen


def _parser(chosen: Mapping[str, str]) -> Parser:
    """A parser of the flags of what is chosen that has values only for those that are given."""
    parser = Parser(add_help=False)
    parser.hints = {name: f"here it is {text}" for name, text in HINTS.items()} | others(chosen)
    parser.add_argument("--preset", default=argparse.SUPPRESS)
    for title, part in sections(chosen).items():
        add_flags(parser, part, title, absent="its default")
    return parser


def given(
    argv: Sequence[str], defaults: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """The values of the flags that were given; arguments as `parse`'s.

    Raises:
      UserError: one is unknown, or a value is not of its type.
    """
    return vars(_parser(_choices(argv, defaults)).parse(argv))


def refuse_unknown(chosen: Mapping[str, str], name: str) -> NoReturn:
    """Raises the UserError for a flag that runs of the algorithm, the network and the gradient
    method that are `chosen` don't have."""
    _parser(chosen).refuse(f"--{name}")


def show_help(chosen: Mapping[str, str], preset: Mapping[str, Any], everything: bool) -> None:
    """Prints the flags of the runs of an algorithm, a network and a gradient method, all or the
    most used ones, and exits. Defaults are those of `preset` where it has some."""
    parser = Parser(
        usage=f"%(prog)s [--algo {{{','.join(ALGORITHMS)}}}] [--env ENV] [-s SEED ...] [flags]",
        description=f"Train {chosen['algo']}.",
        add_help=False,
    )
    own = own_titles(chosen)
    names = ",".join(presets.PRESETS)
    text = "several flags as a recipe has them; those that are given win; --help shows its values"
    recipes = parser.add_argument_group("recipes")
    recipes.add_argument("--preset", metavar=f"{{{names}}}", help=text)
    parts = {title: override(part, preset) for title, part in sections(chosen).items()}
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
