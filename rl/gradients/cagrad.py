"""Conflict-averse gradient descent (CAGrad).

Liu et al., 2021: https://arxiv.org/abs/2110.14048
Reference implementation: https://github.com/Cranial-XIX/CAGrad
Differs from it:
1. the step is divided by 1 + lambda, as in the reference's exact variant, and multiplied by the
   number of tasks: the weights sum to that number, so that equal gradients give the plain sum (the
   reference for RL divides by 1 + c^2);
2. the dual is solved to a tolerance by moving weight between pairs of tasks
   (`rl.gradients.simplex`), where the reference takes the best of 20 steps of gradient descent on
   logits;
3. tasks without a gradient are left out.
"""

import tensorflow as tf

from rl.flags import gradients as flags
from rl.gradients.balancer import GramBalancer
from rl.gradients.simplex import minimum

SMALL = 1e-12  # added to squared norms, whose mean over tasks is 1


class CAGrad(GramBalancer):
    """The d within c |g_0| of the mean gradient g_0 that maximises min_t g_t . d.

    It is g_0 + lambda g_w, g_w = sum_t w_t g_t, lambda = c |g_0| / |g_w|, for the w on the simplex
    that minimises g_w . g_0 + c |g_0| |g_w|.
    """

    config: flags.CAGrad

    def solve(self, kernel: tf.Tensor, mask: tf.Tensor, losses: tf.Tensor) -> tf.Tensor:
        count = tf.reduce_sum(mask)
        slope = tf.math.divide_no_nan(tf.linalg.matvec(kernel, mask), count)
        radius = self.config.cagrad_c * tf.sqrt(
            tf.nn.relu(tf.math.divide_no_nan(tf.reduce_sum(mask * slope), count))
        )

        def rate(square: tf.Tensor) -> tf.Tensor:
            return radius / tf.sqrt(tf.nn.relu(square) + SMALL)

        w = minimum(kernel, mask, slope, rate)
        length = tf.reduce_sum(w * tf.linalg.matvec(kernel, w))
        return 1 + count * rate(length) * w
