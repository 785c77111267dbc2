"""From flags to the optimisers of an algorithm's networks."""

import dataclasses
from typing import Any, Optional

from rl import gradients
from rl.config import UserError
from rl.flags.splitting import Config as SplittingConfig
from rl.gradients.optimizer import Optimizer, Optimizers
from rl.splitting.blocks import blocks_of, use_maps
from rl.splitting.maps import load_maps
from rl.splitting.task_optimizer import TaskOptimizer


@dataclasses.dataclass(frozen=True)
class TaskOptimizers(Optimizers):
    """Optimisers that tell the tasks' gradients apart, where something depends on that.

    Args:
      config: of the optimisers. balancing: how tasks' gradients are weighed.
      num_tasks: None for a single task.
      splits: how regions of networks split, or None: they have none that could.
      split_map: file or run directory with the copies that tasks use; then they are kept.

    Raises:
      UserError: a method for several tasks, and `num_tasks` is None.
    """

    balancing: gradients.Config = gradients.Config()
    num_tasks: Optional[int] = None
    splits: Optional[SplittingConfig] = None
    split_map: str = ""

    def __post_init__(self) -> None:
        if self.num_tasks is None and self.balancing.gradient != "sum":
            raise UserError(
                f"--gradient {self.balancing.gradient} is for several tasks, and this env has one"
            )

    def make(self, lr: float, net: Any, targ: Any = None) -> Optimizer:
        """The optimiser of `net`; `targ` is its target network, if it has one.

        Raises:
          UserError: a map that doesn't fit.
        """
        groups = getattr(net, "groups", {})
        twins = targ.groups if targ else {}
        if groups and self.splits and self.split_map:
            self._use_map(groups, twins)
        if not groups or self.num_tasks is None or not self._tells_tasks_apart():
            return Optimizer(lr, net, self.config)
        balancers = {name: self._balancer(name, self.num_tasks) for name in groups}
        return TaskOptimizer(lr, net, self.config, balancers, twins, self._learned_splits())

    def _learned_splits(self) -> Optional[SplittingConfig]:
        return None if self.split_map else self.splits

    def _tells_tasks_apart(self) -> bool:
        is_weighed = self.balancing.gradient != "sum"
        is_watched = self.config.gradient_stats or self._learned_splits() is not None
        return is_weighed or is_watched

    def _use_map(self, groups: dict[str, Any], twins: dict[str, Any]) -> None:
        """Lets the tasks of a network, and of its target, use the copies of the map."""
        for name, maps in load_maps(self.split_map, groups).items():
            blocks = blocks_of(groups[name], twins.get(name, []))
            use_maps(blocks, maps, name)

    def _balancer(self, name: str, num_tasks: int) -> gradients.Balancer:
        """What weighs the tasks' gradients of the group `name`: a sum where the method is for
        critics alone."""
        balancing = self.balancing
        critic = name in ("LossQ", "LossV")
        if gradients.GRADIENTS[balancing.gradient].critic_only and not critic:
            balancing = dataclasses.replace(balancing, gradient="sum")
        return gradients.make_balancer(num_tasks, balancing)
