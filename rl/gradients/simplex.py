"""Minimum over the simplex, for MGDA and CAGrad."""

from typing import Any, Callable

import tensorflow as tf

STEPS = 1000  # at most; usually a few per task
TOLERANCE = 5e-4  # on the gap, as a fraction of rate * w'Kw
CANCEL = 1e-6  # and, for gradients that cancel, of rate * (sum_t w_t |g_t|)^2
FLAT = 1e-7  # least curvature, as a fraction of that between orthogonal gradients
SMALLEST = 1e-30  # a divisor that isn't 0


def minimum(
    kernel: tf.Tensor, mask: tf.Tensor, slope: tf.Tensor, rate: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """The w >= 0 with sum 1, over the tasks of `mask`, of the least slope.w + F(w'Kw) for concave F
    with F' = rate / 2. All are float64.

    Moves weight from one task to another: to the one with the lowest slope, from the one that
    lowers the quadratic bound at w most. This is how support vector machines choose pairs (Fan,
    Chen and Lin, 2005: https://jmlr.org/papers/v6/fan05a.html), and like there few pairs are
    enough.

    It ends by the gap sum_t w_t s_t - min_t s_t of the slopes s = slope + rate * Kw. With
    g_w = sum_t w_t g_t, so that |g_w|^2 = w'Kw:

    - MGDA (slope 0, rate 1) has s_t = g_t . g_w, and the gap is |g_w|^2 - min_t g_t . g_w. Up to a
      fraction e of |g_w|^2 every task has g_t . g_w >= (1 - e) |g_w|^2, and |g_w|^2 is less than
      2 e |g_w|^2 over its minimum.
    - CAGrad (slope g_t . g_0, rate c |g_0| / |g_w|) has s_t = g_t . d for its step d, and the gap
      is between its dual and min_t g_t . d, what it maximises. The fraction is of c |g_0| |g_w|: by
      so much g_w . d exceeds g_w . g_0, so it is what the search is about, while the dual itself
      may be 0 or negative.
    """
    tasks = kernel.shape[0]
    square = tf.linalg.diag_part(kernel)
    norm = tf.sqrt(square)
    present = mask > 0
    # tf.gather below, not x[i]: for a slice with computed bounds XLA works through all of the
    # program before it, which takes minutes a call in a large one.

    def move(n: tf.Tensor, w: tf.Tensor, _: tf.Tensor) -> Any:
        product = tf.linalg.matvec(kernel, w)
        length = tf.reduce_sum(w * product)
        bend = rate(length)
        slopes = slope + bend * product
        to = tf.argmin(tf.where(present, slopes, slopes.dtype.max))
        gain = tf.where(w > 0, slopes - tf.gather(slopes, to), 0.0)
        gap = tf.reduce_sum(w * gain)
        cancelled = CANCEL * tf.reduce_sum(w * norm) ** 2
        done = gap <= bend * (TOLERANCE * length + cancelled)

        apart = square + tf.gather(square, to)
        curvature = tf.maximum(apart - 2 * tf.gather(kernel, to), FLAT * apart)
        curvature = tf.maximum(bend * curvature, SMALLEST)
        source = tf.argmax(gain**2 / curvature)
        amount = tf.gather(tf.minimum(gain / curvature, w), source)
        # a move lowers the objective, but not always the gap
        amount = tf.where(done, tf.zeros_like(amount), amount)
        change = tf.one_hot(to, tasks, dtype=w.dtype) - tf.one_hot(source, tasks, dtype=w.dtype)
        return n + 1, w + amount * change, done

    # the minimum of |g_w| for orthogonal gradients
    start = tf.math.divide_no_nan(mask, square)
    start = tf.math.divide_no_nan(start, tf.reduce_sum(start))
    loop = (tf.constant(0), start, tf.constant(False))
    return tf.while_loop(lambda n, _, done: (n < STEPS) & ~done, move, loop)[1]
