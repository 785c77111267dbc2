"""Learned numbers that depend on the task at most."""

import tensorflow as tf

from rl.networks.banks import Bank, TaskNet


class Constants(TaskNet):
    """`units` numbers, from `start`: one copy of them for all tasks, or one for each.

    Unlike other TaskNets it has no input, and it serves a single task too (`num_tasks` 1).
    """

    def __init__(self, units: int, start: float, copies: int, num_tasks: int) -> None:
        super().__init__((units,), onehot=False)
        initializer = tf.keras.initializers.Constant(start)
        self.variable = self.add_weight(shape=(copies, units), initializer=initializer, name="constants")
        self.regions, self.built = [[Bank(self.variable, 0, num_tasks)]], True

    def value(self) -> tf.Tensor:
        """`(num_tasks or 1, units)`."""
        return (self.given or self.expand(full=False))[0][0]
