"""Every flag of training, by the part it configures; nothing here imports TensorFlow.

A module here has the flags of the part of its name, as a dataclass `Config` that the part imports.
They are apart from the parts because `--help` and the check of a command line must not wait for
TensorFlow. Tables of names (networks, methods, ...) are held equal to the parts' own by a test;
NETWORKS and GRADIENTS have an entry more for each that is registered from outside.
"""

from types import MappingProxyType
from typing import Any, Mapping, NamedTuple

from rl.config import UserError, build, closest, override
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
    td3,
    training,
)
from rl.flags.gradients import GRADIENTS
from rl.flags.torsos import NETWORKS


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


def sections(values: Mapping[str, Any]) -> dict[str, Any]:
    """Title -> dataclass, for all flags of a run.

    Args:
      values: of flags, `algo` among them. The algorithm, the network and the gradient method that
        they name have flags of their own, in the sections that `own_titles` names.

    Raises:
      UserError: there is no such algorithm, network or method.
    """
    algo = values["algo"]
    if algo not in ALGORITHMS:
        raise UserError(f"unknown algo {algo!r}; the closest known are {closest(algo, ALGORITHMS)}")
    algorithm = ALGORITHMS[algo]
    of_algo, of_network, of_gradient = own_titles(values)
    parts = {
        "run": run.Config,
        of_algo: algorithm.config,
        "training": training.Config,
        "collection and updates": algorithm.loop,
        "network": network.Config,
        of_network: NETWORKS[build(network.Config, values).network].config,
        "optimiser": optimizer.Config,
        "learning-rate schedule": schedule.Config,
        "normalisation": normalisation.Config,
        "Meta-World": metaworld.Config,
        "gradients of several tasks": gradients.Config,
        of_gradient: GRADIENTS[build(gradients.Config, values).gradient],
    }
    return {title: override(part, algorithm.defaults) for title, part in parts.items()}


def own_titles(values: Mapping[str, Any]) -> tuple[str, str, str]:
    """Titles of the sections of the algorithm's, the network's and the gradient method's own
    flags."""
    chosen = build(network.Config, values).network
    method = build(gradients.Config, values).gradient
    return values["algo"], f"--network {chosen}", f"--gradient {method}"
