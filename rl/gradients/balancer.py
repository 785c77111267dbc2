"""What a gradient-balancing method is: task losses and Gram matrices in, weights of the task
gradients out.

The gradient g_t of task t's loss is cut into R regions, the layers. Gram matrices (R, T, T) hold
<g_s, g_t> of each region, and `share` (R, T, T) how far s and t have that region's parameters in
common: 1 for the same copy, 0 for copies of their own, A A^T for copies mixed by A (T, copies).
Members of a layer that mix by an A of their own are regions of their own. What is applied to a
region is sum_t weights_t g_t; A itself is no part of it, its rows are each a task's own.

A method that works on gradients sees those of shared parameters only. A region that a task shares
with nobody keeps weight 1, and the Gram matrix of the whole network is the sum over regions of
share * gram without it.
"""

from typing import Any

import tensorflow as tf

TINY = 1e-12  # a squared norm below this fraction of the largest is none


class Balancer:
    """Base of all methods. `weights`, and `after` where there is one, run inside XLA-compiled
    functions.

    Args:
      config: the method's own flags, its dataclass in rl.flags.gradients.

    Attributes:
      needs_gram: whether `weights` reads `gram` and `share`, and returns (R, T); otherwise they may
        be None and it returns (T,).
      critic_only: sound only for losses that are never negative.
      needs_losses_after: `after(losses, new_losses)` wants the same batch's losses after the
        parameters' step.
      variables: all state, as non-trainable variables.
    """

    needs_gram = True
    critic_only = False
    needs_losses_after = False

    def __init__(self, num_tasks: int, config: Any) -> None:
        self.num_tasks = num_tasks
        self.config = config
        self.variables: list[Any] = []

    def variable(self, value: Any) -> Any:
        """A new float32 entry of `variables`."""
        self.variables.append(tf.Variable(value, trainable=False, dtype=tf.float32))
        return self.variables[-1]

    def weights(self, losses: Any, gram: Any, share: Any, seed: Any) -> tf.Tensor:
        """Weights for losses (T,), gram and share (R, T, T), and two int32 that seed random
        draws."""
        raise NotImplementedError


class Sum(Balancer):
    """Every task counts once."""

    needs_gram = False

    def weights(self, losses: Any, gram: Any, share: Any, seed: Any) -> tf.Tensor:
        return tf.ones_like(losses)


class GramBalancer(Balancer):
    """A method that is a function of the whole network's Gram matrix. Tasks without a gradient take
    no part.

    Weights are scaled to a mean of 1 (in size, where some are negative), so that a step is as long
    as the sum's.
    """

    def weights(self, losses: Any, gram: Any, share: Any, seed: Any) -> tf.Tensor:
        # in float64: squared norms that are 1e6 apart, and sums of gradients that nearly cancel
        kernel = tf.cast(shared_gram(gram, share), tf.float64)
        square = tf.linalg.diag_part(kernel)
        present = square > TINY * tf.reduce_max(square)
        mask = tf.cast(present, tf.float64)
        count = tf.reduce_sum(mask)
        # entries near 1, for tolerances; a task that is absent is orthogonal to all
        scale = tf.math.divide_no_nan(count, tf.reduce_sum(mask * square))
        raw = mask * self.solve(scale * kernel * mask * mask[:, None], mask, losses)
        scaled = raw * tf.math.divide_no_nan(count, tf.reduce_sum(tf.abs(raw)))
        return tf.where(shared_regions(share) & present, tf.cast(scaled, tf.float32), 1.0)

    def solve(self, kernel: tf.Tensor, mask: tf.Tensor, losses: tf.Tensor) -> tf.Tensor:
        """Finite float64 numbers (T,) in proportion to the weights of the tasks that have `mask` 1.

        `kernel` (T, T), float64 like `mask`, has a mean diagonal of 1 over those tasks and is 0 for
        others; all may be absent.
        """
        raise NotImplementedError


def shared_regions(share: tf.Tensor) -> tf.Tensor:
    """(R, T): whether task t has parameters of region r in common with another task."""
    return tf.reduce_any(tf.linalg.set_diag(share, tf.zeros_like(share[..., 0])) != 0, axis=-1)


def shared_gram(gram: tf.Tensor, share: tf.Tensor) -> tf.Tensor:
    """(T, T): inner products of the gradients of all shared parameters."""
    shared = tf.cast(shared_regions(share), gram.dtype)
    return tf.reduce_sum(shared[..., None] * share * gram, axis=0)
