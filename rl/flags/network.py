"""Flags that all networks have."""

import dataclasses
from typing import Optional

from rl.config import UserError, flag
from rl.flags.torsos import NETWORKS

ACTIVATIONS = ("relu", "tanh", "elu", "silu")
INITIALIZERS = ("glorot_uniform", "he_uniform", "lecun_uniform", "orthogonal")
LAYOUTS = ("dense", "simba", "bronet")


@dataclasses.dataclass(frozen=True)
class Config:
    """Flags that all networks have."""

    network: str = flag("mlp", "torso of actor and critic", choices=NETWORKS)
    layers: str = flag(
        "dense",
        "hidden layers: dense ones, or the residual blocks with layer normalisation of SimBa or "
        "BroNet",
        choices=LAYOUTS,
    )
    hidden_sizes: tuple[int, ...] = flag(
        (256, 256), "units of each hidden layer, or of each block", low=1
    )
    actor_sizes: tuple[int, ...] = flag((), "the same of the actor alone", low=1)
    critic_sizes: tuple[int, ...] = flag((), "the same of critics, or the value, alone", low=1)
    activation: str = flag("relu", "after each hidden layer", choices=ACTIVATIONS)
    initializer: str = flag("glorot_uniform", "of the kernels", choices=INITIALIZERS)
    precision: str = flag(
        "float32",
        "of the inputs of matrix products in updates, and where networks of several tasks act; all "
        "else stays float32",
        choices=("float32", "bfloat16"),
    )
    task_onehot: bool = flag(
        True, "give networks of several tasks the task's one-hot code beside the observation"
    )


def check_network(
    config: Config, num_tasks: Optional[int], obs_shape: tuple[int, ...] = (1,)
) -> None:
    """Raises a UserError if a network is not for an env.

    Args:
      num_tasks: None for a single task.
      obs_shape: of an observation; one of three axes is an image.
    """
    check_layers(config)
    name = config.network
    if name != "mlp":  # which is for one task and for several
        if num_tasks is None and NETWORKS[name].tasks:
            raise UserError(f"--network {name} is for several tasks, and this env has one")
        if num_tasks is not None and not NETWORKS[name].tasks:
            raise UserError(f"--network {name} is for a single task, and this env has {num_tasks}")
    if len(obs_shape) == 3 and not NETWORKS[name].images:
        raise UserError(
            f"--network {name} takes flat observations, and this env's are images, of shape "
            f"{obs_shape}"
        )


def check_layers(config: Config) -> None:
    """Raises a UserError if hidden layers are to be blocks and the network has none, if it needs
    one and has none, or if those that are to have one size haven't."""
    flags = NETWORKS[config.network]
    if flags.hidden:
        for name, sizes in sizes_of(config).items():
            if not sizes:
                raise UserError(f"--{name}: --network {config.network} needs a hidden layer")
    if config.layers != "dense":
        if not flags.blocks:
            known = ", ".join(name for name, other in NETWORKS.items() if other.blocks)
            raise UserError(
                f"--layers {config.layers} is for --network {known}, not {config.network}"
            )
        check_sizes(config, f"blocks of --layers {config.layers}")
    if flags.one_size:
        check_sizes(config, f"hidden layers of --network {config.network}")


def sizes_of(config: Config) -> dict[str, tuple[int, ...]]:
    """The hidden sizes, of actor and critics too, by the flag that names them."""
    names = ("hidden_sizes", "actor_sizes", "critic_sizes")
    return {name: getattr(config, name) or config.hidden_sizes for name in names}


def check_sizes(config: Config, what: str) -> None:
    """Raises a UserError unless the hidden sizes, of actor and critics too, are each one or more
    and all the same; `what` has them, in words."""
    for name, sizes in sizes_of(config).items():
        if len(set(sizes)) != 1:
            raise UserError(
                f"--{name}: the {what} are one or more, all of the same size, got "
                f"{' '.join(map(str, sizes)) or 'none'}"
            )
