"""From flags to the optimisers of an algorithm's networks."""

import dataclasses
from typing import Any, Mapping, Optional

from rl import gradients
from rl.config import UserError
from rl.gradients.optimizer import Optimizer, Optimizers
from rl.networks.groups import Group
from rl.splitting.blocks import blocks_of, use_maps
from rl.splitting.maps import load_maps
from rl.splitting.task_optimizer import TaskOptimizer, torsos_of


@dataclasses.dataclass(frozen=True)
class TaskOptimizers(Optimizers):
    """Optimisers that tell the tasks' gradients apart, where something depends on that.

    Args:
      config: of the optimisers. balancing: how tasks' gradients are weighed.
      balancing_options: the gradient method's own flags; None: their defaults.
      num_tasks: None for a single task.
      changes: the network's own flags where it may change while it trains, or None: it doesn't.
      split_map: file or run directory with the copies that tasks use; then they are kept.

    Raises:
      UserError: a method for several tasks, and `num_tasks` is None.
    """

    balancing: gradients.Config = gradients.Config()
    balancing_options: Any = None
    num_tasks: Optional[int] = None
    changes: Any = None
    split_map: str = ""

    def __post_init__(self) -> None:
        if self.num_tasks is None and self.balancing.gradient != "sum":
            raise UserError(
                f"--gradient {self.balancing.gradient} is for several tasks, and this env has one"
            )
        method = gradients.GRADIENTS[self.balancing.gradient]
        inner_steps = getattr(self.changes, "inner_steps", 0)
        if inner_steps and method.needs_losses_after:
            raise UserError(
                f"--gradient {self.balancing.gradient} compares losses before and after an update, "
                f"and those of --inner_steps {inner_steps} come after steps that nothing keeps"
            )

    def make(self, lr: float, net: Any, targ: Any = None) -> Optimizer:
        """The optimiser of `net`; `targ` is its target network, if it has one.

        Raises:
          UserError: a map that doesn't fit.
        """
        groups: Mapping[str, Group] = getattr(net, "groups", {})
        twins: Mapping[str, Group] = targ.groups if targ else {}
        if groups and self.split_map:
            self._use_map(groups, twins)
        if not groups or self.num_tasks is None or not self._tells_tasks_apart():
            return Optimizer(lr, net, self.config)
        balancers = {}
        for name, group in groups.items():
            balancers[name] = self._balancer(group, self.num_tasks)
        return TaskOptimizer(lr, net, self.config, balancers, twins, self._learned())

    def _learned(self) -> Any:
        return None if self.split_map else self.changes

    def _tells_tasks_apart(self) -> bool:
        is_weighed = self.balancing.gradient != "sum"
        is_watched = self.config.gradient_stats or self._learned() is not None
        return is_weighed or is_watched

    def _use_map(self, groups: Mapping[str, Group], twins: Mapping[str, Group]) -> None:
        """Lets the tasks of a network, and of its target, use the copies of the map."""
        for name, maps in load_maps(self.split_map, groups).items():
            blocks = blocks_of(groups[name].torsos, torsos_of(twins, name))
            use_maps(blocks, maps, name)

    def _balancer(self, group: Group, num_tasks: int) -> gradients.Balancer:
        """What weighs the tasks' gradients of a group: a sum where the method is for critics alone
        and the group is none."""
        method = gradients.GRADIENTS[self.balancing.gradient]
        if method.critic_only and not group.critic:
            return gradients.make_balancer(num_tasks, gradients.Config("sum"))
        return gradients.make_balancer(num_tasks, self.balancing, self.balancing_options)
