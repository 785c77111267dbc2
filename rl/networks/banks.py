"""Parameters that tasks share, copy or mix, and networks as functions of each task's own.

A forward pass takes every task's parameters, `(*lead, num_tasks, ...)`, which `expand` makes from the variables. Row t
of them touches the loss of task t alone, so the gradient of the summed losses is every task's at once; see
rl.gradients.per_task.
"""

import contextlib
from typing import Any, Iterable, Iterator, Optional, Sequence

import numpy as np
import tensorflow as tf

from rl.networks.mlp import ACTIVATIONS, INITIALIZERS, matmul


class Bank:
    """A variable `(*lead, copies, ...)` with one copy for all tasks, one for each, or some that they choose or mix.

    Args:
      variable: the copies. axis: their place among its axes. num_tasks: T; copies is 1 or T but for a map:
      copy: int32 `(num_tasks,)`, the copy that each task uses. mix: `([members,] num_tasks, copies)`, their weights.
    """

    def __init__(self, variable: Any, axis: int, num_tasks: int, copy: Any = None, mix: Any = None) -> None:
        self.variable, self.axis, self.num_tasks, self.copy, self.mix = variable, axis, num_tasks, copy, mix
        self.copies, self.mapped = variable.shape[axis], copy is not None or mix is not None
        if not self.mapped and self.copies not in (1, num_tasks):
            raise ValueError(f"{self.copies} copies for {num_tasks} tasks need a map")

    def expand(self, full: bool) -> tf.Tensor:
        """`(*lead, num_tasks, ...)`; what all share may stay `(*lead, 1, ...)` unless `full`."""
        if not self.mapped:
            shape = list(self.variable.shape)
            shape[self.axis] = self.num_tasks
            return tf.broadcast_to(self.variable, shape) if full else tf.convert_to_tensor(self.variable)
        # Copies too by a product with ones and zeros: its gradient is a dense sum in a fixed order, tf.gather's is not.
        flat = tf.reshape(self.variable, (*self.variable.shape[: self.axis + 1], -1))
        rows = tf.matmul(self.weights(), flat)
        return tf.reshape(rows, (*rows.shape[:-1], *self.variable.shape[self.axis + 1 :]))

    def weights(self) -> tf.Tensor:
        """`([members,] num_tasks, copies)`: how much of each copy makes up a task's parameters."""
        if self.mix is not None:
            return tf.convert_to_tensor(self.mix)
        if self.copy is not None:
            return tf.one_hot(self.copy, self.copies)
        return tf.ones((self.num_tasks, 1)) if self.copies == 1 else tf.eye(self.num_tasks)

    def share(self) -> tf.Tensor:
        """`(num_tasks, num_tasks)`, 1 where two tasks use the same copy; inner products of mixes, mean of members."""
        weights = tf.reshape(self.weights(), (-1, self.num_tasks, self.copies))
        return tf.reduce_mean(tf.matmul(weights, weights, transpose_b=True), axis=0)


def copy_rows(variables: Iterable[Any], axis: int, src: int, dst: int) -> None:
    """Row `src` along `axis` over row `dst`, of a bank's variable, its target network's and its optimiser slots."""
    for variable in variables:
        rows = np.moveaxis(np.array(variable), axis, 0)
        rows[dst] = rows[src]
        variable.assign(np.moveaxis(rows, 0, axis))


class TaskNet(tf.keras.Model):
    """A torso for `(num_tasks, batch, dim)`; subclasses have `make` and `forward`.

    Args:
      sizes, activation, initializer, members, out_gain, precision: as MLP's.
      onehot: whether the input ends with the task's one-hot code.

    Input shape: `(num_tasks, batch, in)`. Output shape: `([members,] num_tasks, batch, sizes[-1])`.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "relu",
        initializer: str = "glorot_uniform",
        members: Optional[int] = None,
        out_gain: Any = 1.0,
        precision: str = "float32",
        onehot: bool = True,
    ) -> None:
        super().__init__()
        self.sizes, self.initializer, self.precision, self.onehot = tuple(sizes), initializer, precision, onehot
        self.lead = () if members is None else (members,)
        self.hidden_gain, self.out_gain = INITIALIZERS[initializer], np.array(out_gain, np.float32)
        self.activation = ACTIVATIONS[activation][0]
        self.given: Any = None

    def build(self, input_shape: Any) -> None:
        """Makes every variable; `num_tasks` is the first of `input_shape`."""
        self.num_tasks = input_shape[0]
        self.regions: list[list[Bank]] = []
        self.make(input_shape[-1] + (self.num_tasks if self.onehot else 0))
        self.parameters = [bank.variable for region in self.regions for bank in region]  # where SavedModel looks
        self.built = True

    def make(self, fan_in: int) -> None:
        """Adds the layers, for inputs of size `fan_in`."""
        raise NotImplementedError

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        """The network with each task's parameters, by region; x is `(num_tasks, batch, in)`."""
        raise NotImplementedError

    def expand(self, full: bool = True) -> list[list[tf.Tensor]]:
        """Each task's parameters, by region; see `Bank.expand`."""
        return [[bank.expand(full) for bank in region] for region in self.regions]

    @contextlib.contextmanager
    def using(self, params: list[list[tf.Tensor]]) -> Iterator[None]:
        """Within it `call` takes `params` for what `expand` makes."""
        self.given = params
        yield
        self.given = None

    def call(self, x: tf.Tensor, member: Optional[int] = None) -> tf.Tensor:
        """All members, or `member` alone."""
        params = self.given or self.expand(full=False)
        if member is not None:
            params = [[param[member] for param in region] for region in params]
        if self.onehot:
            code = tf.broadcast_to(tf.eye(self.num_tasks)[:, None], (*tf.unstack(tf.shape(x)[:2]), self.num_tasks))
            x = tf.concat([x, code], axis=-1)
        return self.forward(params, x)

    def dense(self, x: tf.Tensor, params: Sequence[tf.Tensor]) -> tf.Tensor:
        """`(..., tasks, batch, in)` by a kernel and a bias `(..., tasks or 1, ...)`: `(..., tasks, batch, out)`."""
        kernel, bias = params
        if kernel.shape[-3] > 1 or x.shape[-3] == 1:
            return matmul(x, kernel, self.precision) + bias[..., None, :]
        batch = tf.shape(x)[-2]  # shared: the samples of all tasks in one product
        flat = tf.reshape(x, (*x.shape[:-3], -1, x.shape[-1]))
        flat = matmul(flat, kernel[..., 0, :, :], self.precision) + bias
        return tf.reshape(flat, (*flat.shape[:-2], x.shape[-3], batch, flat.shape[-1]))
