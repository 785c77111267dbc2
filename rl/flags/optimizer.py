"""Flags of the optimisers."""

import dataclasses

from rl.config import flag

# Those of rl.algos.optimizers, by name.
OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")


@dataclasses.dataclass(frozen=True)
class Config:
    """Optimiser flags; the learning rates are each algorithm's own."""

    optimizer: str = flag("adam", "optimiser of every network", choices=OPTIMIZERS)
    epsilon: float = flag(1e-7, "added to the root mean square of gradients (not sgd)", above=0)
    weight_decay: float = flag(
        0.0,
        "decoupled decay of kernels and of nothing else, per step and unit of learning rate; "
        "0: none, with adamw too",
        low=0,
    )
    max_grad_norm: float = flag(
        0.0, "longest gradient of a network, longer ones are scaled to it; 0: any", low=0
    )
    gradient_stats: bool = flag(
        False, "log how the tasks' gradients conflict even where they are summed"
    )
