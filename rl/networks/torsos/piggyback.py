"""Piggyback: the frozen hidden layers of a network that has learned, of which each new task learns
a mask.

Mallya et al., 2018: https://arxiv.org/abs/1801.06519
Reference implementation: https://github.com/arunmallya/piggyback
A task adds a bit for each weight and a head. Nothing of the network that it rides on changes, so
that no task is forgotten.
Differs from them:
1. layers are dense ones, with their biases, and every task has scores for all of them; actor and
   critics ride on those of the other run, and each of twin critics on its own;
2. new tasks have no place in the one-hot code that the first layer may have read, and get none: its
   bias has the mean of what the code's entries added;
3. scores are kept within 0.05 of 0, ten times the threshold: without a bound one that has drifted
   far comes back late, if at all;
4. heads have the run's own optimiser and learning rate. Scores have Adam as there, but gradients
   are never divided by the mean size of a layer's weights, which Adam makes up for, and the rate
   doesn't fall but with the run's;
5. target networks average scores as all else, and have the masks of the averages, which lag behind.
"""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from rl.flags import torsos as flags
from rl.networks.banks import numbers_in
from rl.networks.layers import InitialKernels, Torso
from rl.networks.masks import ScoreBank, packed
from rl.networks.stacks import StackNet
from rl.networks.task_net import TaskNet

MOST = 0.05  # of a score, in size


class Bounded(tf.keras.constraints.Constraint):
    """Scores, within their bounds after every step."""

    def __call__(self, w: Any) -> tf.Tensor:
        return tf.clip_by_value(tf.convert_to_tensor(w), -MOST, MOST)


class Piggyback(StackNet):
    """Masked dense layers with an activation after each, and a head for each task; see TaskNet.

    Attributes:
      frozen: of each hidden layer kernel `([members,] 1, in, out)` and bias `([members,] 1, out)`,
        random until `adopt`.
      masked: the scores for their kernels.
    """

    config: flags.Piggyback

    def __init__(self, *args: Any, onehot: bool = True, **options: Any) -> None:
        del onehot  # see 2. above
        super().__init__(*args, onehot=False, **options)

    def make(self, fan_in: int) -> None:
        *hidden, out = self.sizes
        self.frozen: list[list[Any]] = []
        self.masked: list[ScoreBank] = []
        for width, units in zip((fan_in, *hidden), hidden):
            self._masked_layer(width, units)
        self.head = self.layer(hidden[-1], out, copies=self.num_tasks, gain=self.out_gain)
        self.structure = [bank.variable for bank in self.masked]

    def _masked_layer(self, fan_in: int, units: int) -> None:
        number = len(self.regions)
        kernel = self.add_weight(
            shape=(*self.lead, 1, fan_in, units),
            initializer=InitialKernels(self.initializer, self.hidden_gain),
            trainable=False,
            name=f"kernel_{number}",
        )
        bias = self.state((*self.lead, 1, units), f"bias_{number}")
        scores = self.add_weight(
            shape=(*self.lead, self.num_tasks, fan_in, units),
            initializer=tf.keras.initializers.Constant(flags.FIRST_SCORE),
            constraint=Bounded(),
            name=f"scores_{number}",
        )
        bank = ScoreBank(
            scores,
            len(self.lead),
            self.num_tasks,
            kernel=kernel,
            threshold=self.config.threshold,
            ternary=self.config.ternary,
        )
        self.frozen.append([kernel, bias])
        self.masked.append(bank)
        self.regions.append([bank])

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        *hidden, head = params
        for (kernel,), (_, bias) in zip(hidden, self.frozen):
            layer = (kernel, tf.convert_to_tensor(bias)[self.given.member])
            x = self.activation(self.dense(x, layer))
        return self.dense(x, head)

    def adopt(self, trained: Torso) -> None:
        """Takes the hidden layers of `trained`: those of a perceptron for one task, or that all of
        its tasks share, of whose one-hot code the mean goes into the bias.

        Raises:
          ValueError: they have other shapes.
        """
        for (kernel, bias), (learned_kernel, learned_bias) in zip(self.frozen, layers_of(trained)):
            fan_in = kernel.shape[-2]
            code = learned_kernel[..., fan_in:, :]
            if code.size:
                learned_bias = learned_bias + code.mean(axis=-2)
            kernel.assign(learned_kernel[..., :fan_in, :].reshape(kernel.shape))
            bias.assign(learned_bias.reshape(bias.shape))

    def numbers_used(self) -> int:
        """How many numbers of it some task uses: masks are no numbers, but bits."""
        count = numbers_in(self.regions[self.head])
        for bank, (_, bias) in zip(self.masked, self.frozen):
            count += bank.numbers_used() + math.prod(bias.shape)
        return count

    def packed(self) -> dict[str, Any]:
        """What the tasks add to the frozen layers: masks as bits, by layer, see rl.networks.masks,
        and kernel and bias of the heads."""
        head = [np.array(bank.variable) for bank in self.regions[self.head]]
        added = {"masks": packed([bank.kept() for bank in self.masked]), "head": head}
        negative = [bank.negative() for bank in self.masked if bank.ternary]
        return added | {"negative": packed(negative)} if negative else added


def layers_of(trained: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Kernel and bias of each layer of a perceptron, for one task or for several."""
    layers = []
    if isinstance(trained, TaskNet):
        for kernel, bias in trained.regions:
            layers.append((np.array(kernel.variable), np.array(bias.variable)))
    else:
        for kernel, bias in zip(trained.kernels, trained.biases):
            layers.append((np.array(kernel), np.array(bias)))
    return layers
