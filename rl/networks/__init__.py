"""Networks by name. A new torso is one file and one line of NETWORKS."""

import dataclasses
import functools
from typing import Any, Callable

from rl.config import flag
from rl.networks.actor_critic import Critic, DeterministicActor
from rl.networks.mlp import ACTIVATIONS, INITIALIZERS, MLP
from rl.networks.policy_value import PolicyValue
from rl.networks.squashed import SquashedGaussianActor, Temperature

__all__ = ["ACTIVATIONS", "Config", "Critic", "DeterministicActor", "INITIALIZERS", "MLP", "NETWORKS"]
__all__ += ["PolicyValue", "SquashedGaussianActor", "Temperature", "torso_maker"]

NETWORKS: dict[str, Any] = {"mlp": MLP}


@dataclasses.dataclass(frozen=True)
class Config:
    """Torso flags."""

    network: str = flag("mlp", "torso of actor and critic", choices=tuple(NETWORKS))
    hidden_sizes: tuple[int, ...] = flag((256, 256), "units of each hidden layer", low=1)
    activation: str = flag("relu", "after each hidden layer", choices=tuple(ACTIVATIONS))
    initializer: str = flag("glorot_uniform", "of the kernels", choices=tuple(INITIALIZERS))
    precision: str = flag(
        "float32",
        "of the inputs of matrix products in updates; all else stays float32",
        choices=("float32", "bfloat16"),
    )


def torso_maker(config: Config) -> Callable[..., Any]:
    """A function `make_torso(out_dim, members=None, out_gain=1.0)` for the algorithm's constructor."""
    options = {name: getattr(config, name) for name in ("activation", "initializer", "precision")}
    make = functools.partial(NETWORKS[config.network], **options)
    return lambda out_dim, **options: make((*config.hidden_sizes, out_dim), **options)
