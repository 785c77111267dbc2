"""Where regions are stored, and how their copies part."""

from typing import Any, Iterator

import numpy as np

from rl.networks.banks import copy_rows


class Block:
    """Regions that are stored together: a layer's kernel and bias, or all its units.

    Args:
      banks: of the network. twins: those of its target network, or none. slots: the optimiser's, for each bank.
    """

    def __init__(self, banks: list[Any], twins: list[Any], slots: list[list[Any]]) -> None:
        self.bank, self.count, self.splits = banks[0], banks[0].count, banks[0].copy is not None
        self.stored = [(bank.axis, bank.variable) for bank in [*banks, *twins]]
        self.stored += [(bank.axis, slot) for bank, own in zip(banks, slots) for slot in own]
        self.maps = list({id(bank.copy): bank.copy for bank in [*banks, *twins]}.values())
        self.size = sum(int(np.prod(bank.variable.shape)) for bank in banks) // (self.bank.copies * self.count)

    @property
    def map(self) -> np.ndarray:
        """`(count, num_tasks)`: the copy that each task uses."""
        if not self.splits:
            own = np.arange(self.bank.num_tasks) % self.bank.copies
            return own[None]
        return np.array(self.maps[0]).reshape(self.count, -1)

    def use(self, maps: np.ndarray) -> None:
        """Lets tasks use other copies."""
        for variable in self.maps:
            variable.assign(maps.reshape(variable.shape))

    def split(self, number: int, leaves: np.ndarray, src: int, dst: int) -> None:
        """Tasks that `leaves` `(num_tasks,)` go on with copy `dst` of region `number`, now equal to `src`."""
        unit = number if self.count > 1 else None
        for axis, variable in self.stored:
            copy_rows([variable], axis, src, dst, unit)
        self.use(np.where(leaves & (np.arange(self.count) == number)[:, None], dst, self.map))

    def report(self) -> dict[str, Any]:
        """Name, number of regions, parameters of a copy of one."""
        return {"name": self.bank.variable.name, "regions": self.count, "size": self.size}


def blocks_of(torso: Any, twin: Any, slots: Any) -> Iterator[Block]:
    """The blocks of a torso; `twin` is that of the target network, or None."""
    for number, banks in enumerate(torso.regions):
        twins = twin.regions[number] if twin is not None else []
        yield Block(banks, twins, [slots(bank.variable) for bank in banks])
