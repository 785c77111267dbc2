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
4. GradVac has one target cosine for each ordered pair of tasks and the whole shared network; the
   paper one for each layer too;
5. a target is used within -0.99 and 0.99, and kept as it is.
As in the paper GradVac measures the cosine of a pair (i, j) when i visits j: of g_i' as the visits
before have left it, and the original g_j, and before this visit changes g_i'. Every target starts
at 0 and moves once an update, by gradvac_beta of the way to the cosine measured, whether it was
missed or not (LibMTL: only if missed); a gradient of 0 has cosine 0. What an update uses are the
targets from before it.
"""

from typing import Any

import tensorflow as tf

from rl.flags import gradients as flags
from rl.gradients.balancer import Balancer

HIGHEST = 0.99  # target cosine of GradVac; at 1 no finite multiple of g_j reaches it


def random_orders(seed: tf.Tensor, num_tasks: int) -> tf.Tensor:
    """(T, T): for each task all others in a uniformly random order, then the task."""
    draw = tf.random.stateless_uniform((num_tasks, num_tasks), seed, alg="philox")
    return tf.argsort(tf.linalg.set_diag(draw, tf.fill((num_tasks,), 2.0)))


def operate(
    gram: tf.Tensor, share: tf.Tensor, orders: tf.Tensor, target: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Lets each task visit the others in the order of `orders` (T, T). Where task i's gradient g_i'
    has a smaller cosine with g_j than `target` (T, T), it gets the multiple of g_j that makes them
    equal.

    Returns weights (R, T) of the original gradients, and the cosines (T, T) as met.
    """
    tasks = gram.shape[-1]
    common = tf.cast(share != 0, gram.dtype)
    gram = share * gram
    squares = tf.linalg.diag_part(gram)[:, None, :]

    def visit(n: tf.Tensor, coef: tf.Tensor, dots: tf.Tensor, cosines: tf.Tensor) -> Any:
        """`dots` (R, T, T) are <g_i', g_j> of each region."""
        other = orders[:, n]
        pick = tf.one_hot(other, tasks)

        def of_other(matrix: tf.Tensor) -> tf.Tensor:
            return tf.reduce_sum(matrix * pick, axis=-1)

        both = of_other(common)
        dot = tf.reduce_sum(both * of_other(dots), axis=0)
        my_square = tf.nn.relu(tf.reduce_sum(coef * dots, axis=-1))
        my_norm = tf.sqrt(tf.reduce_sum(both * my_square, axis=0))
        other_norm = tf.sqrt(tf.reduce_sum(both * of_other(squares), axis=0))
        cosine = tf.math.divide_no_nan(dot, my_norm * other_norm)
        cosine = tf.clip_by_value(cosine, -1.0, 1.0)

        wanted = of_other(target)
        # to turn g_i' by the angle that is missing: wanted / sqrt(1 - wanted^2) is a cotangent
        missing = wanted * tf.sqrt((1 - cosine**2) / (1 - wanted**2)) - cosine
        ratio = tf.math.divide_no_nan(my_norm, other_norm)
        added = both * tf.where(cosine < wanted, missing * ratio, 0.0)
        coef += added[..., None] * pick
        dots += added[..., None] * tf.gather(gram, other, axis=1)
        return n + 1, coef, dots, cosines + cosine[:, None] * pick

    coef = tf.eye(tasks, batch_shape=gram.shape[:1])
    start = (tf.constant(0), coef, gram, tf.zeros((tasks, tasks)))
    _, coef, _, cosines = tf.while_loop(lambda n, *_: n < tasks - 1, visit, start)
    return tf.reduce_sum(coef, axis=1), cosines


class PCGrad(Balancer):
    """Where two gradients conflict, each loses its part along the other: their cosine becomes 0."""

    def weights(self, losses: Any, gram: Any, share: Any, seed: Any) -> tf.Tensor:
        orders = random_orders(seed, self.num_tasks)
        weights, _ = operate(gram, share, orders, tf.zeros((self.num_tasks, self.num_tasks)))
        return weights


class GradVac(Balancer):
    """Where two gradients are less alike than they used to be, each gets a part of the other."""

    def __init__(self, num_tasks: int, config: flags.GradVac) -> None:
        super().__init__(num_tasks, config)
        self.target = self.variable(tf.zeros((num_tasks, num_tasks)))

    def weights(self, losses: Any, gram: Any, share: Any, seed: Any) -> tf.Tensor:
        orders = random_orders(seed, self.num_tasks)
        target = tf.clip_by_value(self.target, -HIGHEST, HIGHEST)
        weights, cosines = operate(gram, share, orders, target)
        self.target.assign_add(self.config.gradvac_beta * (cosines - self.target))
        return weights
