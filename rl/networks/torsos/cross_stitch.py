"""Cross-stitch networks: a network for each task, and after each of their hidden layers a weighted
sum of all networks' features in place of the own.

Misra et al., 2016: https://arxiv.org/abs/1604.03539
Reference implementation: none by the authors; as a part of
  https://github.com/SimonVandenhende/Multi-Task-Learning-PyTorch
Names and numbers of equations are the paper's.
Differs from them:
1. tasks have observations of their own, where there one image is labelled for all, so the samples
   of a task go through the networks of all tasks: T times the work of `independent` for T tasks, in
   acting too. Where a method wants each task's gradient, all these networks are there T times over;
2. a unit has one weight for each pair of tasks, as the paper's for detection and attributes; its
   other pair has one for each channel, as the code has;
3. of the last hidden layer only a task's own sum is taken, since nothing reads the others;
4. the units have the learning rate of all else, since Adam's steps don't depend on the scale of
   gradients; there, with SGD, 100 to 1000 times as much;
5. the networks start at random; there from networks trained for one task each;
6. the input ends with the task's one-hot code, unless `--task_onehot false`.
"""

import numpy as np
import tensorflow as tf

from rl.flags import torsos as flags
from rl.networks.banks import Bank
from rl.networks.stacks import StackNet, mixed


class CrossStitch(StackNet):
    """A column of dense layers for each task, stitched together after each hidden one; see
    TaskNet."""

    config: flags.CrossStitch

    def make(self, fan_in: int) -> None:
        *hidden, out = self.sizes
        self.columns = self.make_stack(fan_in, hidden, lead=(self.num_tasks,))
        self.stitches = [self.stitch(shared=True) for _ in hidden[1:]]
        self.last_stitch = self.stitch(shared=False)
        self.head = self.layer(hidden[-1], out, copies=self.num_tasks, gain=self.out_gain)

    def stitch(self, shared: bool) -> int:
        """Adds alpha, `([members, 1,] num_tasks, num_tasks)`, as a region: of the columns that are
        made, for all tasks if `shared`, or else a row for each task. Returns its number."""
        number = len(self.regions)
        alpha = first_alpha(self.num_tasks, self.config.stitch_alpha)
        copies = (1,) if shared else ()
        variable = self.add_weight(
            shape=(*self.lead, *copies, *alpha.shape),
            initializer=lambda shape, dtype: tf.broadcast_to(tf.cast(alpha, dtype), shape),
            name=f"alpha_{number}",
        )
        self.regions.append([Bank(variable, len(self.lead), self.num_tasks)])
        return number

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        first, *others = params[self.columns]
        features = self.activation(self.dense(tf.expand_dims(x, -4), first))
        for stitch, region in zip(self.stitches, others):
            (alpha,) = params[stitch]
            features = self.activation(self.dense(self.stitched(alpha, features), region))
        (alpha,) = params[self.last_stitch]
        return self.dense(mixed(alpha[..., None, :], features), params[self.head])

    def stitched(self, alpha: tf.Tensor, features: tf.Tensor) -> tf.Tensor:
        """Eq. 1 for features `([members,] columns, num_tasks, batch, units)`: the same shape."""
        alpha = tf.repeat(alpha, self.num_tasks // alpha.shape[-3], axis=-3)
        return tf.einsum("...tck,...ktbd->...ctbd", alpha, features)


def first_alpha(tasks: int, own: float) -> np.ndarray:
    """`(tasks, tasks)`, rows that add up to 1: `own` on the diagonal, the rest in equal parts
    beside it."""
    if tasks == 1:
        return np.ones((1, 1))
    alpha = np.full((tasks, tasks), (1 - own) / (tasks - 1))
    np.fill_diagonal(alpha, own)
    return alpha
