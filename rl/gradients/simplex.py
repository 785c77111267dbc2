"""Minimum over the simplex, for MGDA and CAGrad."""

from typing import Any, Callable

import tensorflow as tf

STEPS = 500  # at most; usually a few per task
TOLERANCE = 1e-5  # on the spread of the slope, for a kernel with a mean diagonal of 1
FLAT = 1e-6  # least curvature: between equal gradients it is 0


def minimum(
    kernel: tf.Tensor, mask: tf.Tensor, slope: tf.Tensor, rate: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """The w >= 0 with sum 1, over the tasks of `mask`, of the least slope.w + F(w'Kw) for concave F
    with F' = rate / 2.

    Moves weight from one task to another: to the one with the lowest slope, from the one that
    lowers the quadratic bound at w most. This is how support vector machines choose pairs (Fan,
    Chen and Lin, 2005: https://jmlr.org/papers/v6/fan05a.html), and like there few pairs are
    enough.
    """
    square, present = tf.linalg.diag_part(kernel), mask > 0
    # tf.gather below, not x[i]: for a slice with computed bounds XLA works through all of the
    # program before it, which takes minutes a call in a large one.

    def slopes(w: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        product = tf.linalg.matvec(kernel, w)
        bend = rate(tf.reduce_sum(w * product))
        return slope + bend * product, bend

    def move(n: tf.Tensor, w: tf.Tensor, _: tf.Tensor) -> Any:
        down, bend = slopes(w)
        to = tf.argmin(tf.where(present, down, down.dtype.max))
        gain = tf.where(w > 0, down - tf.gather(down, to), 0.0)
        curvature = tf.maximum(
            bend * (square + tf.gather(square, to) - 2 * tf.gather(kernel, to)), FLAT
        )
        source = tf.argmax(gain**2 / curvature)
        amount = tf.gather(tf.minimum(gain / curvature, w), source)
        change = tf.one_hot(to, len(w)) - tf.one_hot(source, len(w))
        return n + 1, w + amount * change, tf.reduce_max(gain)

    start = (tf.constant(0), tf.math.divide_no_nan(mask, tf.reduce_sum(mask)), tf.constant(1.0))
    return tf.while_loop(lambda n, w, gap: (n < STEPS) & (gap > TOLERANCE), move, start)[1]
