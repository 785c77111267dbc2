"""Gradient-balancing methods by name. A new one is a file, a line of GRADIENTS here and one in
rl.flags.gradients; or `register` makes it known from outside."""

from typing import Any

from rl.config import NoFlags
from rl.flags import gradients as method_flags
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

__all__ = [
    "Balancer",
    "Config",
    "GRADIENTS",
    "conflict",
    "make_balancer",
    "register",
    "shared_gram",
]

GRADIENTS: dict[str, type[Balancer]] = {
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


def make_balancer(num_tasks: int, config: Config, options: Any = None) -> Balancer:
    """The method that `config.gradient` names.

    Args:
      options: the method's own flags, its dataclass in rl.flags.gradients; None: their defaults.
    """
    name = config.gradient
    if options is None:
        options = method_flags.GRADIENTS[name]()
    return GRADIENTS[name](num_tasks, options)


def register(name: str, method_class: type[Balancer], flags: type = NoFlags) -> None:
    """Makes a method known as `--gradient NAME`.

    Args:
      method_class: its constructor takes `num_tasks` and an instance of `flags`.
      flags: dataclass of its own flags, of fields that `rl.config.flag` makes.

    Raises:
      ValueError: there is one of that name.
    """
    method_flags.register(name, flags)
    GRADIENTS[name] = method_class
