"""Gradient-balancing methods by name. A new one is a file and one line of GRADIENTS."""

from typing import Any

from rl.flags.gradients import Config
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


def make_balancer(num_tasks: int, config: Config) -> Balancer:
    """The method that `config.gradient` names."""
    return GRADIENTS[config.gradient](num_tasks, config)
