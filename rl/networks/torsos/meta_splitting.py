"""Meta-splitting networks: what a splitting network has learned, frozen, and mixed anew for other
tasks.

Crawshaw's method. Reference implementation: https://github.com/mtcrawshaw/meta
(meta/networks/splitting/meta.py)
Of each layer a task learns how much of every copy it uses, and nothing else: a handful of numbers.
Differs from it:
1. by `--meta_softmax` the weights of a layer's copies are shares of 1, by `--meta_mix weights`
   parameters are mixed, not outputs;
2. where kernels and biases split apart a copy of a layer is a pair of them that some training task
   used;
3. critics are mixed too, for any algorithm; there PPO's;
4. by `--start best` a task starts from the copies that one training task used, not from all alike.
"""

import math
from typing import Any, Iterable, Sequence

import numpy as np
import tensorflow as tf

from rl.flags import torsos as flags
from rl.networks.banks import Bank, MixBank, numbers_in
from rl.networks.stacks import StackNet, mixed
from rl.networks.torsos.splitting import Splitting

# By softmax, the first share of the copies that a task starts from: at 1 nothing could move.
FIRST = 0.9


class MetaSplitting(StackNet):
    """Dense layers with an activation after all but the last, of mixed frozen copies; see TaskNet.

    Attributes:
      frozen: of each layer kernel, bias, and 1 for every copy, 0 for mere room.
    """

    config: flags.MetaSplitting
    trained = False

    def make(self, fan_in: int) -> None:
        copies = self.config.meta_copies
        self.frozen: list[list[Any]] = []
        first_weight = 0.0 if self.config.meta_softmax else 1 / copies
        for k, units in enumerate(self.sizes):
            mix = self.add_weight(
                shape=(*self.lead, self.num_tasks, copies),
                initializer=tf.keras.initializers.Constant(first_weight),
                name=f"mix_{k}",
            )
            gain = self.out_gain if k == len(self.sizes) - 1 else self.hidden_gain
            self.layer(fan_in, units, copies=copies, gain=gain, kind=MixBank, mix=mix)
            kernel, bias = (bank.variable for bank in self.regions.pop())
            used = self.add_weight(
                shape=(copies,), initializer="ones", trainable=False, name=f"used_{k}"
            )
            self.frozen.append([kernel, bias, used])
            self.regions.append([Bank(mix, len(self.lead), self.num_tasks)])
            fan_in = units

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        for k, ((mix,), frozen) in enumerate(zip(params, self.frozen)):
            kernel, bias, used = map(tf.convert_to_tensor, frozen)
            kernel = kernel[self.given.member]
            bias = bias[self.given.member]
            activation = self.activation if k < len(self.sizes) - 1 else tf.identity
            if self.config.meta_softmax:
                weights = tf.nn.softmax(mix + tf.math.log(used))
            else:
                weights = mix * used
            if self.config.meta_mix == "weights":
                task_kernel = tf.einsum("...tc,...cio->...tio", weights, kernel)
                task_bias = tf.matmul(weights, bias)
                x = activation(self.dense(x, (task_kernel, task_bias)))
            else:
                copies = (kernel[..., None, :, :], bias[..., None, :])
                outputs = activation(self.dense(tf.expand_dims(x, -4), copies))
                x = mixed(weights[..., None, :], outputs)
        return x

    def numbers_used(self) -> int:
        """How many numbers of it some task uses: mixes, and the copies that are no mere room."""
        count = sum(map(numbers_in, self.regions))
        for kernel, bias, used in self.frozen:
            numbers = math.prod(kernel.shape) + math.prod(bias.shape)
            count += numbers // self.config.meta_copies * int(np.array(used).sum())
        return count

    def adopt(self, trained: Splitting) -> None:
        """Takes the copies of `trained` that some task of its uses, with equal weights."""
        for (kernel, bias, used), region, banks in zip(
            self.frozen, self.regions, trained.layers_of_banks()
        ):
            rows, _ = copies_used(banks)
            copies = self.config.meta_copies
            room = np.pad(rows, ((0, copies - len(rows)), (0, 0)), mode="edge")
            for variable, bank, chosen in zip((kernel, bias), banks, room.T):
                variable.assign(np.take(np.array(bank.variable), chosen, axis=bank.axis))
            used.assign(np.arange(copies) < len(rows))
            if not self.config.meta_softmax:
                mix = region[0].variable
                mix.assign(tf.ones_like(mix) / len(rows))

    def follow(self, trained: Splitting, tasks: Sequence[int]) -> None:
        """Task t's weights go to the copies that the task numbered `tasks[t]` of `trained` uses."""
        for (bank,), banks in zip(self.regions, trained.layers_of_banks()):
            rows, used = copies_used(banks)
            chosen = np.eye(self.config.meta_copies)[used[np.asarray(tasks)]]
            if self.config.meta_softmax:
                chosen *= np.log(max(1, len(rows) - 1) * FIRST / (1 - FIRST))
            bank.variable.assign(np.broadcast_to(chosen, bank.variable.shape))


def copies_used(banks: Iterable[Bank]) -> tuple[np.ndarray, np.ndarray]:
    """`(copies, banks)`: which rows of a layer's banks some task uses together, each once;
    `(num_tasks,)`: whose."""
    rows = np.stack([np.array(bank.copy) for bank in banks], axis=-1)
    copies, used = np.unique(rows, axis=0, return_inverse=True)
    return copies, used.reshape(-1)
