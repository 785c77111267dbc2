"""A rollout whose minibatches are of whole sequences, for policies with memory."""

import numpy as np

from rl.buffers.rollout import Fields, Rollout, pick
from rl.spec import RolloutBatch


class SequenceRollout(Rollout):
    """A rollout that keeps all steps of an env together, one after another."""

    def flat(self, array: np.ndarray) -> np.ndarray:
        split = array.reshape(self.steps, *self.dims, -1, *array.shape[2:])
        last = np.moveaxis(split, 0, len(self.dims) + 1)
        return last.reshape(*self.dims, -1, *array.shape[2:])

    def stacked(self, array: np.ndarray) -> np.ndarray:
        split = array.reshape(*self.dims, -1, self.steps)
        return np.moveaxis(split, -1, 0).reshape(self.steps, -1)

    def order(self, epochs: int, samples: int, rng: np.random.Generator) -> np.ndarray:
        """In which envs come in an order of their own, and the steps of each as they were."""
        envs = self.steps_per_task // self.steps
        drawn = rng.permuted(np.tile(np.arange(envs), (epochs, *self.dims, 1)), axis=-1)
        places = drawn[..., None] * self.steps + np.arange(self.steps)
        return places.reshape(epochs, *self.dims, -1)[..., :samples]

    def batches(self, data: Fields, order: np.ndarray) -> RolloutBatch:
        """Rollout's, and `memory` `(minibatches, *batch_dims, sequences, *memory_shape)`, the
        policy's before each sequence."""
        first = order[..., :: self.steps] // self.steps
        return super().batches(data, order)._replace(memory=pick(self.memory, first))
