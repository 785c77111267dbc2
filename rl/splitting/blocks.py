"""Where regions are stored, and how their copies part."""

from typing import Any, Callable, Sequence

import numpy as np

from rl.networks.banks import copy_row
from rl.splitting.maps import checked
from rl.splitting.slots import Slot

Slots = Callable[[Any], list[Slot]]


class Block:
    """Regions that are stored together: a layer's kernel and bias, or all its units.

    Args:
      banks: of the network. twins: those of its target network, or none. slots: the optimiser's,
        for each bank.
    """

    def __init__(self, banks: list[Any], twins: list[Any], slots: list[list[Slot]]) -> None:
        self.banks = banks
        self.bank = banks[0]
        self.count = banks[0].count
        self.splits = banks[0].copy is not None
        self.stored = [(bank.axis, bank.variable) for bank in [*banks, *twins]]
        self.slots: list[tuple[int, Slot]] = []
        for bank, slots_of_bank in zip(banks, slots):
            self.slots += [(bank.axis, slot) for slot in slots_of_bank]
        self.maps = list({id(bank.copy): bank.copy for bank in [*banks, *twins]}.values())
        numbers = sum(int(np.prod(bank.variable.shape)) for bank in banks)
        self.size = numbers // (self.bank.copies * self.count)

    @property
    def map(self) -> np.ndarray:
        """`(count, num_tasks)`: the copy that each task uses."""
        if not self.splits:
            return np.arange(self.bank.num_tasks)[None] % self.bank.copies
        return np.array(self.maps[0]).reshape(self.count, -1)

    def use(self, maps: np.ndarray) -> None:
        """Lets tasks use other copies."""
        for variable in self.maps:
            variable.assign(maps.reshape(variable.shape))

    def split(self, number: int, leaves: np.ndarray, src: int, dst: int, gram: np.ndarray) -> None:
        """Tasks that `leaves` `(num_tasks,)` go on with copy `dst` of region `number`, now equal to
        `src`.

        The optimiser's moments of both copies become what those tasks' gradients alone would have
        left, so that the first steps apart are as long as later ones.

        Args:
          gram: `(num_tasks, num_tasks)`, mean inner products of the tasks' gradients.
        """
        unit = number if self.count > 1 else None
        for axis, variable in self.stored:
            copy_row(variable, axis, src, dst, unit)
        tasks = self.map[number] == src
        for axis, slot in self.slots:
            stay = slot.share(gram, tasks & ~leaves, tasks)
            leave = slot.share(gram, tasks & leaves, tasks)
            copy_row(slot.variable, axis, src, dst, unit, (stay, leave))
        is_this = np.arange(self.count) == number
        self.use(np.where(leaves & is_this[:, None], dst, self.map))

    def report(self) -> dict[str, Any]:
        """Name, number of regions, parameters of a copy of one."""
        return {"name": self.bank.variable.name, "regions": self.count, "size": self.size}


def layer_report(region: Sequence[Any], copies: int) -> dict[str, Any]:
    """The same of a layer that is one region, of banks with so many copies."""
    size = sum(int(np.prod(bank.variable.shape)) for bank in region) // copies
    return {"name": region[0].variable.name, "regions": 1, "size": size}


def regions_of(torsos: Sequence[Any]) -> list[list[Any]]:
    """The regions of all torsos, each a list of banks."""
    found = []
    for torso in torsos:
        found.extend(torso.regions)
    return found


def blocks_of(
    group: Sequence[Any], twins: Sequence[Any] = (), slots: Slots = lambda variable: []
) -> list[Block]:
    """The blocks of a group of torsos; arguments as Splitter's."""
    regions = regions_of(group)
    twin_regions = regions_of(twins) or [[] for _ in regions]
    blocks = []
    for banks, twin_banks in zip(regions, twin_regions, strict=True):
        slots_of_banks = [slots(bank.variable) for bank in banks]
        blocks.append(Block(banks, twin_banks, slots_of_banks))
    return blocks


def use_maps(blocks: Sequence[Block], maps: Any, name: str) -> None:
    """Lets tasks use the copies of maps `(regions, num_tasks)`. Raises a UserError where `name`'s
    don't fit."""
    counts = [block.count for block in blocks]
    room = np.repeat([block.bank.copies for block in blocks], counts)
    maps = checked(maps, (sum(counts), blocks[0].bank.num_tasks), room, name)
    for block, maps_of_block in zip(blocks, np.split(maps, np.cumsum(counts)[:-1])):
        if block.splits:
            block.use(maps_of_block)
