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
        xs, ds = (list(own) for own in zip(*passes))
        return cls(whole, None if xs[0] is None else _joined(xs), _joined(ds))

    def part(self) -> tf.Tensor:
        """The second half's part of the gradient."""
        d = _cut(self.d)[1]
        return (
            tf.reduce_sum(d, axis=-2)
            if self.x is None
            else tf.matmul(_cut(self.x)[1], d, transpose_a=True)
        )

    def difference(self) -> tf.Tensor:
        """The first half's part less the second's."""
        return self.whole - 2 * self.part()

    def products(self) -> tf.Tensor:
        """The parts' inner product for each unit, `(..., num_tasks, out)`."""
        if self.x is not None:
            one, two = _cut(self.x)
            d_one, d_two = _cut(self.d)
            half, fan_in = one.shape[-2:]
            units = self.d.shape[-1]
            if (
                half is not None and half * (fan_in + units) <= fan_in * units
            ):  # no more work than the part itself
                return tf.reduce_sum(
                    d_one * tf.matmul(tf.matmul(one, two, transpose_b=True), d_two), axis=-2
                )
        part = self.part()
        product = (self.whole - part) * part
        return product if self.x is None else tf.reduce_sum(product, axis=-2)


def samples(
    params: list[tf.Tensor], passes: list[Any], grads: list[tf.Tensor]
) -> list[list[tuple[Any, tf.Tensor]]]:
    """For each of `params` the (x, d) of the passes through it: `kernel, bias, x, y`. Gradients are
    those in the ys."""
    found: dict[int, list[Any]] = {id(param): [] for param in params}
    for each, d in zip(passes, grads):
        found[id(each.bias)].append((None, d))
        if each.kernel is not None:
            found[id(each.kernel)].append((each.x, d))
    return list(found.values())


def _cut(batch: tf.Tensor) -> list[tf.Tensor]:
    return tf.split(batch, 2, axis=-2)


def _joined(batches: list[tf.Tensor]) -> tf.Tensor:
    if len(batches) == 1:
        return batches[0]
    first, second = zip(*map(_cut, batches))
    return tf.concat([*first, *second], axis=-2)
