"""What the algorithms share: a gradient step, target averaging, many updates in one call."""

from typing import Any, Callable, Iterable

import numpy as np
import tensorflow as tf

Info = dict[str, tf.Tensor]


def minimise(loss_fn: Callable[[Any], tuple[tf.Tensor, Info]], batch: Any, opt: Any, variables: Any) -> Info:
    """One optimiser step on `variables` down the gradient of `loss_fn(batch)`, summed over tasks."""
    with tf.GradientTape() as tape:
        loss, info = loss_fn(batch)
    grads = tape.gradient(loss, variables)
    # A zero that needs every gradient: else XLA copies each kernel that it updates while another gradient reads it.
    zero = 0 * tf.add_n([tf.reshape(grad, [-1])[0] for grad in grads])
    opt.apply([grad + zero for grad in grads], variables)
    return info


def polyak_average(nets: Iterable[tuple[Any, Any]], polyak: float) -> None:
    """target <- polyak * target + (1 - polyak) * net, for pairs (net, target)."""
    for net, targ in nets:
        for v, v_targ in zip(net.trainable_variables, targ.trainable_variables):
            v_targ.assign(polyak * v_targ + (1 - polyak) * v)


def read(parts: dict[str, list[Any]]) -> dict[str, list[np.ndarray]]:
    """The values of named lists of variables, for a checkpoint."""
    return {name: [np.asarray(v) for v in variables] for name, variables in parts.items()}


def assign(parts: dict[str, list[Any]], saved: dict[str, list[np.ndarray]]) -> None:
    """Puts back what `read` read."""
    for name, variables in parts.items():
        for variable, value in zip(variables, saved[name], strict=True):
            variable.assign(value)


class Burst:
    """Many calls of a train step in one XLA call, several times faster than one call each.

    `train_step` is a `tf.function` from a batch (dict of tensors) to an info dict of tensors.
    """

    def __init__(self, train_step: Any) -> None:
        self.train_step = train_step
        self.compiled = tf.function(self._run, jit_compile=True)

    def __call__(self, batches: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
        """Takes the first `count` of `batches` (fields `(max_updates, ...)`) in turn.

        Only `max_updates` is part of the trace, so any `count` up to it runs the same program.
        Returns each info with a new leading axis `count`.
        """
        tensors = {k: tf.convert_to_tensor(v) for k, v in batches.items()}
        return {k: v.numpy()[:count] for k, v in self.compiled(tensors, tf.constant(count)).items()}

    def _run(self, batches: dict[str, tf.Tensor], count: tf.Tensor) -> Info:
        size = next(iter(batches.values())).shape[0]
        specs = {k: tf.TensorSpec(v.shape[1:], v.dtype) for k, v in batches.items()}
        infos = self.train_step.get_concrete_function(specs).structured_outputs
        arrays = {k: tf.TensorArray(v.dtype, size, element_shape=v.shape) for k, v in infos.items()}

        def body(i: tf.Tensor, arrays: dict[str, tf.TensorArray]) -> Any:
            info = self.train_step({k: v[i] for k, v in batches.items()})
            return i + 1, {k: a.write(i, info[k]) for k, a in arrays.items()}

        _, arrays = tf.while_loop(lambda i, _: i < count, body, (tf.constant(0), arrays))
        return {k: a.stack() for k, a in arrays.items()}
