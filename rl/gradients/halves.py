"""What the halves of a batch say apart, from the inputs of layers and the gradients of their
outputs.

With inputs x `(batch, in)` and output gradients d `(batch, out)` a kernel's gradient is x^T d, the
sum of x_1^T d_1 and x_2^T d_2 of the halves; a bias is a kernel whose input is 1. Unit by unit the
two parts' inner product is the sum over the first half of d_1 * (x_1 x_2^T d_2), for which no part
has to be there: a part is as large as all tasks' networks.
"""

from typing import Any, NamedTuple, Optional

import tensorflow as tf


class Halves(NamedTuple):
    """Of a kernel or, where x is None, a bias: x `(..., num_tasks, batch, in)`, d `(..., num_tasks,
    batch, out)`.

    whole: the gradient.
    """

    whole: tf.Tensor
    x: Optional[tf.Tensor]
    d: tf.Tensor

    @classmethod
    def of(cls, whole: tf.Tensor, passes: list[tuple[Any, Any]]) -> "Halves":
        """Of all passes (x, d) through a layer: as one, whose halves are of the halves of each."""
        inputs = [x for x, _ in passes]
        output_gradients = [d for _, d in passes]
        x = None if inputs[0] is None else _joined(inputs)
        return cls(whole, x, _joined(output_gradients))

    def part(self) -> tf.Tensor:
        """The second half's part of the gradient."""
        second_d = _cut(self.d)[1]
        if self.x is None:
            return tf.reduce_sum(second_d, axis=-2)
        second_x = _cut(self.x)[1]
        return tf.matmul(second_x, second_d, transpose_a=True)

    def difference(self) -> tf.Tensor:
        """The first half's part less the second's."""
        return self.whole - 2 * self.part()

    def products(self) -> tf.Tensor:
        """The parts' inner product for each unit, `(..., num_tasks, out)`."""
        if self.x is not None and _samples_are_few(self.x, self.d):
            first_x, second_x = _cut(self.x)
            first_d, second_d = _cut(self.d)
            between = tf.matmul(first_x, second_x, transpose_b=True)
            return tf.reduce_sum(first_d * tf.matmul(between, second_d), axis=-2)
        part = self.part()
        product = (self.whole - part) * part
        if self.x is None:
            return product
        return tf.reduce_sum(product, axis=-2)


def samples(
    params: list[tf.Tensor], passes: list[Any], grads: list[tf.Tensor]
) -> list[list[tuple[Any, tf.Tensor]]]:
    """For each of `params` the (x, d) of the passes through it: `kernel, bias, x, y`. Gradients are
    those in the ys."""
    found: dict[int, list[Any]] = {id(param): [] for param in params}
    for layer_pass, d in zip(passes, grads):
        found[id(layer_pass.bias)].append((None, d))
        if layer_pass.kernel is not None:
            found[id(layer_pass.kernel)].append((layer_pass.x, d))
    return list(found.values())


def _samples_are_few(x: tf.Tensor, d: tf.Tensor) -> bool:
    """Whether products of samples are no more work than the part of a gradient itself."""
    batch, fan_in = x.shape[-2:]
    units = d.shape[-1]
    if batch is None:
        return False
    return batch // 2 * (fan_in + units) <= fan_in * units


def _cut(batch: tf.Tensor) -> list[tf.Tensor]:
    return tf.split(batch, 2, axis=-2)


def _joined(batches: list[tf.Tensor]) -> tf.Tensor:
    """All first halves, then all second ones."""
    if len(batches) == 1:
        return batches[0]
    halves = [_cut(batch) for batch in batches]
    first = [one for one, _ in halves]
    second = [two for _, two in halves]
    return tf.concat([*first, *second], axis=-2)
