"""Networks by name. A new torso is one file and one line of NETWORKS."""

import functools
import sys
from typing import Any, Callable, Optional

from rl.flags.network import SPLITTING, Config, check_network
from rl.networks.actor_critic import Critic, DeterministicActor
from rl.networks.layers import ACTIVATIONS, INITIALIZERS
from rl.networks.policy import (
    CategoricalPolicy,
    DeterministicPolicy,
    GaussianPolicy,
    Policy,
    SquashedGaussianPolicy,
)
from rl.networks.policy_value import PolicyValue
from rl.networks.squashed import SquashedGaussianActor, Temperature
from rl.networks.torsos.care import CARE
from rl.networks.torsos.film import FiLM
from rl.networks.torsos.meta_splitting import MetaSplitting
from rl.networks.torsos.mlp import MLP
from rl.networks.torsos.moore import MOORE
from rl.networks.torsos.paco import PaCo
from rl.networks.torsos.soft_modules import SoftModules
from rl.networks.torsos.splitting import Splitting, WeightSplitting
from rl.networks.torsos.trunk import Trunk

__all__ = [
    "ACTIVATIONS",
    "CategoricalPolicy",
    "Config",
    "Critic",
    "DeterministicActor",
    "DeterministicPolicy",
    "GaussianPolicy",
    "INITIALIZERS",
    "MLP",
    "NETWORKS",
    "Policy",
    "PolicyValue",
    "SPLITTING",
    "SquashedGaussianActor",
    "SquashedGaussianPolicy",
    "Temperature",
    "torso_maker",
]

# name -> the torso's class for several tasks, as a function of the flags; a single task has MLP
NETWORKS: dict[str, Callable[["Config"], Any]] = {
    "mlp": lambda config: functools.partial(Trunk, own=0),
    "multi_head": lambda config: functools.partial(Trunk, own=1),
    "trunk": lambda config: functools.partial(Trunk, own=config.task_layers),
    "independent": lambda config: functools.partial(Trunk, own=sys.maxsize),
    "film": lambda config: functools.partial(FiLM, embedding=config.task_embedding),
    "soft_modules": lambda config: functools.partial(
        SoftModules,
        modules=config.modules,
        module_layers=config.module_layers,
        module_units=config.module_units,
    ),
    "paco": lambda config: functools.partial(PaCo, experts=config.experts or 5),
    "moore": lambda config: functools.partial(MOORE, experts=config.experts or 4),
    "splitting": lambda config: functools.partial(Splitting, **splitting_options(config)),
    "sparse_splitting": lambda config: (
        WeightSplitting
        if config.split_weights
        else functools.partial(Splitting, by_unit=True, **splitting_options(config))
    ),
    "meta_splitting": lambda config: functools.partial(
        MetaSplitting,
        copies=config.split_capacity or 2,
        mix=config.meta_mix,
        softmax=config.meta_softmax,
    ),
    "care": lambda config: functools.partial(
        CARE, experts=config.experts or 6, embedding=config.task_embedding
    ),
}


def splitting_options(config: Config) -> dict[str, Any]:
    """Splitting's arguments."""
    return {
        "capacity": config.split_capacity,
        "apart": config.split_biases,
        "alike": not config.split_map,
    }


def torso_maker(config: Config, num_tasks: Optional[int] = None) -> Callable[..., Any]:
    """A function `make_torso(out_dim, critic=False, members=None, out_gain=1.0)` for the
    algorithm's constructor; `critic` chooses between `actor_sizes` and `critic_sizes`.

    Raises:
      UserError: the network is for several tasks, and `num_tasks` is None; `split_weights` without
        its network or with a map.
    """
    check_network(config, num_tasks)
    options: dict[str, Any] = {
        name: getattr(config, name) for name in ("activation", "initializer", "precision")
    }
    make: Any = MLP if num_tasks is None else NETWORKS[config.network](config)
    if num_tasks is not None:
        options["onehot"] = config.task_onehot
    make = functools.partial(make, **options)

    def make_torso(out_dim: int, critic: bool = False, **options: Any) -> Any:
        sizes = config.critic_sizes if critic else config.actor_sizes
        return make((*(sizes or config.hidden_sizes), out_dim), **options)

    return make_torso
