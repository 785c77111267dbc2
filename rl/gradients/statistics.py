"""How far the tasks' gradients agree."""

import numpy as np
import tensorflow as tf


def cosines(gram: tf.Tensor) -> tf.Tensor:
    """Of `(..., num_tasks, num_tasks)` inner products; 0 where a gradient is 0."""
    norm = tf.sqrt(tf.nn.relu(tf.linalg.diag_part(gram)))
    return tf.math.divide_no_nan(gram, norm[..., :, None] * norm[..., None, :])


def conflict(gram: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Of the pairs of tasks in gram (T, T): the fraction with a negative inner product, and the
    smallest cosine.

    A gradient of 0 has cosine 0 with every other. One task has no conflict and cosine 1.
    """
    first, second = np.triu_indices(gram.shape[0], k=1)
    if gram.shape[0] == 1:
        return tf.constant(0.0), tf.constant(1.0)
    pairs = tf.gather_nd(cosines(gram), np.stack([first, second], axis=1))
    return tf.reduce_mean(tf.cast(pairs < 0, tf.float32)), tf.reduce_min(pairs)
