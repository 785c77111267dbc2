"""How many numbers tasks use of networks that hold copies."""

import math
from typing import Any

import numpy as np

from rl.gradients.per_task import banks_of
from rl.networks.banks import Bank, MixBank, WeightBank, numbers_in


def used_parameters(torso: Any) -> int:
    """How many numbers of a torso some task uses; copies that no task uses are mere room."""
    if not hasattr(torso, "regions"):  # all tasks use all there is
        return sum(math.prod(variable.shape) for variable in torso.trainable_variables)
    if hasattr(torso, "numbers_used"):  # masks, frozen layers, settled structures
        return int(torso.numbers_used())
    banks = banks_of([torso])
    mixes = {id(bank.mix): bank.mix for bank in banks if isinstance(bank, MixBank)}
    mix_numbers = sum(math.prod(mix.shape) for mix in mixes.values())
    return mix_numbers + sum(_used_numbers(bank) for bank in banks)


def _used_numbers(bank: Bank) -> int:
    """Those of the copies that some task uses."""
    if isinstance(bank, WeightBank):
        return _used_weights(bank)
    numbers = numbers_in([bank])
    if bank.copy is None:  # one copy for all, one for each task, or a mix of all copies
        return numbers
    maps = np.array(bank.copy).reshape(bank.count, -1)
    copies = sum(len(np.unique(map_of_region)) for map_of_region in maps)
    return numbers // (bank.copies * bank.count) * copies


def _used_weights(bank: WeightBank) -> int:
    """Values that tasks share, and those that a task has for itself."""
    private = np.array(bank.copy)
    members = math.prod(bank.variable.shape[: bank.axis])
    common = (~private).any(axis=0)
    return members * int(common.sum() + private.sum())
