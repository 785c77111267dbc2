"""`meta-test`: adapt the networks of a run to the test tasks of its ML set."""

import dataclasses
from typing import Any, Sequence

from rl import envs
from rl.config import Parser, UserError, add_flags, build, flag
from rl.experiments import deferred
from rl.experiments.commands.ending import tell_end
from rl.experiments.commands.resume import DIRECTORY, TRUST
from rl.experiments.commands.train import make_current_folder_importable
from rl.experiments.commands.training_flags import given, parse
from rl.experiments.rundir import RunDir
from rl.flags import NETWORKS

# Flags that follow from the run, and from --episodes.
FIXED = {
    "algo",
    "env",
    "env_kwargs",
    "network",
    "layers",
    "hidden_sizes",
    "actor_sizes",
    "critic_sizes",
    "critic",
    "critic_embedding",
    "critic_loss",
    "atoms",
    "v_min",
    "v_max",
    "activation",
    "task_onehot",
    "share_torso",
    "split",
    "meta_copies",
    "order",
    "modules",
    "shared_heads",
    "compose",
    "epochs",
    "steps_per_epoch",
    "max_ep_len",
    "start_from",
    "preset",
}


@dataclasses.dataclass(frozen=True)
class Config:
    """The flags that `meta-test` has beside those of training."""

    episodes: int = flag(10, "how many, of each test task", low=1)
    checkpoint: str = flag("last", "last, best, or an env step")
    start: str = flag(
        "equal",
        "how test tasks use what is frozen at first: all of it alike, or each as the training task "
        "whose policy does best in one of its episodes; these are the first of --episodes",
        choices=("equal", "best"),
    )
    trust: bool = flag(False, TRUST)


def main(argv: Sequence[str]) -> int:
    """The command `main.py meta-test DIR ...`."""
    run, config, flags = parse_command(argv)
    if config.trust:
        make_current_folder_importable()
    saved = run.load_config(config.trust)
    check(run, saved)
    check_flags(run, saved, flags)
    adapt = deferred.load("rl.experiments.meta_test").adapt
    return tell_end(adapt(run, saved, config, flags))


def parse_command(argv: Sequence[str]) -> tuple[RunDir, Config, list[str]]:
    """The run, the Config, and the flags of training, as text.

    Raises:
      UserError: a value of the Config is refused.
    """
    args, flags = arguments().parse_known_args(argv)
    return args.directory, build(Config, vars(args)), flags


def arguments() -> Parser:
    """What `meta-test` has beside the flags of training."""
    text = (
        "Adapt the networks of a run to the test tasks of its ML set; flags of training may follow."
    )
    parser = Parser("meta-test", description=text)
    parser.add_argument("directory", type=RunDir.find, help=DIRECTORY)
    add_flags(parser, Config, "flags")
    return parser


def check_flags(run: RunDir, saved: dict[str, Any], flags: Sequence[str]) -> None:
    """Raises a UserError if one of the flags of training is unknown or not to be chosen."""
    defaults = saved | {"network": NETWORKS[saved["network"]].adapted, "seed": [saved["seed"]]}
    chosen = sorted(set(given(flags, defaults)) & FIXED)
    if chosen:
        raise UserError(
            f"--{chosen[0]} is not for meta-test, which has the networks and the env of {run}"
        )
    values = parse(flags, defaults)
    if len(values["seed"]) > 1:
        raise UserError(f"--seed: meta-test makes one run, got {len(values['seed'])} seeds")


def check(run: RunDir, saved: dict[str, Any]) -> None:
    """Raises a UserError if a run of these flags has nothing that could adapt, or nothing to adapt
    to."""
    if not NETWORKS[saved["network"]].adapted:
        known = " or ".join(name for name, other in NETWORKS.items() if other.adapted)
        raise UserError(f"meta-test is for --network {known}, and {run} has {saved['network']}")
    if saved["layers"] != "dense":
        raise UserError(f"meta-test is for --layers dense, and {run} has {saved['layers']}")
    if saved["task_onehot"]:
        raise UserError(
            f"{run} needs --task_onehot false: the one-hot code has no place for test tasks"
        )
    if saved.get("critic_embedding"):
        raise UserError(f"{run} needs --critic_embedding 0: test tasks have no learned code")
    learned = envs.tasks_of(saved["env"], "train")
    others = envs.tasks_of(saved["env"], "test")
    if learned == others and not saved["env"].startswith("ML"):
        raise UserError(
            f"meta-test is for ML sets, which have test tasks, and {run} has {saved['env']}"
        )
