"""Safe mode: updates that refuse batches which make no sense, and results which don't.

XLA drops assertions, so a checked burst is compiled without it: slower, and rounded differently in
  the last bits.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from rl.algos.common import Burst, Info
from rl.config import UserError

PER_UPDATE = ("lr", "seed", "number")  # fields without batch axes
PER_TASK = ("present",)  # fields without a batch axis
WIDE = {"obs": "obs_dim", "obs2": "obs_dim", "act": "act_dim"}


class CheckedBurst(Burst):
    """A Burst that checks the shapes and values of each batch before its update, and each info
    after it.

    Args:
      train_step: as Burst's. spec: an EnvSpec; batches are `(*batch_dims, batch, ...)`.

    Raises:
      UserError: the first thing that is wrong, when a burst is called.
    """

    def __init__(self, train_step: Any, spec: Any) -> None:
        self.spec = spec

        def checked(batch: Info) -> Info:
            self.check_shapes(batch)
            with tf.control_dependencies(self.assertions(batch)):
                info = train_step({key: tf.identity(value) for key, value in batch.items()})
            real = {key: value for key, value in info.items() if value.dtype.is_floating}
            with tf.control_dependencies(
                [_finite(f"{key} of an update", value) for key, value in real.items()]
            ):
                return {key: tf.identity(value) for key, value in info.items()}

        super().__init__(tf.function(checked), jit_compile=False)

    def __call__(self, batches: dict[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
        try:
            return super().__call__(batches, count)
        except tf.errors.InvalidArgumentError as error:
            line = next(line for line in error.message.splitlines() if "--check_inputs" in line)
            raise UserError(line[line.index("--check_inputs") :].rstrip("]")) from None

    def check_shapes(self, batch: Info) -> None:
        """Every field of the tasks, the same batch size, and its own width."""
        lead = (*self.spec.batch_dims, batch["obs"].shape[-2])
        for key, value in batch.items():
            width = (getattr(self.spec, WIDE[key]),) if key in WIDE else ()
            if key not in (*PER_UPDATE, *PER_TASK) and tuple(value.shape) != (*lead, *width):
                raise UserError(
                    f"--check_inputs: {key} has shape {tuple(value.shape)}, not {(*lead, *width)}"
                )

    def assertions(self, batch: Info) -> list[tf.Operation]:
        """That all numbers are finite, done is 0 or 1, and no task gets another task's whole
        batch."""
        found = [_finite(key, value) for key, value in batch.items() if value.dtype.is_floating]
        if "done" in batch:
            done = tf.reduce_all((batch["done"] == 0) | (batch["done"] == 1))
            found.append(
                tf.debugging.Assert(done, ["--check_inputs: done is neither 0 nor 1"], name="done")
            )
        if self.spec.num_tasks:
            same = tf.reduce_all(batch["obs"][:-1] == batch["obs"][1:], axis=(1, 2))
            if "present" in batch:  # samples of other tasks mean nothing
                same &= batch["present"][1:] > 0
            message = ["--check_inputs: two tasks have the same observations"]
            found.append(tf.debugging.Assert(~tf.reduce_any(same), message, name="tasks"))
        return found


def _finite(name: str, value: tf.Tensor) -> tf.Operation:
    return tf.debugging.Assert(
        tf.reduce_all(tf.math.is_finite(value)), [f"--check_inputs: {name} is nan or inf"]
    )
