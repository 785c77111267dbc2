"""How many numbers tasks use of networks that hold copies."""

from typing import Any

import numpy as np

from rl.gradients.per_task import banks_of
from rl.networks.banks import WeightBank
from rl.splitting.blocks import blocks_of


def used_parameters(torso: Any) -> int:
    """How many numbers of a torso some task uses; copies that no task uses are mere room."""
    if not hasattr(torso, "regions"):  # all tasks use all there is
        return sum(int(np.prod(variable.shape)) for variable in torso.trainable_variables)
    if hasattr(torso, "numbers_used"):  # under masks
        return int(torso.numbers_used())
    banks = banks_of([torso])
    if any(isinstance(bank, WeightBank) for bank in banks):
        return sum(_used_weights(bank) for bank in banks)
    count = 0
    for block in blocks_of([torso]):
        for copies in block.map:
            count += block.size * len(np.unique(copies))
    return count


def _used_weights(bank: WeightBank) -> int:
    """Values that tasks share, and those that a task has for itself."""
    private = np.array(bank.copy)
    members = int(np.prod(bank.variable.shape[: bank.axis]))
    common = (~private).any(axis=0)
    return members * int(common.sum() + private.sum())
