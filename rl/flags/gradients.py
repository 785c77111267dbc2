"""Flags of gradient balancing: which method, and those that each method has."""

import dataclasses

from rl.config import NoFlags, flag


@dataclasses.dataclass(frozen=True)
class CAGrad:
    """CAGrad's flags."""

    cagrad_c: float = flag(
        0.5, "distance from the mean gradient, as a fraction of its norm", low=0, high=1
    )


@dataclasses.dataclass(frozen=True)
class GradVac:
    """GradVac's flags."""

    gradvac_beta: float = flag(0.01, "weight of a new cosine in its average", low=0, high=1)


@dataclasses.dataclass(frozen=True)
class Learned:
    """The flags of methods that learn the tasks' weights."""

    task_weight_lr: float = flag(0.025, "learning rate of task weights", above=0)


@dataclasses.dataclass(frozen=True)
class GradNorm(Learned):
    """GradNorm's flags."""

    gradnorm_alpha: float = flag(
        0.12, "power of a task's relative loss in its gradient's norm", low=0
    )


@dataclasses.dataclass(frozen=True)
class FAMO(Learned):
    """FAMO's flags."""

    famo_decay: float = flag(
        1e-3, "decay of the logits of task weights, per unit of their gradient", low=0
    )


@dataclasses.dataclass(frozen=True)
class DWA:
    """DWA's flags."""

    dwa_window: int = flag(1000, "updates over which losses are averaged", low=1)


# Those that are sound only for losses that are never negative, as critics' are.
CRITIC_ONLY = ("gradnorm", "famo", "uncertainty", "dwa")
# name -> dataclass of the method's own flags; the methods are rl.gradients'
GRADIENTS: dict[str, type] = {
    "sum": NoFlags,
    "pcgrad": NoFlags,
    "gradvac": GradVac,
    "cagrad": CAGrad,
    "gradnorm": GradNorm,
    "nash_mtl": NoFlags,
    "imtl_g": NoFlags,
    "mgda": NoFlags,
    "famo": FAMO,
    "uncertainty": Learned,
    "dwa": DWA,
    "slaw": NoFlags,
}


def register(name: str, config: type = NoFlags) -> None:
    """Makes a method known to `--gradient`, with the dataclass of its own flags.

    Raises:
      ValueError: there is one of that name.
    """
    if name in GRADIENTS:
        raise ValueError(f"there is a gradient method {name!r} already")
    GRADIENTS[name] = config


@dataclasses.dataclass(frozen=True)
class Config:
    """Which method."""

    gradient: str = flag("sum", "how the tasks' gradients are combined", choices=GRADIENTS)
