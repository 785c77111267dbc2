"""CARE, contextual attention-based representation: encoders of the observation, weighed by the
task.

Sodhani et al., 2021: https://arxiv.org/abs/2102.06177
Reference implementation: https://github.com/facebookresearch/mtrl
Differs from it:
1. the context is of a learned embedding of the task (its switch without metadata), not of a
   description in words;
2. actor and critics have encoders and contexts of their own, trained by their own losses; there
   they share them, and only the critics' loss trains them;
3. the task's embedding starts with length about 1; there about the square root of its size;
4. the input ends with the task's one-hot code, unless `--task_onehot false`.
"""

import math

import tensorflow as tf

from rl.flags import torsos as flags
from rl.networks.stacks import StackNet, mixed


class CARE(StackNet):
    """Dense layers on the mix of encoders and the task's context side by side; see TaskNet."""

    config: flags.CARE

    def make(self, fan_in: int) -> None:
        size = self.config.task_embedding
        experts = self.config.experts
        self.task = self.code(size, 1 / math.sqrt(size))
        self.context_layers = self.make_stack(size, (size, size, size))
        self.attention_layers = self.make_stack(size, (size, size, experts))
        self.encoders = self.make_stack(fan_in, (size, size), lead=(experts,))
        self.top = self.make_stack(2 * size, self.sizes, self.out_gain)

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        # the names are the paper's
        z_context = self.context(params)
        alpha = self.attention(params, z_context)
        encodings = self.stack(params[self.encoders], tf.expand_dims(x, -4))
        z_enc = mixed(alpha, encodings)
        z_s = tf.concat([z_enc, z_context + tf.zeros_like(z_enc)], axis=-1)
        return self.stack(params[self.top], z_s)

    def context(self, params: list[list[tf.Tensor]]) -> tf.Tensor:
        """z_context, `([members,] num_tasks, 1, task_embedding)`."""
        task = params[self.task][0][..., None, :]
        return self.stack(params[self.context_layers], self.activation(task))

    def attention(self, params: list[list[tf.Tensor]], context: tf.Tensor) -> tf.Tensor:
        """alpha, the encoders' weights `([members,] num_tasks, 1, experts)`; they don't train the
        context."""
        return tf.nn.softmax(self.stack(params[self.attention_layers], tf.stop_gradient(context)))
