"""Torsos with memory, over whole sequences."""

from typing import NamedTuple

import tensorflow as tf

from rl.networks.layers import Torso


class Past(NamedTuple):
    """What came before a batch `(..., batch, dim)` of sequences of equal lengths, one after
    another.

    memory: `(..., sequences, *memory_shape)`, the torso's before their first steps. start:
    `(..., batch)`, 1 at first steps of episodes, where memory is reset to zeros; else 0.
    """

    memory: tf.Tensor
    start: tf.Tensor


def unroll(torso: Torso, x: tf.Tensor, past: Past) -> tuple[tf.Tensor, tf.Tensor]:
    """What `torso` says of x `(..., batch, in)`, `(..., batch, out)`, and its memory after every
    step, `(..., batch, *memory_shape)`."""
    rank = len(torso.memory_shape or ())
    lead = past.memory.shape[: len(past.memory.shape) - rank]
    xs = _steps_first(x, lead)
    going_on = 1 - _steps_first(past.start, lead)
    going_on = tf.reshape(going_on, (*going_on.shape, *[1] * rank))

    def step(before: tuple[tf.Tensor, ...], now: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        _, memory = before
        x, going_on = now
        return torso.step(x, memory * going_on)

    out, _ = torso.step(xs[0], past.memory)  # for its shape alone
    out, memory = tf.scan(step, (xs, going_on), (tf.zeros_like(out), past.memory))
    return _steps_last(out, lead), _steps_last(memory, lead)


def _steps_first(rows: tf.Tensor, lead: tf.TensorShape) -> tf.Tensor:
    """`(..., sequences * steps, ...)` to `(steps, ..., sequences, ...)`; `lead` is `(...,
    sequences)`."""
    count = len(lead)
    split = tf.reshape(rows, (*lead, -1, *rows.shape[count:]))
    others = range(count + 1, len(split.shape))
    return tf.transpose(split, (count, *range(count), *others))


def _steps_last(rows: tf.Tensor, lead: tf.TensorShape) -> tf.Tensor:
    """The inverse of `_steps_first`."""
    count = len(lead)
    others = range(count + 1, len(rows.shape))
    split = tf.transpose(rows, (*range(1, count + 1), 0, *others))
    return tf.reshape(split, (*lead[:-1], -1, *rows.shape[count + 1 :]))
