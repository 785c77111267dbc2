"""Splitting networks: perceptrons that start fully shared and split, region by region, where tasks
are at odds.

Crawshaw's method. Reference implementation: https://github.com/mtcrawshaw/meta
(meta/networks/splitting) Which regions split, and when, is rl.splitting's to say. Here is what a
split changes: the copy of each region that a task uses. All copies are there from the start, so
that a split adds no variable and no trace.
Differs from it:
1. every copy is trained; there the optimiser never learned of copies that a split made;
2. a network has room for `--split_capacity` copies of a region, and refuses a split beyond;
3. the input ends with the task's one-hot code, unless `--task_onehot false`;
4. actor and critics are the project's, for any algorithm; there PPO's.
"""

from typing import Any

import tensorflow as tf

from rl.networks.banks import Bank, UnitBank, WeightBank
from rl.networks.stacks import StackNet


class Splitting(StackNet):
    """Dense layers with an activation after all but the last; see TaskNet.

    Args:
      capacity: copies of a region; 0: one for each task, 16 at most.
      apart: whether the kernel and the bias of a layer are regions of their own.
      by_unit: whether regions are the output units of layers, each with its bias, not whole layers.
      alike: whether the copies of a region start equal.
    """

    def __init__(
        self,
        *args: Any,
        capacity: int = 0,
        apart: bool = False,
        by_unit: bool = False,
        alike: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.capacity = capacity
        self.apart = apart
        self.by_unit = by_unit
        self.alike = alike

    def make(self, fan_in: int) -> None:
        copies = min(self.capacity or 16, self.num_tasks)
        kind = UnitBank if self.by_unit else Bank
        for k, units in enumerate(self.sizes):
            gain = self.out_gain if k == len(self.sizes) - 1 else self.hidden_gain
            copy = self._map(units)
            self.layer(
                fan_in, units, copies=copies, gain=gain, alike=self.alike, copy=copy, kind=kind
            )
            fan_in = units
        if self.apart:
            self.regions = [[bank] for region in self.regions for bank in region]
            for kernel, bias in zip(self.regions[::2], self.regions[1::2]):
                bias[0].copy = self._map(kernel[0].variable.shape[-1])

    def _map(self, units: int) -> Any:
        shape = (units, self.num_tasks) if self.by_unit else (self.num_tasks,)
        return self.add_weight(
            shape=shape, dtype="int32", initializer="zeros", trainable=False, name="copy"
        )

    def layers_of_banks(self) -> list[tuple[Bank, Bank]]:
        """Kernel and bias of each layer."""
        banks = [bank for region in self.regions for bank in region]
        return list(zip(banks[::2], banks[1::2]))

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        flat = [param for region in params for param in region]
        return self.stack(list(zip(flat[::2], flat[1::2])), x)


class WeightSplitting(Splitting):
    """The same layers for all tasks, but for single weights and biases of which a task has its own
    value.

    There is room for a value of every weight for every task.
    """

    def make(self, fan_in: int) -> None:
        rows = 1 + self.num_tasks
        self.make_stack(
            fan_in, self.sizes, gain=self.out_gain, copies=rows, alike=True, kind=self._bank
        )

    def _bank(self, variable: Any, axis: int, num_tasks: int) -> WeightBank:
        shape = (num_tasks, *variable.shape[axis + 1 :])
        own = self.add_weight(
            shape=shape, dtype="bool", initializer="zeros", trainable=False, name="own"
        )
        return WeightBank(variable, axis, num_tasks, copy=own)
