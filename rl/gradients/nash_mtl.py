"""Nash-MTL: the tasks bargain over the step.

Navon et al., 2022: https://arxiv.org/abs/2202.01017
Reference implementation: https://github.com/AvivNavon/nash-mtl
Differs from it:
1. K a = 1 / a is solved as the minimum of a'Ka / 2 - sum(log a), which is convex, by Newton's
   method, where the reference goes through a sequence of convex programs; K is first scaled to a
   diagonal of ones;
2. weights are scaled to sum to the number of tasks, so that equal gradients give the plain sum, and
   are solved for at every update; gradients are clipped, if at all, by the optimiser;
3. tasks without a gradient are left out; where gradients cancel and no solution exists, Newton's
   last iterate is taken.
"""

import tensorflow as tf

from rl.gradients.balancer import GramBalancer

STEPS = 15
QUADRATIC = 0.25  # Newton's method takes full steps from this decrement on


def bargain(cosines: tf.Tensor) -> tf.Tensor:
    """The a > 0 (T,) with K a = 1 / a, for positive semidefinite K (T, T) with a diagonal of ones.

    In u = da / a a step solves (diag(a) K diag(a) + 1) u = 1 - a * Ka, whose matrix is never near
    singular.
    """
    eye, size = tf.eye(len(cosines)), float(len(cosines))
    a = tf.fill(cosines.shape[:1], tf.sqrt(size / tf.maximum(tf.reduce_sum(cosines), 1.0)))

    def step(n: tf.Tensor, a: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        scaled = a * a[:, None] * cosines
        right = 1 - tf.reduce_sum(scaled, axis=1)
        u = tf.linalg.solve(scaled + eye, right[:, None])[:, 0]
        decrement = tf.sqrt(tf.nn.relu(tf.reduce_sum(u * right)))
        return n + 1, a * (1 + u * tf.where(decrement < QUADRATIC, 1.0, 1 / (1 + decrement)))

    return tf.while_loop(lambda n, _: n < STEPS, step, (tf.constant(0), a))[1]


class NashMTL(GramBalancer):
    """The direction d in a ball that maximises sum_t log(g_t . d); no task gains by being
    scaled."""

    def solve(self, kernel: tf.Tensor, mask: tf.Tensor, losses: tf.Tensor) -> tf.Tensor:
        norm = tf.sqrt(tf.linalg.diag_part(kernel)) + 1 - mask
        cosines = tf.linalg.set_diag(kernel / (norm * norm[:, None]), tf.ones_like(norm))
        return bargain(cosines) / norm
