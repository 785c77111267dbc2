"""Soft layer ordering: layers that all tasks share, each of them at every depth as far as a task
has learned to use it there.

Meyerson and Miikkulainen, 2018: https://arxiv.org/abs/1711.00108
Reference implementation: none by the authors; as a part of
  https://github.com/Lifelong-ML/Mendez2020Compositional
Names and numbers of equations are the paper's. `--order permuted` is its permuted ordering (eq. 3):
a random order of the layers for each task, which stays.
Differs from them:
1. there is no dropout after the shared layers;
2. encoders are linear and trained; the paper's are made for the data, such as random layers that
   aren't trained;
3. actor and critics have layers and scales of their own, each critic of an ensemble too; the
   permutations of an ensemble are the same;
4. scales start equal for all tasks, as in the paper; in the code the first tasks begin with one
   layer each;
5. the input ends with the task's one-hot code, unless `--task_onehot false`.
"""

import math
from typing import Any, Sequence

import numpy as np
import tensorflow as tf

from rl.flags import torsos as flags
from rl.networks.banks import Bank, numbers_in
from rl.networks.stacks import StackNet, mixed


class SoftOrder(StackNet):
    """An encoder of each task, as many depths as hidden layers, all of one size, and a decoder of
    each task; see TaskNet.

    Attributes:
      frozen: lists of variables that aren't trained.
    """

    config: flags.SoftOrder

    def make(self, fan_in: int) -> None:
        *hidden, out = self.sizes
        width = hidden[0]
        depths = len(hidden)
        self.frozen: list[list[Any]] = []
        self.encoder = self.layer(fan_in, width, copies=self.num_tasks)
        self.make_scales(depths)
        self.decoder = self.layer(width, out, copies=self.num_tasks, gain=self.out_gain)
        self.layers_region = self.layer(width, width, lead=(depths,))

    def make_scales(self, depths: int) -> None:
        """Adds what tells tasks how far to use each of as many layers as there are `depths`."""
        if self.config.order == "permuted":
            self.permutations = self.add_weight(
                shape=(self.num_tasks, depths, depths),
                initializer=random_permutations,
                trainable=False,
                name="permutations",
            )
            self.frozen.append([self.permutations])
            return
        self.logits = len(self.regions)
        logits = self.add_weight(
            shape=(*self.lead, self.num_tasks, depths, depths), initializer="zeros", name="logits"
        )
        self.regions.append([Bank(logits, len(self.lead), self.num_tasks)])

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        layers = self.shared_layers(params)
        y = self.dense(x, params[self.encoder])
        for scales in tf.unstack(self.scales(params), axis=-1):
            outputs = self.activation(self.dense(tf.expand_dims(y, -4), layers))
            y = mixed(scales[..., None, :], outputs)  # eq. 7
        return self.dense(y, params[self.decoder])

    def scales(self, params: list[list[tf.Tensor]]) -> tf.Tensor:
        """s, `([members,] num_tasks, layers, depths)`: how far a task uses a layer at a depth, in
        shares of 1."""
        if self.config.order == "permuted":
            return tf.convert_to_tensor(self.permutations)
        return tf.nn.softmax(params[self.logits][0], axis=-2)

    def shared_layers(self, params: list[list[tf.Tensor]]) -> Sequence[tf.Tensor]:
        """Kernel and bias `([members,] layers, num_tasks or 1, ...)` of W_1, W_2, ..."""
        return params[self.layers_region]


class MetaSoftOrder(SoftOrder):
    """Soft ordering for other tasks: the layers that a SoftOrder has learned, frozen, between
    encoders and decoders that are new."""

    def make(self, fan_in: int) -> None:
        super().make(fan_in)
        self.learned = [bank.variable for bank in self.regions.pop()]
        for variable in self.learned:
            variable.trainable = False
        self.frozen.append(self.learned)

    def shared_layers(self, params: list[list[tf.Tensor]]) -> Sequence[tf.Tensor]:
        kernel, bias = map(tf.convert_to_tensor, self.learned)
        return kernel[self.given.member], bias[self.given.member]

    def numbers_used(self) -> int:
        """How many numbers of it tasks use: all, the frozen ones too."""
        frozen = sum(math.prod(variable.shape) for variable in self.learned)
        return frozen + sum(map(numbers_in, self.regions))

    def adopt(self, trained: SoftOrder) -> None:
        """Takes the layers of `trained`."""
        for variable, bank in zip(self.learned, trained.regions[trained.layers_region]):
            variable.assign(bank.variable)

    def follow(self, trained: SoftOrder, tasks: Sequence[int]) -> None:
        """Task t's encoder, scales and decoder become those of the task numbered `tasks[t]` of
        `trained`."""
        for region, learned in zip(self.regions, trained.regions):
            for own, bank in zip(region, learned):
                own.variable.assign(np.take(np.array(bank.variable), tasks, axis=bank.axis))
        if self.config.order == "permuted":
            self.permutations.assign(np.take(np.array(trained.permutations), tasks, axis=0))


def random_permutations(shape: Sequence[int], dtype: Any = None) -> tf.Tensor:
    """For `add_weight`: s `(num_tasks, layers, depths)` of as many random orders, with a 1 for the
    layer at each depth."""
    draws = tf.keras.initializers.RandomUniform()(shape[:2])
    return tf.one_hot(tf.argsort(draws), shape[1], axis=1, dtype=dtype)
