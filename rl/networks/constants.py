"""Learned numbers that depend on the task at most."""

from typing import Any

import tensorflow as tf

from rl.networks.banks import Bank
from rl.networks.task_net import TaskNet


class Constants(TaskNet):
    """`units` numbers, from `start`: one copy of them for all tasks, one for each, or copies that
    tasks choose.

    Args:
      copies: 1 or `num_tasks`. split: all tasks start with the first copy, see `splitting`.

    Input shape: `(num_tasks, batch, units)`, of which only the shape counts. Output shape: the
      same.
    """

    def __init__(
        self, units: int, start: float, copies: int, num_tasks: int, split: bool = False
    ) -> None:
        super().__init__((units,), onehot=False)
        initializer = tf.keras.initializers.Constant(start)
        self.variable = self.add_weight(
            shape=(copies, units), initializer=initializer, name="constants"
        )
        self.copy: Any = None
        if split:
            self.copy = self.add_weight(
                shape=(num_tasks,),
                dtype="int32",
                initializer="zeros",
                trainable=False,
                name="copy",
            )
        self.num_tasks = num_tasks
        self.built = True
        self.regions = [[Bank(self.variable, 0, num_tasks, copy=self.copy)]]

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        return self.recorded(None, params[0][0], None, params[0][0][:, None] + tf.zeros_like(x))
