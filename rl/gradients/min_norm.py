"""Methods that treat all tasks alike: MGDA and IMTL-G.

MGDA, the shortest convex combination of the gradients. Désidéri, 2012:
https://doi.org/10.1016/j.crma.2012.03.014,
and Sener and Koltun, 2018: https://arxiv.org/abs/1810.04650
Reference implementation: https://github.com/isl-org/MultiObjectiveOptimization
IMTL-G, the combination with the same projection on every gradient. Liu et al., 2021:
https://openreview.net/forum?id=IMPnRXEWpvr
Reference implementation: https://github.com/median-research-group/LibMTL (by others)
Differs from them:
1. weights sum to the number of tasks, not to 1, so that equal gradients give the plain sum;
2. MGDA moves weight between pairs of tasks (`rl.gradients.simplex`) where the reference takes
   Frank-Wolfe steps, which slow down near the minimum; gradients are not normalised first;
3. IMTL-G solves one symmetric system of cosines, with 1e-4 added to its diagonal, and it is the
   sizes of its weights that sum to the number of tasks: some may be negative, and where their sum
   is, a sum of 1 would step uphill;
4. tasks without a gradient are left out (with them MGDA would stop all the others).
"""

import tensorflow as tf

from rl.gradients.balancer import GramBalancer
from rl.gradients.simplex import minimum

RIDGE = 1e-4


class MGDA(GramBalancer):
    """Minimises |sum_t w_t g_t|^2 over the simplex."""

    def solve(self, kernel: tf.Tensor, mask: tf.Tensor, losses: tf.Tensor) -> tf.Tensor:
        return minimum(kernel, mask, tf.zeros_like(mask), tf.ones_like)


class IMTLG(GramBalancer):
    """With u_t = g_t / |g_t|: (sum_s w_s g_s) . u_t is the same for all t."""

    def solve(self, kernel: tf.Tensor, mask: tf.Tensor, losses: tf.Tensor) -> tf.Tensor:
        norm = tf.sqrt(tf.linalg.diag_part(kernel)) + 1 - mask
        system = tf.linalg.set_diag(kernel / (norm * norm[:, None]), tf.ones_like(norm) + RIDGE)
        return tf.linalg.solve(system, tf.ones_like(norm)[:, None])[:, 0] / norm
