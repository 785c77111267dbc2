"""Perceptrons whose layers are shared by all tasks or each task's own.

Caruana, 1997: https://doi.org/10.1023/A:1007379606734 (shared layers, then a head for each task).
"""

from typing import Any

import tensorflow as tf

from rl.networks.stacks import StackNet


class Trunk(StackNet):
    """Dense layers with an activation after all but the last; see TaskNet.

    Args:
      own: how many of the last layers, the output included, each task has a copy of.
    """

    def __init__(self, *args: Any, own: int = 1, **options: Any) -> None:
        super().__init__(*args, **options)
        self.own = own

    def make(self, fan_in: int) -> None:
        for k, units in enumerate(self.sizes):
            left = len(self.sizes) - k
            gain = self.out_gain if left == 1 else self.hidden_gain
            self.layer(fan_in, units, copies=self.num_tasks if left <= self.own else 1, gain=gain)
            fan_in = units

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        return self.stack(params, x)
