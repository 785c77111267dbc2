"""Splitting networks: perceptrons that start shared and split, region by region, where tasks are at
odds.

Crawshaw's method. Reference implementation: https://github.com/mtcrawshaw/meta
(meta/networks/splitting) Which regions split, and when, is rl.splitting's to say. Here is what a
split changes: the copy of each region that a task uses. All copies are there from the start, so
that a split adds no variable and no trace.
Differs from it:
1. every copy is trained; there the optimiser never learned of copies that a split made;
2. a network has room for `--split_capacity` copies of a region, and refuses a split beyond;
3. tasks begin with output layers of their own, unless `--split_start shared`, as there;
4. the input ends with the task's one-hot code, unless `--task_onehot false`;
5. actor and critics are the project's, for any algorithm; there PPO's.
"""

from typing import Any

import tensorflow as tf

from rl.flags import torsos as flags
from rl.flags.splitting import DEFAULT_CAPACITY
from rl.networks.banks import Bank, UnitBank, WeightBank
from rl.networks.stacks import StackNet


class SplittingLayers(StackNet):
    """Gives every dense layer that all tasks share room for copies, and a map of who uses which."""

    config: flags.SplittingLayers
    kind: type[Bank] = Bank

    def layer(self, fan_in: int, units: int, copies: int = 1, **options: Any) -> int:
        if copies > 1:  # the tasks' own already: there is nothing to split
            return super().layer(fan_in, units, copies, **options)
        is_output = options.get("gain") is self.out_gain  # which no other layer is given
        starts_apart = is_output and self.config.heads_apart
        if starts_apart or (is_output and self.config.split_map):
            room = self.num_tasks  # a map may be of a run that had a head for each task
        else:
            room = min(self.config.split_capacity or DEFAULT_CAPACITY, self.num_tasks)
        # Copies that split off later are equal to others then; those of a map, and heads, never.
        options["alike"] = not self.config.split_map and not starts_apart
        options["kind"] = self.kind
        options["copy"] = self.new_map(units, starts_apart)
        return super().layer(fan_in, units, room, **options)

    def new_map(self, units: int, apart: bool = False) -> Any:
        """Which copy each task uses of a layer, to begin with: the first, or where they are `apart`
        one of its own."""
        shape = self.map_shape(units)
        first = tf.range(self.num_tasks) if apart else tf.zeros(self.num_tasks, tf.int32)
        return self.add_weight(
            shape=shape,
            dtype="int32",
            initializer=lambda shape, dtype: tf.broadcast_to(tf.cast(first, dtype), shape),
            trainable=False,
            name="copy",
        )

    def map_shape(self, units: int) -> tuple[int, ...]:
        """The shape of a layer's map, which has an entry for each task."""
        del units
        return (self.num_tasks,)


class Splitting(SplittingLayers):
    """Dense layers as `layers` has them follow one another, each a region with its normalisation;
    see TaskNet."""

    config: flags.Splitting

    def make(self, fan_in: int) -> None:
        plan = self.layout.plan(fan_in, self.sizes)
        for k, dense in enumerate(plan):
            gain = self.out_gain if k == len(plan) - 1 else self.hidden_gain
            self.layer(dense.fan_in, dense.units, gain=gain, norm=dense.norm)
        if self.config.split_biases:
            layers = self.regions
            self.regions = []
            for kernel, *vectors in layers:
                is_head = kernel is layers[-1][0] and self.config.heads_apart
                copy = self.new_map(kernel.variable.shape[-1], is_head)
                for bank in vectors:
                    bank.copy = copy
                self.regions += [[kernel], vectors]

    def by_layer(self, regions: list[list[Any]]) -> list[list[Any]]:
        """What there is of each region, put together where kernels split apart from all else."""
        if len(regions[0]) > 1:
            return regions
        return [kernel + vectors for kernel, vectors in zip(regions[::2], regions[1::2])]

    def layers_of_banks(self) -> list[tuple[Bank, Bank]]:
        """Kernel and bias of each layer."""
        return [(layer[0], layer[1]) for layer in self.by_layer(self.regions)]

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        return self.layout.forward(self, self.by_layer(params), x)


class SparseSplitting(Splitting):
    """The same, but regions are the output units of layers, each with its bias.

    With `split_weights` single weights and biases split: there is room for a value of every weight
    for every task, beside the one that tasks share.
    """

    config: flags.SparseSplitting
    kind = UnitBank

    def make(self, fan_in: int) -> None:
        if not self.config.split_weights:
            super().make(fan_in)
            return
        rows = 1 + self.num_tasks
        self.make_stack(
            fan_in, self.sizes, gain=self.out_gain, copies=rows, alike=True, kind=self._weight_bank
        )

    def map_shape(self, units: int) -> tuple[int, ...]:
        return (units, self.num_tasks)

    def _weight_bank(self, variable: Any, axis: int, num_tasks: int) -> WeightBank:
        private = self.add_weight(
            shape=(num_tasks, *variable.shape[axis + 1 :]),
            dtype="bool",
            initializer="zeros",
            trainable=False,
            name="private",
        )
        return WeightBank(variable, axis, num_tasks, copy=private)
