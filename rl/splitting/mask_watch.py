"""Which of a network's weights its tasks use, as it trains."""

from typing import Any, Sequence

import numpy as np
import tensorflow as tf

from rl.networks.groups import Group
from rl.networks.masks import overlaps
from rl.splitting.blocks import Slots
from rl.splitting.watch import BOTH, Watch


class MaskWatch(Watch):
    """Watches the masks of the hidden layers of a group's first torso, which learn or are found
    elsewhere; see Watch.

    Args:
      name, twins, slots, config: unused here.

    Attributes:
      banks: the masked kernels. updates: how many there were.
    """

    columns = {"Density": "mean"}

    def __init__(
        self, name: str, group: Group, twins: Sequence[Any], slots: Slots, config: Any
    ) -> None:
        del name, twins, slots
        self.config = config
        self.torso = group.torsos[0]
        self.banks = self.torso.masked
        self.updates = 0
        self.turn = tf.constant(BOTH)

    def after(self, count: int) -> None:
        self.updates += count

    def masks(self) -> list[np.ndarray]:
        """Bool `(num_tasks, weights)` of each layer; a task's masks of all members side by side."""
        found = []
        for bank in self.banks:
            by_task = np.moveaxis(bank.kept(), bank.axis, 0)
            found.append(by_task.reshape(len(by_task), -1))
        return found

    def densities(self) -> list[list[float]]:
        """`(layers, num_tasks)`: the fraction of a layer's weights that a task uses."""
        return [np.round(mask.mean(axis=1), 4).tolist() for mask in self.masks()]

    def density(self) -> float:
        """The fraction of weights that tasks use, mean over tasks."""
        masks = self.masks()
        kept = sum(np.count_nonzero(mask) for mask in masks)
        return kept / sum(mask.size for mask in masks)

    def values(self) -> dict[str, np.ndarray]:
        return {"Density": np.array([self.density()])}

    def report(self) -> dict[str, Any]:
        """How dense the masks are, `(layers, num_tasks)`, and which part of the weights of a task
        another uses, too, `(layers, num_tasks, num_tasks)`."""
        masks = self.masks()
        layers = []
        for bank, mask in zip(self.banks, masks):
            layers.append({"name": bank.variable.name, "regions": 1, "size": mask.shape[1]})
        return {
            "updates": self.updates,
            "density": self.densities(),
            "overlap": [np.round(overlaps(mask), 4).tolist() for mask in masks],
            "layers": layers,
        }

    def state(self) -> dict[str, Any]:
        return {"updates": self.updates}

    def load_state(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]
