"""Soft modularization: layers of modules, whose outputs a routing network mixes by task and
observation.

Yang et al., 2020: https://arxiv.org/abs/2003.13661
Reference implementation: https://github.com/RchalYang/Soft-Module
As there, and unlike the paper's text: the activation follows the weighted sum, the encoded
observation is activated before the modules, all earlier probabilities decide on the next, and a
last weighted sum precedes the head. Names and numbers of equations are the paper's.
Differs from it:
1. `--hidden_sizes` are those of the observation's encoder; modules and routing layers have
   `--module_units` each;
2. the layers that choose start with 0.01 of the usual kernel, the head as ever; there both within
   0.001 of zero;
3. the task's embedding has no bias that all tasks share;
4. the input ends with the task's one-hot code, unless `--task_onehot false`.
"""

import math

import tensorflow as tf

from rl.flags import torsos as flags
from rl.networks.stacks import StackNet, mixed


class SoftModules(StackNet):
    """An encoder of the observation, layers of modules, and a head; see TaskNet."""

    config: flags.SoftModules

    def make(self, fan_in: int) -> None:
        *encoder_sizes, out = self.sizes
        width = encoder_sizes[-1]
        modules = self.config.modules
        layers = self.config.module_layers
        units = self.config.module_units
        # How many probabilities there are of each layer; after the last there is one sum.
        counts = [modules**2] * (layers - 1) + [modules]
        self.f = self.make_stack(fan_in, encoder_sizes)
        self.task = self.code(width, 1 / math.sqrt(self.num_tasks))
        self.router = self.make_stack(width, (units, units))
        self.w_u = [self.layer(sum(counts[:k]), units) for k in range(1, layers)]
        self.w_d = [self.layer(units, count, gain=0.01) for count in counts]
        fan_ins = [width] + [units] * (layers - 1)
        self.modules = [self.layer(size, units, lead=(modules,)) for size in fan_ins]
        self.head = self.layer(units, out, gain=self.out_gain)

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        f = self.stack(params[self.f], x)
        g = tf.expand_dims(self.activation(f), -4)
        for region, p in zip(self.modules, self.probabilities(params, f)):
            outputs = self.dense(g, params[region])
            sums = [mixed(weights, outputs) for weights in tf.unstack(p, axis=-2)]  # eq. 8
            g = self.activation(tf.stack(sums, axis=-4))
        return self.dense(g[..., 0, :, :, :], params[self.head])

    def probabilities(self, params: list[list[tf.Tensor]], f: tf.Tensor) -> list[tf.Tensor]:
        """The p of each layer, `([members,] num_tasks, batch, modules of the next, modules)`; the
        next of the last is 1. f is the encoded observation."""
        z = params[self.task][0][..., None, :]
        route = self.stack(params[self.router], self.activation(f * z))
        embedding = route
        probabilities: list[tf.Tensor] = []
        earlier: list[tf.Tensor] = []  # the same, flat
        for k, w_d in enumerate(self.w_d):
            if k > 0:
                recalled = self.dense(tf.concat(earlier, axis=-1), params[self.w_u[k - 1]])
                embedding = recalled * route  # eq. 5, of all layers before
            logits = self.dense(self.activation(embedding), params[w_d])
            rows = tf.split(logits, logits.shape[-1] // self.config.modules, axis=-1)
            rows = [tf.nn.softmax(row) for row in rows]  # eq. 7
            probabilities.append(tf.stack(rows, axis=-2))
            earlier.append(tf.concat(rows, axis=-1))
        return probabilities
