"""Every flag of training, by the part it configures; nothing here imports TensorFlow.

A module here has the flags of the part of its name, as a dataclass `Config` that the part imports.
They are apart from the parts because `--help` and the check of a command line must not wait for
TensorFlow. Tables of names (networks, methods, ...) are held equal to the parts' own by a test.
"""

from types import MappingProxyType
from typing import Any, Mapping, NamedTuple

from rl.config import UserError, closest, override
from rl.flags import (
    ddpg,
    gradients,
    metaworld,
    network,
    normalisation,
    off_policy,
    on_policy,
    optimizer,
    ppo,
    run,
    sac,
    schedule,
    splitting,
    td3,
    training,
)


class AlgorithmFlags(NamedTuple):
    """What flags the runs of an algorithm have.

    config: its own. loop: those of the loop it trains in. defaults: other values for the flags of
      other parts. discrete: whether actions may be a choice among some.
    """

    config: type
    loop: type
    defaults: Mapping[str, Any] = MappingProxyType({})
    discrete: bool = False


ALGORITHMS = {
    "ddpg": AlgorithmFlags(ddpg.Config, off_policy.Config),
    "ppo": AlgorithmFlags(ppo.Config, on_policy.Config, ppo.DEFAULTS, discrete=True),
    "sac": AlgorithmFlags(sac.Config, off_policy.Config, sac.DEFAULTS),
    "td3": AlgorithmFlags(td3.Config, off_policy.Config),
}


LOOPS = {"off_policy": off_policy.Config, "on_policy": on_policy.Config}


def register_algorithm(name: str, flags: AlgorithmFlags) -> None:
    """Makes `--algo name` known, for this process.

    Raises:
      UserError: the name is taken, or is none.
    """
    if name in ALGORITHMS:
        raise UserError(f"there is an algo {name!r} already")
    if not name.isidentifier():
        raise UserError(f"an algo needs a name of letters, digits and underscores, got {name!r}")
    ALGORITHMS[name] = flags
    run.ALGOS.append(name)


def sections(algo: str) -> dict[str, Any]:
    """Title -> dataclass, for all flags of an algorithm's runs.

    Raises:
      UserError: there is no such algorithm.
    """
    if algo not in ALGORITHMS:
        raise UserError(f"unknown algo {algo!r}; the closest known are {closest(algo, ALGORITHMS)}")
    algorithm = ALGORITHMS[algo]
    parts = {
        "run": run.Config,
        algo: algorithm.config,
        "training": training.Config,
        "collection and updates": algorithm.loop,
        "network": network.Config,
        "optimiser": optimizer.Config,
        "learning-rate schedule": schedule.Config,
        "normalisation": normalisation.Config,
        "Meta-World": metaworld.Config,
        "gradients of several tasks": gradients.Config,
        "networks that split": splitting.Config,
    }
    return {title: override(part, algorithm.defaults) for title, part in parts.items()}
