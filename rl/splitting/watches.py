"""What watches a group of torsos, by the flags of their network."""

from typing import Any, Callable, Sequence

from rl.flags import torsos as flags
from rl.gradients.per_task import banks_of
from rl.networks.banks import WeightBank
from rl.networks.groups import Group
from rl.splitting.block_policies import BlockPolicies
from rl.splitting.blocks import Slots
from rl.splitting.bouncer import Bouncer
from rl.splitting.branching import Branching
from rl.splitting.mask_watch import MaskWatch
from rl.splitting.overlay import Overlay
from rl.splitting.router import Router
from rl.splitting.splitter import Splitter
from rl.splitting.tickets import Tickets
from rl.splitting.watch import Watch

MakeWatch = Callable[[str, Group, Sequence[Any], Slots, Any], Watch]


def make_splitter(
    name: str, group: Group, twins: Sequence[Any], slots: Slots, options: Any
) -> Watch:
    """What splits a group of torsos, as their network is made for it: by regions or by weights."""
    del name
    if any(isinstance(bank, WeightBank) for bank in banks_of(group.torsos)):
        return Overlay(group.torsos, twins, slots, options)
    return Splitter(group.torsos, twins, slots, options)


WATCHES: dict[type, MakeWatch] = {
    flags.SplittingLayers: make_splitter,
    flags.AdaShare: BlockPolicies,
    flags.LearnedBranching: Branching,
    flags.Piggyback: MaskWatch,
    flags.Routing: Router,
    flags.Modular: Bouncer,
    flags.SparseSharing: Tickets,
}


def make_watch(name: str, group: Group, twins: Sequence[Any], slots: Slots, options: Any) -> Watch:
    """What watches a group of torsos.

    Args:
      name: the group's. twins: the torsos of the target network, or none.
      slots: function of a variable to its optimiser's slots. options: the network's own flags.
    """
    for kind, make in WATCHES.items():
        if isinstance(options, kind):
            return make(name, group, twins, slots, options)
    raise TypeError(f"nothing watches networks with {type(options).__name__}")
