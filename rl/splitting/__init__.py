"""How networks change while they train: what splits, and which routes tasks take.

rl.networks.torsos has the networks.
"""

from rl.flags.splitting import Config
from rl.splitting.blocks import blocks_of, use_maps
from rl.splitting.criteria import CRITERIA
from rl.splitting.maps import load_maps
from rl.splitting.optimizers import TaskOptimizers
from rl.splitting.overlay import Overlay
from rl.splitting.splitter import Splitter
from rl.splitting.task_optimizer import TaskOptimizer
from rl.splitting.watch import Watch
from rl.splitting.watches import WATCHES, make_watch

__all__ = [
    "CRITERIA",
    "Config",
    "Overlay",
    "Splitter",
    "TaskOptimizer",
    "TaskOptimizers",
    "WATCHES",
    "Watch",
    "blocks_of",
    "load_maps",
    "make_watch",
    "use_maps",
]
