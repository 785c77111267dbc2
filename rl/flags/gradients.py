"""Flags of gradient balancing."""

import dataclasses

from rl.config import flag

# Those of rl.gradients, by name.
GRADIENTS = (
    "sum",
    "pcgrad",
    "gradvac",
    "cagrad",
    "gradnorm",
    "nash_mtl",
    "imtl_g",
    "mgda",
    "famo",
    "uncertainty",
    "dwa",
    "slaw",
)


@dataclasses.dataclass(frozen=True)
class Config:
    """Flags of gradient balancing."""

    gradient: str = flag("sum", "how the tasks' gradients are combined", choices=GRADIENTS)
    cagrad_c: float = flag(
        0.5, "cagrad: distance from the mean gradient, as a fraction of its norm", low=0, high=1
    )
    gradvac_beta: float = flag(
        0.01, "gradvac: weight of a new cosine in its average", low=0, high=1
    )
    gradnorm_alpha: float = flag(
        0.12, "gradnorm: power of a task's relative loss in its gradient's norm", low=0
    )
    famo_decay: float = flag(
        1e-3, "famo: decay of the logits of task weights, per unit of their gradient", low=0
    )
    dwa_window: int = flag(1000, "dwa: updates over which losses are averaged", low=1)
    task_weight_lr: float = flag(
        0.025, "learning rate of task weights (gradnorm, famo, uncertainty)", above=0
    )
