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
from typing import Any

import tensorflow as tf

from rl.networks.stacks import StackNet, mixed


class CARE(StackNet):
    """Dense layers on the mix of encoders and the task's context side by side; see TaskNet.

    Args:
      experts: how many encoders there are. embedding: units of the task's embedding and of the
        layers of encoders, context and attention.
    """

    def __init__(self, *args: Any, experts: int = 6, embedding: int = 50, **options: Any) -> None:
        super().__init__(*args, **options)
        self.experts = experts
        self.embedding = embedding

    def make(self, fan_in: int) -> None:
        size = self.embedding
        self.task = self.code(size, 1 / math.sqrt(size))
        self.context_layers = self.make_stack(size, (size, size, size))
        self.attention_layers = self.make_stack(size, (size, size, self.experts))
        self.encoders = self.make_stack(fan_in, (size, size), lead=(self.experts,))
        self.top = self.make_stack(2 * size, self.sizes, self.out_gain)

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        context = self.context(params)
        x = mixed(
            self.attention(params, context),
            self.stack(params[self.encoders], tf.expand_dims(x, -4)),
        )
        return self.stack(params[self.top], tf.concat([x, context + tf.zeros_like(x)], axis=-1))

    def context(self, params: list[list[tf.Tensor]]) -> tf.Tensor:
        """`([members,] num_tasks, 1, embedding)`."""
        task = params[self.task][0][..., None, :]
        return self.stack(params[self.context_layers], self.activation(task))

    def attention(self, params: list[list[tf.Tensor]], context: tf.Tensor) -> tf.Tensor:
        """Weights of the encoders `([members,] num_tasks, 1, experts)`; they don't train the
        context."""
        return tf.nn.softmax(self.stack(params[self.attention_layers], tf.stop_gradient(context)))
