"""FiLM: layers that all tasks share, each feature scaled and shifted by the task.

Perez et al., 2018: https://arxiv.org/abs/1709.07871
Reference implementation: https://github.com/rainx0r/metaworld-algorithms (as a torso for several
  tasks)
Differs from it:
1. the hidden layers of the network itself are modulated, not those of an encoder before it;
2. a scale and a shift for each feature, before the activation, as in the paper; there one number of
   each for a layer, after it;
3. they are linear in the task's embedding, not a perceptron of it, and 1 + scale starts at 1: all
   tasks begin alike;
4. the input ends with the task's one-hot code, unless `--task_onehot false`.
"""

import math

import tensorflow as tf

from rl.flags import torsos as flags
from rl.networks.stacks import StackNet


class FiLM(StackNet):
    """Dense layers, h -> h * (1 + scale) + shift after all but the last; see TaskNet."""

    config: flags.FiLM

    def make(self, fan_in: int) -> None:
        size = self.config.task_embedding
        self.layer_regions = self.make_stack(fan_in, self.sizes, self.out_gain)
        self.task = self.code(size, 1 / math.sqrt(size))
        self.modulators = [self.layer(size, 2 * units, gain=0.0) for units in self.sizes[:-1]]

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        *hidden, last = params[self.layer_regions]
        task = params[self.task][0][..., None, :]
        for region, modulator in zip(hidden, self.modulators):
            scale, shift = tf.split(self.dense(task, params[modulator]), 2, axis=-1)
            x = self.activation(self.dense(x, region) * (1 + scale) + shift)
        return self.dense(x, last)
