"""From flags to the optimisers of an algorithm's networks."""

import dataclasses
from typing import Any, Callable, Optional

from rl import gradients, splitting
from rl.algos.optimizers import Config, Optimizer
from rl.algos.task_optimizer import TaskOptimizer
from rl.config import UserError


def optimizer_maker(
    config: Config,
    balancing: gradients.Config = gradients.Config(),
    num_tasks: Optional[int] = None,
    splits: Optional[splitting.Config] = None,
    split_map: str = "",
) -> Callable[..., Optimizer]:
    """A function `make_opt(lr, net, targ=None)` for the algorithm's constructor; `targ` is the
    target network.

    Args:
      splits: how regions of networks split, or None: they have none that could.
      split_map: file or run directory with the copies that tasks use; then they are kept.

    Raises:
      UserError: a method for several tasks, and `num_tasks` is None. From `make_opt`: a map that
        doesn't fit.
    """
    if num_tasks is None and balancing.gradient != "sum":
        raise UserError(
            f"--gradient {balancing.gradient} is for several tasks, and this env has one"
        )
    learned = None if split_map else splits
    wanted = num_tasks is not None and (
        balancing.gradient != "sum" or config.gradient_stats or learned is not None
    )

    def make_opt(lr: float, net: Any, targ: Any = None) -> Optimizer:
        groups, twins = getattr(net, "groups", {}), targ.groups if targ else {}
        if groups and split_map and splits:
            for name, maps in splitting.load_maps(split_map, groups).items():
                splitting.use_maps(
                    splitting.blocks_of(groups[name], twins.get(name, [])), maps, name
                )
        if not groups or not wanted:
            return Optimizer(lr, net, config)
        balancers = {}
        for name in groups:
            plain = (
                name not in ("LossQ", "LossV")
                and gradients.GRADIENTS[balancing.gradient].critic_only
            )
            method = dataclasses.replace(balancing, gradient="sum") if plain else balancing
            balancers[name] = gradients.make_balancer(num_tasks or 1, method)

        def make_splitters(slots: Any) -> dict[str, Any]:
            make = splitting.make_splitter
            return (
                {n: make(own, twins.get(n, []), slots, learned) for n, own in groups.items()}
                if learned
                else {}
            )

        return TaskOptimizer(lr, net, config, balancers, make_splitters)

    return make_opt
