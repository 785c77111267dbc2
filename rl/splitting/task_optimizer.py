"""The gradient step of several tasks: their gradients are weighed against each other, and networks
split by them."""

from types import MappingProxyType
from typing import Any, Mapping, Optional, Sequence

import numpy as np
import tensorflow as tf

from rl import gradients
from rl.flags.splitting import Config as SplittingConfig
from rl.gradients.optimizer import Config, Optimizer
from rl.gradients.per_task import Info, LossFn, TaskGradients
from rl.networks.groups import Group
from rl.spec import Update
from rl.splitting.slots import Slot, slots_of
from rl.splitting.splitters import make_splitter


class TaskOptimizer(Optimizer):
    """An Optimizer that knows each task's gradient of a network.

    Args:
      balancers: for each of `net.groups` what weighs the tasks' gradients.
      twins: the groups of the target network, or none.
      splits: how regions split, or None: they don't.

    Attributes:
      splitters: what splits each group, by name.
    """

    def __init__(
        self,
        lr: float,
        net: Any,
        config: Config,
        balancers: dict[str, Any],
        twins: Mapping[str, Group] = MappingProxyType({}),
        splits: Optional[SplittingConfig] = None,
    ) -> None:
        super().__init__(lr, net, config)
        self.balancers = balancers
        self.splitters: dict[str, Any] = {}
        if splits is not None:
            for name, group in net.groups.items():
                twin = torsos_of(twins, name)
                self.splitters[name] = make_splitter(group.torsos, twin, self.slots, splits)
        for name in balancers:
            part = _part(name)
            self.step_columns |= {
                f"{part}Conflict": "mean",
                f"{part}Cosine": "mean",
                f"{part}Weight": "task",
            }
        self.columns = dict(self.step_columns)
        for name in self.splitters:
            self.columns[f"{_part(name)}Sharing"] = "mean"

    def minimise(self, loss_fn: LossFn, update: Update) -> Info:
        """One step. Returns the loss function's info and, for each group, how its tasks conflict
        and weigh."""
        info = super().minimise(loss_fn, update)
        if any(balancer.needs_losses_after for balancer in self.balancers.values()):
            new_info = loss_fn()[1]
            for name, balancer in self.balancers.items():
                if balancer.needs_losses_after:
                    balancer.after(info[name], new_info[name])
        return info

    def gradients(self, loss_fn: LossFn, update: Update) -> tuple[list[tf.Tensor], Info]:
        """The gradients joined by the balancers' weights."""
        halves = any(splitter.halves for splitter in self.splitters.values())
        tasks = TaskGradients(self.net, loss_fn, halves)
        info = tasks.info
        for name, splitter in self.splitters.items():
            splitter.observe(tasks, name, update.present)
        weights = {}
        for number, (name, balancer) in enumerate(self.balancers.items()):
            gram = tasks.grams[name]
            share = tasks.shares[name]
            losses = info.get(name, tasks.losses)
            weight = balancer.weights(losses, gram, share, update.seed + number)
            weights[name] = weight + tf.zeros(gram.shape[:2])
            rate, cosine = gradients.conflict(gradients.shared_gram(gram, share))
            part = _part(name)
            info[f"{part}Conflict"] = rate
            info[f"{part}Cosine"] = cosine
            info[f"{part}Weight"] = tf.reduce_mean(weights[name], axis=0)
        return tasks.weighted(weights), info

    def after(self, count: int) -> dict[str, np.ndarray]:
        """To be told of `count` more steps: splits what is due. Returns the sharing scores to
        log."""
        sharing = {}
        for name, splitter in self.splitters.items():
            splitter.after(count)
            sharing[f"{_part(name)}Sharing"] = np.array([splitter.sharing])
        return sharing

    def report(self) -> dict[str, Any]:
        """What split so far, by group."""
        return {name: splitter.report() for name, splitter in self.splitters.items()}

    def on_host(self) -> dict[str, Any]:
        return dict(self.splitters)

    def slots(self, variable: Any) -> list[Slot]:
        """What the optimiser keeps for a variable of the net."""
        number = [target is variable for target in self.targets].index(True)
        return slots_of(self.opt, number)

    @property
    def variables(self) -> list[Any]:
        """What steps change, besides the targets: slots, the step count, the learning rate, and
        others' state."""
        variables = super().variables
        for other in [*self.balancers.values(), *self.splitters.values()]:
            variables.extend(other.variables)
        return variables


def torsos_of(groups: Mapping[str, Group], name: str) -> Sequence[Any]:
    """Those of the group `name`; none where there is no such group."""
    return groups[name].torsos if name in groups else ()


def _part(name: str) -> str:
    """LossPi -> Pi."""
    return name.removeprefix("Loss")
