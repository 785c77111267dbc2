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

STEPS = 50  # at most; 4 where gradients are nearly orthogonal, 13 where they nearly cancel
TOLERANCE = 1e-4  # on |a * Ka - 1|
CANCEL = 1e-7  # |sum_t a_t g_t|^2 over (sum_t a_t |g_t|)^2 that float32 can't tell from 0


def bargain(cosines: tf.Tensor) -> tf.Tensor:
    """The a > 0 (T,), float64, with K a = 1 / a, for positive semidefinite K (T, T) with a diagonal
    of ones.

    In u = da / a Newton's step solves (diag(a) K diag(a) + 1) u = 1 - a * Ka, whose matrix is never
    near singular. It is divided by 1 + m for the largest fall m of a component of u: because of
    -log(1 + x) <= -x + x^2 / (2 (1 - m)) for x >= -m, that always lowers the objective, and near
    the minimum it is the whole step.

    At the solution |sum_t a_t g_t|^2 = a'Ka = T. Where none exists a grows without end, and the
    search ends when it is so large that gradients with that sum would cancel.
    """
    cosines = tf.cast(cosines, tf.float64)
    size = cosines.shape[0]
    eye = tf.eye(size, dtype=tf.float64)

    def missing(a: tf.Tensor) -> tf.Tensor:
        return 1 - a * tf.linalg.matvec(cosines, a)

    def unsolved(n: tf.Tensor, a: tf.Tensor, right: tf.Tensor) -> tf.Tensor:
        far = tf.reduce_max(tf.abs(right)) > TOLERANCE
        solvable = CANCEL * tf.reduce_sum(a) ** 2 < size
        return (n < STEPS) & far & solvable

    def step(n: tf.Tensor, a: tf.Tensor, right: tf.Tensor) -> tuple[tf.Tensor, ...]:
        system = a * a[:, None] * cosines + eye
        u = tf.linalg.solve(system, right[:, None])[:, 0]
        fall = tf.nn.relu(-tf.reduce_min(u))
        a *= 1 + u / (1 + fall)
        return n + 1, a, missing(a)

    # exact where all cosines are the same
    length = tf.maximum(tf.reduce_sum(cosines), 1.0)
    a = tf.fill([size], tf.sqrt(size / length))
    _, a, _ = tf.while_loop(unsolved, step, (tf.constant(0), a, missing(a)))
    return a


class NashMTL(GramBalancer):
    """The direction d in a ball that maximises sum_t log(g_t . d); no task gains by being
    scaled."""

    def solve(self, kernel: tf.Tensor, mask: tf.Tensor, losses: tf.Tensor) -> tf.Tensor:
        norm = tf.sqrt(tf.linalg.diag_part(kernel)) + 1 - mask
        cosines = tf.linalg.set_diag(kernel / (norm * norm[:, None]), tf.ones_like(norm))
        return bargain(cosines) / norm
