"""Gradient-balancing methods by name. A new one is a file and one line of GRADIENTS."""

import dataclasses
from typing import Any

from rl.config import flag
from rl.gradients.balancer import Balancer, Sum, shared_gram
from rl.gradients.cagrad import CAGrad
from rl.gradients.famo import FAMO
from rl.gradients.gradnorm import GradNorm
from rl.gradients.loss_weights import DWA, SLAW, Uncertainty
from rl.gradients.min_norm import IMTLG, MGDA
from rl.gradients.nash_mtl import NashMTL
from rl.gradients.statistics import conflict
from rl.gradients.surgery import GradVac, PCGrad

__all__ = ["Balancer", "Config", "GRADIENTS", "conflict", "make_balancer", "shared_gram"]

GRADIENTS: dict[str, Any] = {
    "sum": Sum,
    "pcgrad": PCGrad,
    "gradvac": GradVac,
    "cagrad": CAGrad,
    "gradnorm": GradNorm,
    "nash_mtl": NashMTL,
    "imtl_g": IMTLG,
    "mgda": MGDA,
    "famo": FAMO,
    "uncertainty": Uncertainty,
    "dwa": DWA,
    "slaw": SLAW,
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Flags of gradient balancing."""

    gradient: str = flag("sum", "how the tasks' gradients are combined", choices=tuple(GRADIENTS))
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


def make_balancer(num_tasks: int, config: Config) -> Balancer:
    """The method that `config.gradient` names."""
    return GRADIENTS[config.gradient](num_tasks, config)
