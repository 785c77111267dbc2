"""From flags to the optimisers of an algorithm's networks."""

import functools
from typing import Any, Callable, Optional, Sequence

from rl import gradients, splitting
from rl.config import UserError
from rl.gradients.optimizer import Config, Optimizer
from rl.splitting.task_optimizer import TaskOptimizer


def optimizer_maker(
    config: Config,
    balancing: gradients.Config = gradients.Config(),
    num_tasks: Optional[int] = None,
    splits: Optional[splitting.Config] = None,
    split_map: str = "",
    balancing_options: Any = None,
) -> Callable[..., Optimizer]:
    """A function `make_opt(lr, net, targ=None)` for the algorithm's constructor; `targ` is the
    target network.

    Args:
      splits: how regions of networks split, or None: they have none that could.
      split_map: file or run directory with the copies that tasks use; then they are kept.
      balancing_options: the gradient method's own flags; None: their defaults.

    Raises:
      UserError: a method for several tasks, and `num_tasks` is None. From `make_opt`: a map that
        doesn't fit.
    """
    if num_tasks is None and balancing.gradient != "sum":
        raise UserError(
            f"--gradient {balancing.gradient} is for several tasks, and this env has one"
        )
    learned = None if split_map else splits
    per_task = balancing.gradient != "sum" or config.gradient_stats or learned is not None

    def make_opt(lr: float, net: Any, targ: Any = None) -> Optimizer:
        groups = getattr(net, "groups", {})
        twins = targ.groups if targ else {}
        if groups and splits and split_map:
            _use_map(split_map, groups, twins)
        if not groups or num_tasks is None or not per_task:
            return Optimizer(lr, net, config)
        balancers = {
            name: _balancer(group.critic, num_tasks, balancing, balancing_options)
            for name, group in groups.items()
        }
        make_splitters = functools.partial(_splitters, groups, twins, learned)
        return TaskOptimizer(lr, net, config, balancers, make_splitters)

    return make_opt


def _use_map(path: str, groups: dict[str, Any], twins: dict[str, Any]) -> None:
    """Lets the tasks of a network, and of its target, use the copies of the map at `path`."""
    for name, maps in splitting.load_maps(path, groups).items():
        blocks = splitting.blocks_of(groups[name].torsos, _torsos_of(twins, name))
        splitting.use_maps(blocks, maps, name)


def _torsos_of(groups: dict[str, Any], name: str) -> Sequence[Any]:
    """Those of the group `name`; none where there is no such group."""
    return groups[name].torsos if name in groups else ()


def _balancer(critic: bool, num_tasks: int, balancing: gradients.Config, options: Any) -> Any:
    """What weighs the tasks' gradients of a group: a sum where the method is for critics alone and
    the group is none."""
    if gradients.GRADIENTS[balancing.gradient].critic_only and not critic:
        return gradients.make_balancer(num_tasks, gradients.Config("sum"))
    return gradients.make_balancer(num_tasks, balancing, options)


def _splitters(
    groups: dict[str, Any], twins: dict[str, Any], config: Optional[splitting.Config], slots: Any
) -> dict[str, Any]:
    """What splits each group, by name; nothing does without a `config`."""
    if config is None:
        return {}
    return {
        name: splitting.make_splitter(group.torsos, _torsos_of(twins, name), slots, config)
        for name, group in groups.items()
    }
