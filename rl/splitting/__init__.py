"""When and how networks that start fully shared split.

rl.networks.torsos.splitting has the networks.
"""

from typing import Any, Sequence

from rl.flags.splitting import Config
from rl.networks.banks import WeightBank
from rl.splitting.blocks import blocks_of, use_maps
from rl.splitting.criteria import CRITERIA
from rl.splitting.maps import load_maps
from rl.splitting.overlay import Overlay
from rl.splitting.splitter import Splitter

__all__ = [
    "CRITERIA",
    "Config",
    "Overlay",
    "Splitter",
    "blocks_of",
    "load_maps",
    "make_splitter",
    "use_maps",
]


def make_splitter(group: Sequence[Any], twins: Sequence[Any], slots: Any, config: Config) -> Any:
    """What splits a group of torsos, as their network is made for it: by regions or by weights; see
    Splitter."""
    banks = [bank for torso in group for region in torso.regions for bank in region]
    kind: Any = Overlay if any(isinstance(bank, WeightBank) for bank in banks) else Splitter
    return kind(group, twins, slots, config)
