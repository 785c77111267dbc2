"""What splits a group of torsos."""

from typing import Any, Callable

from rl.flags.splitting import Config
from rl.networks.banks import WeightBank
from rl.splitting.overlay import Overlay
from rl.splitting.splitter import Splitter


def make_splitter(
    group: list[Any], twins: list[Any], slots: Callable[[Any], list[Any]], config: Config
) -> Splitter | Overlay:
    """What splits a group of torsos, as their network is made for it: by regions or by weights.

    Arguments are Splitter's.
    """
    banks = [bank for torso in group for region in torso.regions for bank in region]
    if any(isinstance(bank, WeightBank) for bank in banks):
        return Overlay(group, twins, slots, config)
    return Splitter(group, twins, slots, config)
