"""Flags of the torsos."""

import dataclasses
from typing import Optional

from rl.config import UserError, flag

# Those of rl.networks, by name.
NETWORKS = (
    "mlp",
    "multi_head",
    "trunk",
    "independent",
    "film",
    "soft_modules",
    "paco",
    "moore",
    "splitting",
    "sparse_splitting",
    "meta_splitting",
    "care",
)
SPLITTING = ("splitting", "sparse_splitting")  # those that split while they train
ACTIVATIONS = ("relu", "tanh", "elu", "silu")
INITIALIZERS = ("glorot_uniform", "he_uniform", "lecun_uniform", "orthogonal")


@dataclasses.dataclass(frozen=True)
class Config:  # pylint: disable=too-many-instance-attributes  # a flag each
    """Torso flags."""

    network: str = flag("mlp", "torso of actor and critic", choices=NETWORKS)
    hidden_sizes: tuple[int, ...] = flag((256, 256), "units of each hidden layer", low=1)
    actor_sizes: tuple[int, ...] = flag((), "the same of the actor alone", low=1)
    critic_sizes: tuple[int, ...] = flag((), "the same of critics, or the value, alone", low=1)
    activation: str = flag("relu", "after each hidden layer", choices=ACTIVATIONS)
    initializer: str = flag("glorot_uniform", "of the kernels", choices=INITIALIZERS)
    precision: str = flag(
        "float32",
        "of the inputs of matrix products in updates; all else stays float32",
        choices=("float32", "bfloat16"),
    )
    task_onehot: bool = flag(
        True, "give networks of several tasks the task's one-hot code beside the observation"
    )
    task_layers: int = flag(
        2, "last layers, the output included, that each task has a copy of (trunk)", low=1
    )
    task_embedding: int = flag(
        50, "size of the task's learned embedding (film, care); units of care's encoders", low=1
    )
    experts: int = flag(
        0, "parameter sets (paco), experts (moore), encoders (care); 0: 5, 4 and 6, for MT10", low=0
    )
    modules: int = flag(2, "modules of each layer (soft_modules)", low=1)
    module_layers: int = flag(2, "layers of modules (soft_modules)", low=1)
    module_units: int = flag(
        256, "units of each module and of the routing network's layers (soft_modules)", low=1
    )
    split_capacity: int = flag(
        0, "copies of a region there is room for (splitting); 0: tasks, 16 at most", low=0
    )
    split_biases: bool = flag(False, "split kernels and biases independently (splitting)")
    split_weights: bool = flag(False, "split single weights, not units (sparse_splitting)")
    split_map: str = flag(
        "", "train the copies of this splits.json, or run directory, from scratch; no splits"
    )
    meta_mix: str = flag(
        "outputs", "meta-test: what tasks mix of a layer's copies", choices=("outputs", "weights")
    )
    meta_softmax: bool = flag(
        False, "meta-test: shares of 1 that copies have, in place of any numbers"
    )


def check_network(config: Config, num_tasks: Optional[int]) -> None:
    """Raises a UserError if a network is not for this number of tasks, None for a single task, or
    if its flags contradict each other."""
    if config.split_weights and config.network != "sparse_splitting":
        raise UserError(f"--split_weights is for --network sparse_splitting, not {config.network}")
    if config.split_weights and config.split_map:
        raise UserError(
            "--split_map: maps are of regions, and with --split_weights single weights split"
        )
    if num_tasks is None and config.network != "mlp":
        raise UserError(f"--network {config.network} is for several tasks, and this env has one")
