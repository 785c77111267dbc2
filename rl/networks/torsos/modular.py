"""Modular networks: each slot has several modules, and a task's structure says which of them it
uses.

Alet et al., 2018: https://arxiv.org/abs/1806.10166
Reference implementation: https://github.com/FerranAlet/modular-metalearning
How structures are found is rl.splitting.bouncer's to say. Here is what a structure changes.
Differs from them:
1. a module is one dense layer with its activation, and a slot a hidden layer; there modules are
   small perceptrons;
2. each slot has modules of its own; there slots may draw from one library;
3. every task has an output layer of its own, which is in no structure, unless `--shared_heads`;
4. modules are composed one after another, or their outputs are added; there also concatenated, and
   sent as messages in a graph;
5. the input ends with the task's one-hot code, unless `--task_onehot false`; theirs has no code.
"""

from typing import Any, Sequence

import numpy as np
import tensorflow as tf

from rl.flags import torsos as flags
from rl.networks.banks import picked
from rl.networks.stacks import StackNet


class Modular(StackNet):
    """Slots of modules, of which the last is the head or else each task has one; see TaskNet.

    Attributes:
      chosen: int32 `(num_tasks,)` for each slot, the module that each task uses.
    """

    config: flags.Modular

    @property
    def shared_heads(self) -> bool:
        """Whether the head is a slot."""
        return self.config.shared_heads

    def make(self, fan_in: int) -> None:
        *hidden, out = self.sizes
        fan_ins = (fan_in, *hidden)
        if self.config.compose == "sum":
            fan_ins = (fan_in,) * len(hidden) + (hidden[-1],)
        self.chosen: list[Any] = []
        for width, units in zip(fan_ins, hidden):
            self._slot(width, units)
        if self.shared_heads:
            self.head = self._slot(fan_ins[-1], out, gain=self.out_gain)
        else:
            self.head = self.layer(fan_ins[-1], out, copies=self.num_tasks, gain=self.out_gain)

    def _slot(self, fan_in: int, units: int, gain: Any = None) -> int:
        """Adds a layer of modules. Returns the region's number."""
        chosen = self.state((self.num_tasks,), "chosen", "int32")
        self.chosen.append(chosen)
        return self.layer(fan_in, units, copies=self.config.modules, copy=chosen, gain=gain)

    @property
    def slots(self) -> list[list[Any]]:
        """The banks of each slot."""
        return self.regions[: len(self.chosen)]

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        if self.config.compose == "chain":
            return self.stack(params, x)
        *slots, head = params
        outputs = [self.activation(self.dense(x, slot)) for slot in slots]
        return self.dense(tf.add_n(outputs), head)

    def expand_by(self, modules: tf.Tensor) -> list[list[tf.Tensor]]:
        """`expand`, in full, where tasks use `modules`, int `(slots, num_tasks)`."""
        params = self.expand_copies()
        for number, slot in enumerate(self.slots):
            params[number] = [picked(bank.variable, modules[number], bank.axis) for bank in slot]
        return params

    def use(self, modules: np.ndarray) -> None:
        """Lets tasks use `modules`, `(slots, num_tasks)`."""
        for chosen, of_slot in zip(self.chosen, modules, strict=True):
            chosen.assign(of_slot)


class MetaModular(Modular):
    """The same, made by `meta-test` for other tasks: the modules are those of a run, and stay as
    they are. Each task has a head of its own, which learns."""

    @property
    def shared_heads(self) -> bool:
        return False

    def make(self, fan_in: int) -> None:
        super().make(fan_in)
        for slot in self.slots:
            for bank in slot:
                bank.variable.trainable = False

    def adopt(self, trained: Modular) -> None:
        """Takes the modules of `trained`; a head is the mean of its heads at first."""
        for number, (region, learned) in enumerate(zip(self.regions, trained.regions, strict=True)):
            for bank, source in zip(region, learned):
                value = np.array(source.variable)
                if number == self.head:
                    value = value.mean(axis=source.axis, keepdims=True)
                bank.variable.assign(np.broadcast_to(value, bank.variable.shape))

    def follow(self, trained: Modular, tasks: Sequence[int]) -> None:
        """Task t uses the modules, and begins with the head, that the task numbered `tasks[t]` of
        `trained` has."""
        modules = np.array([np.array(chosen) for chosen in trained.chosen])
        self.use(modules[: len(self.chosen), tasks])
        heads = zip(self.regions[self.head], trained.regions[trained.head])
        for bank, source in heads:
            task_heads = np.array(source.expand(full=True))
            bank.variable.assign(np.take(task_heads, tasks, axis=source.axis))
