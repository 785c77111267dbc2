"""Perceptrons whose layers are shared by all tasks or each task's own.

Caruana, 1997: https://doi.org/10.1023/A:1007379606734 (shared layers, then a head for each task).
"""

import tensorflow as tf

from rl.flags import torsos as flags
from rl.networks.stacks import StackNet


class Trunk(StackNet):
    """Dense layers as `layers` has them follow one another; see TaskNet."""

    config: flags.Trunk

    @property
    def task_layers(self) -> int:
        """How many of the last layers, the output included, each task has a copy of."""
        return self.config.task_layers

    @property
    def same_start(self) -> bool:
        """Whether a layer's copies start with the same weights."""
        return self.config.same_start

    def make(self, fan_in: int) -> None:
        plan = self.layout.plan(fan_in, self.sizes)
        for k, dense in enumerate(plan):
            layers_left = len(plan) - k
            copies = self.num_tasks if layers_left <= self.task_layers else 1
            gain = self.out_gain if layers_left == 1 else self.hidden_gain
            self.layer(
                dense.fan_in,
                dense.units,
                copies=copies,
                gain=gain,
                alike=self.same_start,
                norm=dense.norm,
            )

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        return self.layout.forward(self, params, x)


class Shared(Trunk):
    """All layers are shared."""

    task_layers = 0
    same_start = False


class MultiHead(Trunk):
    """Each task has an output layer of its own."""

    task_layers = 1
    same_start = False


class Independent(Trunk):
    """Each task has a network of its own."""

    @property
    def task_layers(self) -> int:
        return len(self.layout.plan(1, self.sizes))
