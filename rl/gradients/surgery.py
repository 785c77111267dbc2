"""Gradient surgery: PCGrad and GradVac.

PCGrad. Yu et al., 2020: https://arxiv.org/abs/2001.06782
Reference implementation: https://github.com/tianheyu927/PCGrad
GradVac. Wang et al., 2021: https://arxiv.org/abs/2010.05874
Reference implementation: https://github.com/median-research-group/LibMTL (by others)
Differs from them:
1. all tasks at once, on coefficients of the original gradients: task i's is sum_k coef[i, k] g_k,
   and every inner product follows from Gram matrices;
2. a pair's inner product, norms and change are those of the regions that the two share;
3. each task visits the others, not itself, in a fresh random order (PCGrad's reference shuffles
   without effect);
4. GradVac's target cosine moves at every visit, as in the paper (LibMTL: only when it was missed),
   and stays within 0.99 where it is used; cosines are of the whole shared network, not of each
   layer.
"""

from typing import Any, Callable

import tensorflow as tf

from rl.gradients.balancer import Balancer

HIGHEST = 0.99  # target cosine of GradVac; at 1 no finite multiple of g_j reaches it


def random_orders(seed: tf.Tensor, num_tasks: int) -> tf.Tensor:
    """(T, T): for each task all others in a uniformly random order, then the task."""
    draw = tf.random.stateless_uniform((num_tasks, num_tasks), seed, alg="philox")
    return tf.argsort(tf.linalg.set_diag(draw, tf.fill((num_tasks,), 2.0)))


def operate(
    gram: tf.Tensor, share: tf.Tensor, orders: tf.Tensor, multiple: Callable[..., tf.Tensor]
) -> Any:
    """Adds to each task's gradient multiples of the others', one after the other in the order of
    `orders` (T, T).

    `multiple(cosine, target_of, ratio)` is how many g_j are added to g_i', for (T,) cosines between
    them and ratios |g_i'| / |g_j|; `target_of` picks entry (i, j) of a matrix. Returns weights (R,
    T) and cosines (T, T) as met.
    """
    tasks = gram.shape[-1]
    common = tf.cast(share != 0, gram.dtype)
    gram = share * gram
    squares = tf.linalg.diag_part(gram)[:, None, :]

    def visit(n: tf.Tensor, coef: tf.Tensor, dots: tf.Tensor, cosines: tf.Tensor) -> Any:
        """`dots` (R, T, T) are <g_i', g_j> of each region."""
        other = orders[:, n]
        pick = tf.one_hot(other, tasks)
        both = tf.reduce_sum(common * pick, axis=-1)
        dot = tf.reduce_sum(both * tf.reduce_sum(dots * pick, axis=-1), axis=0)
        mine = tf.sqrt(
            tf.reduce_sum(both * tf.nn.relu(tf.reduce_sum(coef * dots, axis=-1)), axis=0)
        )
        theirs = tf.sqrt(tf.reduce_sum(both * tf.reduce_sum(squares * pick, axis=-1), axis=0))
        cosine = tf.clip_by_value(tf.math.divide_no_nan(dot, mine * theirs), -1.0, 1.0)
        ratio = tf.math.divide_no_nan(mine, theirs)
        added = both * multiple(cosine, lambda matrix: tf.reduce_sum(matrix * pick, axis=-1), ratio)
        coef += added[..., None] * pick
        dots += added[..., None] * tf.gather(gram, other, axis=1)
        return n + 1, coef, dots, cosines + cosine[:, None] * pick

    coef = tf.eye(tasks, batch_shape=gram.shape[:1])
    start = (tf.constant(0), coef, gram, tf.zeros((tasks, tasks)))
    _, coef, _, cosines = tf.while_loop(lambda n, *_: n < tasks - 1, visit, start)
    return tf.reduce_sum(coef, axis=1), cosines


class PCGrad(Balancer):
    """Where two gradients conflict, each loses its part along the other."""

    def weights(self, losses: Any, gram: Any, share: Any, seed: Any) -> tf.Tensor:
        orders = random_orders(seed, self.num_tasks)
        return operate(
            gram, share, orders, lambda cosine, _, ratio: -tf.minimum(cosine, 0.0) * ratio
        )[0]


class GradVac(Balancer):
    """Where two gradients are less alike than they used to be, each gets a part of the other."""

    def __init__(self, num_tasks: int, config: Any) -> None:
        super().__init__(num_tasks, config)
        self.target = self.variable(tf.zeros((num_tasks, num_tasks)))

    def weights(self, losses: Any, gram: Any, share: Any, seed: Any) -> tf.Tensor:
        target = tf.clip_by_value(self.target, -HIGHEST, HIGHEST)

        def multiple(cosine: tf.Tensor, target_of: Any, ratio: tf.Tensor) -> tf.Tensor:
            wanted = target_of(target)
            # to turn g_i' by the angle that is missing: wanted / sqrt(1 - wanted^2) is a cotangent
            missing = wanted * tf.sqrt((1 - cosine**2) / (1 - wanted**2)) - cosine
            return tf.where(cosine < wanted, missing * ratio, 0.0)

        weights, cosines = operate(gram, share, random_orders(seed, self.num_tasks), multiple)
        self.target.assign_add(self.config.gradvac_beta * (cosines - self.target))
        return weights
