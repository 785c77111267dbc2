"""Safe mode: updates that refuse batches which make no sense, and results which don't.

XLA drops assertions, so a checked burst is compiled without it: slower, and rounded differently in
the last bits.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from rl.algos.common import Batches, Burst, Info
from rl.config import UserError
from rl.spec import Batch, EnvSpec, Update, map_fields


class CheckedBurst(Burst[Batches]):
    """A Burst that checks the shapes and values of each batch before its update, and each info
    after it.

    Args:
      train_step: as Burst's. spec: batches are `(*batch_dims, batch, ...)`.

    Raises:
      UserError: the first thing that is wrong, when a burst is called.
    """

    def __init__(self, train_step: Any, spec: EnvSpec) -> None:
        self.spec = spec

        def checked(batch: Batches, update: Update) -> Info:
            self.check_shapes(batch)
            with tf.control_dependencies(self.assertions(batch, update)):
                info = train_step(map_fields(tf.identity, batch), map_fields(tf.identity, update))
            real = {key: value for key, value in info.items() if value.dtype.is_floating}
            found = [_finite(f"{key} of an update", value) for key, value in real.items()]
            with tf.control_dependencies(found):
                return {key: tf.identity(value) for key, value in info.items()}

        super().__init__(tf.function(checked, autograph=False), jit_compile=False)

    def __call__(self, batches: Batches, updates: Update, count: int) -> dict[str, np.ndarray]:
        try:
            return super().__call__(batches, updates, count)
        except tf.errors.InvalidArgumentError as error:
            line = next(line for line in error.message.splitlines() if "--check_inputs" in line)
            raise UserError(line[line.index("--check_inputs") :].rstrip("]")) from None

    def check_shapes(self, batch: Batches) -> None:
        """Every field of the tasks, the same batch size, and its own width."""
        fields = {"obs": self.spec.obs, "obs2": self.spec.obs, "act": self.spec.act}
        lead = (*self.spec.batch_dims, batch.act.shape[-2])
        for key, value in given(batch).items():
            if key == "memory":  # of sequences, in a shape that the network knows
                continue
            wanted = lead + (fields[key].shape if key in fields else ())
            if tuple(value.shape) != wanted:
                raise UserError(
                    f"--check_inputs: {key} has shape {tuple(value.shape)}, not {wanted}"
                )

    def assertions(self, batch: Batches, update: Update) -> list[tf.Operation]:
        """That all numbers are finite, done is 0 or 1, and no task gets another task's whole
        batch."""
        fields = given(batch) | {"lr": update.lr}
        found = [_finite(key, value) for key, value in fields.items() if value.dtype.is_floating]
        if isinstance(batch, Batch):
            done = tf.reduce_all((batch.done == 0) | (batch.done == 1))
            found.append(
                tf.debugging.Assert(done, ["--check_inputs: done is neither 0 nor 1"], name="done")
            )
        if self.spec.num_tasks:
            flat = tf.reshape(batch.obs, (self.spec.num_tasks, -1))
            same = tf.reduce_all(flat[:, None] == flat, axis=-1)
            same = tf.linalg.set_diag(same, tf.zeros(self.spec.num_tasks, bool))
            if update.present is not None:  # samples of other tasks mean nothing
                same &= update.present > 0
            message = ["--check_inputs: two tasks have the same observations"]
            found.append(tf.debugging.Assert(~tf.reduce_any(same), message, name="tasks"))
        return found


def given(batch: Batches) -> dict[str, tf.Tensor]:
    """The fields of a batch that it has."""
    return {key: value for key, value in batch._asdict().items() if value is not None}


def _finite(name: str, value: tf.Tensor) -> tf.Operation:
    return tf.debugging.Assert(
        tf.reduce_all(tf.math.is_finite(value)), [f"--check_inputs: {name} is nan or inf"]
    )
