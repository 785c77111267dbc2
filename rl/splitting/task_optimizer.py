"""The gradient step of several tasks: their gradients are weighed against each other, and networks
change by them."""

from types import MappingProxyType
from typing import Any, Mapping, Sequence

import numpy as np
import tensorflow as tf

from rl import gradients
from rl.gradients.conditional import step_if
from rl.gradients.optimizer import Config, Optimizer
from rl.gradients.per_task import Info, InnerSteps, LossFn, TaskGradients, evaluate_with
from rl.networks.groups import Group
from rl.spec import Update
from rl.splitting.slots import Slot, slots_of
from rl.splitting.structure import Structure
from rl.splitting.watch import STRUCTURE, WEIGHTS, Watch
from rl.splitting.watches import make_watch


class TaskOptimizer(Optimizer):
    """An Optimizer that knows each task's gradient of a network.

    Args:
      balancers: for each of `net.groups` what weighs the tasks' gradients.
      twins: the groups of the target network, or none.
      changes: the network's own flags where it changes while it trains, or None: it doesn't.

    Attributes:
      watches: what changes each group, by name.
    """

    def __init__(
        self,
        lr: float,
        net: Any,
        config: Config,
        balancers: dict[str, Any],
        twins: Mapping[str, Group] = MappingProxyType({}),
        changes: Any = None,
    ) -> None:
        structure: list[Any] = []
        for group in net.groups.values():
            for torso in group.torsos:
                structure += torso.structure
        super().__init__(lr, net, config, structure)
        self.structure = Structure(structure, changes.structure_lr) if structure else None
        self.balancers = balancers
        self.watches: dict[str, Watch] = {}
        if changes is not None:
            for name, group in net.groups.items():
                twin = torsos_of(twins, name)
                self.watches[name] = make_watch(name, group, twin, self.slots, changes)
        for name in balancers:
            part = _part(name)
            self.step_columns |= {
                f"{part}Conflict": "mean",
                f"{part}Cosine": "mean",
                f"{part}Weight": "task",
            }
        self.columns = dict(self.step_columns)
        for name, watch in self.watches.items():
            for column, kind in watch.columns.items():
                self.columns[f"{_part(name)}{column}"] = kind

    def minimise(self, loss_fn: LossFn, update: Update) -> Info:
        """One step. Returns the loss function's info and, for each group, how its tasks conflict
        and weigh."""
        info = super().minimise(loss_fn, update)
        if any(balancer.needs_losses_after for balancer in self.balancers.values()):
            new_info = self._info_after_step(loss_fn)
            for name, balancer in self.balancers.items():
                if balancer.needs_losses_after:
                    balancer.after(info[name], new_info[name])
        return info

    def _info_after_step(self, loss_fn: LossFn) -> Info:
        """The loss function's info by the new weights, in the structure of this update: outside of
        updates tasks may use another."""
        if not self.watches:
            return loss_fn()[1]
        torsos: list[Any] = []
        for group in self.net.groups.values():
            torsos.extend(group.torsos)
        expanded = [torso.expand_copies() for torso in torsos]
        return evaluate_with(loss_fn, torsos, expanded)[1]

    def gradients(self, loss_fn: LossFn, update: Update) -> tuple[list[tf.Tensor], Info]:
        """The gradients joined by the balancers' weights."""
        halves = any(watch.halves for watch in self.watches.values())
        inner_steps = InnerSteps()
        for watch in self.watches.values():
            inner_steps = watch.inner_steps
            watch.begin(update)
        tasks = TaskGradients(self.net, loss_fn, halves, inner_steps)
        info = tasks.info
        for name, watch in self.watches.items():
            watch.observe(tasks, name, _evident(update, watch))
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
        grads = tasks.weighted(weights)
        if self.structure:
            losses = {name: info.get(name, tasks.losses) for name in self.watches}
            grads = self._with_penalties(grads, losses, update.present)
        return grads, info

    def _with_penalties(
        self, grads: list[tf.Tensor], losses: dict[str, tf.Tensor], present: Any
    ) -> list[tf.Tensor]:
        """Gradients of the net's variables, with those of what watches add to the losses."""
        with tf.GradientTape() as tape:
            penalties = []
            for name, watch in self.watches.items():
                penalties.append(watch.penalty(losses[name], present))
            penalty = tf.add_n(penalties)
        added = tape.gradient(penalty, self.net.trainable_variables)
        return [grad if more is None else grad + more for grad, more in zip(grads, added)]

    def step(self, grads: list[tf.Tensor], update: Update) -> None:
        if not self.structure:
            super().step(grads, update)
            return
        by_variable = {id(v): grad for v, grad in zip(self.net.trainable_variables, grads)}
        weight_grads = [by_variable[id(variable)] for variable in self.targets]
        structure_grads = [by_variable[id(variable)] for variable in self.structure.targets]
        turn = next(iter(self.watches.values())).turn
        take_step = super().step
        structure_step = self.structure.step
        step_if(turn != STRUCTURE, lambda: take_step(weight_grads, update))
        step_if(turn != WEIGHTS, lambda: structure_step(structure_grads, update))

    def after(self, count: int) -> dict[str, np.ndarray]:
        """To be told of `count` more steps: changes what is due. Returns what the watches log."""
        logged = {}
        for name, watch in self.watches.items():
            watch.after(count)
            if watch.rewound:
                self.start_over()
            for column, value in watch.values().items():
                logged[f"{_part(name)}{column}"] = value
        return logged

    def follow(self) -> None:
        for watch in self.watches.values():
            watch.follow()

    def report(self) -> dict[str, Any]:
        """What changed so far, by group."""
        return {name: watch.report() for name, watch in self.watches.items()}

    def on_host(self) -> dict[str, Any]:
        return dict(self.watches)

    def slots(self, variable: Any) -> list[Slot]:
        """What the optimiser keeps for a variable of the net."""
        number = [target is variable for target in self.targets].index(True)
        return slots_of(self.opt, number)

    @property
    def variables(self) -> list[Any]:
        """What steps change, besides the targets: slots, the step count, the learning rate, and
        others' state."""
        variables = super().variables
        if self.structure:
            variables.extend(self.structure.variables)
        for balancer in self.balancers.values():
            variables.extend(balancer.variables)
        for watch in self.watches.values():
            variables.extend(watch.variables)
        return variables


def _evident(update: Update, watch: Watch) -> Any:
    """The update's `present`, without tasks whose samples say too little for the watch: where a
    sample is in both halves of a batch these don't tell noise apart from what they agree in."""
    if not watch.halves or update.repeats is None:
        return update.present
    once = 1 - update.repeats
    return once if update.present is None else update.present * once


def torsos_of(groups: Mapping[str, Group], name: str) -> Sequence[Any]:
    """Those of the group `name`; none where there is no such group."""
    return groups[name].torsos if name in groups else ()


def _part(name: str) -> str:
    """LossPi -> Pi."""
    return name.removeprefix("Loss")
