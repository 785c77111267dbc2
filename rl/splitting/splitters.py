"""What splits a group of torsos."""

from typing import Any, Sequence

from rl.flags.splitting import Config
from rl.gradients.per_task import banks_of
from rl.networks.banks import WeightBank
from rl.splitting.blocks import Slots
from rl.splitting.overlay import Overlay
from rl.splitting.splitter import Splitter


def make_splitter(
    group: Sequence[Any], twins: Sequence[Any], slots: Slots, config: Config
) -> Splitter | Overlay:
    """What splits a group of torsos, as their network is made for it: by regions or by weights.

    Arguments are Splitter's.
    """
    if any(isinstance(bank, WeightBank) for bank in banks_of(group)):
        return Overlay(group, twins, slots, config)
    return Splitter(group, twins, slots, config)
