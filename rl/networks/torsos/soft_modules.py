"""Soft modularization: layers of modules, whose outputs a routing network mixes by task and
observation.

Yang et al., 2020: https://arxiv.org/abs/2003.13661
Reference implementation: https://github.com/RchalYang/Soft-Module
As there, and unlike the paper's text: the activation follows the weighted sum, the encoded
observation is activated before the modules, all earlier probabilities decide on the next, and a
last weighted sum precedes the head.
Differs from it:
1. `--hidden_sizes` are those of the observation's encoder; modules and routing layers have
   `--module_units` each;
2. the layers that choose start with 0.01 of the usual kernel, the head as ever; there both within
   0.001 of zero;
3. the task's embedding has no bias that all tasks share;
4. the input ends with the task's one-hot code, unless `--task_onehot false`.
"""

import math
from typing import Any

import tensorflow as tf

from rl.networks.stacks import StackNet, mixed


class SoftModules(StackNet):
    """An encoder of the observation, layers of modules, and a head; see TaskNet.

    Args:
      modules: how many each layer has. module_layers: how many layers. module_units: units of a
        module, and of each of the two routing layers.
    """

    def __init__(
        self,
        *args: Any,
        modules: int = 2,
        module_layers: int = 2,
        module_units: int = 256,
        **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.modules = modules
        self.module_layers = module_layers
        self.units = module_units

    def make(self, fan_in: int) -> None:
        *encoder, out = self.sizes
        self.encoder = self.make_stack(fan_in, encoder)
        self.task = self.code(encoder[-1], 1 / math.sqrt(self.num_tasks))
        self.router = self.make_stack(encoder[-1], (self.units, self.units))
        choices = [self.modules**2] * (self.module_layers - 1) + [self.modules]
        self.recall = [
            self.layer(sum(choices[:k]), self.units) for k in range(1, self.module_layers)
        ]
        self.choose = [self.layer(self.units, choice, gain=0.01) for choice in choices]
        fan_ins = [encoder[-1]] + [self.units] * (self.module_layers - 1)
        self.module = [self.layer(width, self.units, lead=(self.modules,)) for width in fan_ins]
        self.head = self.layer(self.units, out, gain=self.out_gain)

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        encoded = self.stack(params[self.encoder], x)
        x = tf.expand_dims(self.activation(encoded), -4)
        for region, choice in zip(self.module, self.probabilities(params, encoded)):
            outputs = self.dense(x, params[region])
            sums = [mixed(weights, outputs) for weights in tf.unstack(choice, axis=-2)]
            x = self.activation(tf.stack(sums, axis=-4))
        return self.dense(x[..., 0, :, :, :], params[self.head])

    def probabilities(self, params: list[list[tf.Tensor]], encoded: tf.Tensor) -> list[tf.Tensor]:
        """For each layer `([members,] num_tasks, batch, modules of the next, modules)`; the next of
        the last is 1."""
        route = self.activation(encoded * params[self.task][0][..., None, :])
        route = self.stack(params[self.router], route)
        hidden = route
        probabilities: list[tf.Tensor] = []
        flat: list[tf.Tensor] = []
        for k, region in enumerate(self.choose):
            if k:
                hidden = self.dense(tf.concat(flat, axis=-1), params[self.recall[k - 1]]) * route
            logits = self.dense(self.activation(hidden), params[region])
            rows = [
                tf.nn.softmax(each)
                for each in tf.split(logits, logits.shape[-1] // self.modules, axis=-1)
            ]
            probabilities.append(tf.stack(rows, axis=-2))
            flat.append(tf.concat(rows, axis=-1))
        return probabilities
