"""The command line of training: every flag of an algorithm's runs, and two lengths of help."""

import dataclasses
from types import MappingProxyType
from typing import Any, Mapping, NoReturn, Sequence

from rl.config import Parser, add_flags, build, underscored
from rl.flags import ALGORITHMS, sections
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


def parse(
    argv: Sequence[str], defaults: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """The values of all flags, given or not, checked; `seed` is a list.

    `--algo` decides which flags there are. `--help` and `--help_all` print them, and exit.

    Args:
      defaults: of some flags, before their own.

    Raises:
      UserError: an unknown flag, a value that it can't have, or a flag that has no effect here.
    """
    argv = [underscored(arg) for arg in argv]
    algo = _algo_of(argv)
    if {"-h", "--help", "--help_all"} & set(argv):
        show_help(algo, everything="--help_all" in argv)
    chosen = given(algo, argv)
    values = {"seed": [0], **defaults, **chosen}
    flags: dict[str, Any] = {}
    for part in sections(algo).values():
        for seed in values["seed"]:
            flags |= dataclasses.asdict(build(part, values | {"seed": seed}))
    flags["seed"] = values["seed"]
    refuse_idle(set(chosen), flags)
    return flags


def _algo_of(argv: Sequence[str]) -> str:
    first = Parser(add_help=False)
    first.add_argument("--algo", default="ddpg")
    algo = first.parse_known_args(argv)[0].algo
    sections(algo)  # refuses an unknown one
    return algo


def _parser(algo: str) -> Parser:
    """A parser of an algorithm's flags that has values only for those that are given."""
    parser = Parser(add_help=False)
    parser.hints = _hints(algo)
    for title, part in sections(algo).items():
        add_flags(parser, part, title, absent="its default")
    return parser


def _hints(algo: str) -> dict[str, str]:
    """What to say of flags that other libraries have, or other algorithms."""
    hints = {name: f"here it is {text}" for name, text in HINTS.items()}
    for other in ALGORITHMS:
        for part in sections(other).values():
            for field in dataclasses.fields(part):
                hints[field.name] = f"{other} has it, {algo} has not"
    return hints


def given(algo: str, argv: Sequence[str]) -> dict[str, Any]:
    """The values of the flags that were given.

    Raises:
      UserError: one is unknown, or a value is not of its type.
    """
    return vars(_parser(algo).parse(argv))


def refuse_unknown(algo: str, name: str) -> NoReturn:
    """Raises the UserError for a flag that the algorithm's runs don't have."""
    _parser(algo).refuse(f"--{name}")


def show_help(algo: str, everything: bool) -> None:
    """Prints the flags of an algorithm's runs, all or the most used ones, and exits."""
    parser = Parser(
        usage=f"%(prog)s [--algo {{{','.join(ALGORITHMS)}}}] [--env ENV] [-s SEED ...] [flags]",
        description=f"Train {algo}.",
        add_help=False,
    )
    parts = sections(algo)
    if everything:
        for title, part in parts.items():
            add_flags(parser, part, title)
    else:
        _add_common_flags(parser, algo, parts)
    print(parser.format_help(), end="")
    raise SystemExit(0)


def _add_common_flags(parser: Parser, algo: str, parts: Mapping[str, Any]) -> None:
    count = 0
    for title, part in parts.items():
        names = None if title == algo else COMMON
        add_flags(parser, part, title, names)
        count += len(dataclasses.fields(part))
    parser.epilog = f"--help-all shows all {count} flags of {algo}."
