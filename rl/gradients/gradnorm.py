"""GradNorm: equal gradient norms, but for tasks that learn slowly.

Chen et al., 2018: https://arxiv.org/abs/1711.02257
Reference implementation: https://github.com/median-research-group/LibMTL (by others)
Differs from the paper:
1. norms are of the gradients of all shared parameters, which the Gram matrix has anyway, not of the
   last shared layer, and are divided by their root mean square over tasks at every update;
2. a loss is compared with its slow average, not with its first value, since losses of a moving
   target may grow;
3. after a step of Adam the weights that are below 0.01 are raised to it before all are divided by
   their mean: they sum to the number of tasks T, as in the paper, and Adam's averages stay as they
   are;
4. tasks without a gradient are left out: the weights of the others are applied times a factor that
   makes them sum to how many these are, and what is learned still sums to T over all tasks;
5. parameters of one task only keep weight 1; in the paper their loss is weighted too.
"""

import tensorflow as tf

from rl.flags import gradients as flags
from rl.gradients.adam import Adam
from rl.gradients.balancer import GramBalancer

SLOW = 0.999  # decay of the average of a loss, per update
LOWEST = 0.01
SMALL = 1e-8


class GradNorm(GramBalancer):
    """Learns weights w that bring w_t |g_t| to (their mean) * (relative loss of t) **
    gradnorm_alpha."""

    critic_only = True

    def __init__(self, num_tasks: int, config: flags.GradNorm) -> None:
        super().__init__(num_tasks, config)
        self.learned = self.variable(tf.ones(num_tasks))
        self.usual = self.variable(tf.zeros(num_tasks))
        self.updates = self.variable(0.0)
        self.adam = Adam(self, self.learned, config.task_weight_lr)

    def solve(self, kernel: tf.Tensor, mask: tf.Tensor, losses: tf.Tensor) -> tf.Tensor:
        """The weights so far; the next ones are learned."""
        weights = tf.identity(self.learned)
        mask = tf.cast(mask, tf.float32)
        norm = tf.cast(tf.sqrt(tf.linalg.diag_part(kernel)), tf.float32)
        count = tf.maximum(tf.reduce_sum(mask), 1.0)
        relative = self.relative_losses(losses, mask, count)
        mean_norm = tf.reduce_sum(weights * norm) / count
        wanted = mean_norm * relative**self.config.gradnorm_alpha
        self.adam.minimise(norm * tf.sign(weights * norm - wanted))
        learned = tf.maximum(self.learned, LOWEST)
        self.learned.assign(learned / tf.reduce_mean(learned))
        return tf.cast(weights, tf.float64)

    def relative_losses(self, losses: tf.Tensor, mask: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        """(T,): losses over their slow averages, which it moves, over the mean of that."""
        self.updates.assign_add(1.0)
        part = tf.maximum(1 - SLOW, 1 / self.updates)  # a plain average at first
        usual = self.usual.assign_add(part * (losses - self.usual))
        progress = (tf.nn.relu(losses) + SMALL) / (tf.nn.relu(usual) + SMALL)
        return tf.math.divide_no_nan(progress * count, tf.reduce_sum(mask * progress))
