"""Steps that are taken only now and then, inside compiled updates."""

from typing import Any, Callable

import tensorflow as tf


def only_if(due: tf.Tensor, step: Callable[[], Any], zeros: Any) -> Any:
    """What `step()` returns if `due` is true; otherwise it isn't taken, and `zeros` are returned.

    A loop of one turn or none: XLA copies what `tf.cond` changes, and not what a loop does.
    """
    return tf.while_loop(
        lambda turn, _: turn < tf.cast(due, tf.int32),
        lambda turn, _: (turn + 1, step()),
        (tf.constant(0), zeros),
    )[1]


def step_if(due: tf.Tensor, step: Callable[[], None]) -> None:
    """Takes the step, which returns nothing, if `due` is true."""

    def counted() -> tf.Tensor:
        step()
        return tf.constant(1)

    only_if(due, counted, tf.constant(0))
