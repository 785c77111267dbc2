"""When and how networks that start fully shared split.

rl.networks.torsos.splitting has the networks.
"""

from rl.flags.splitting import Config
from rl.splitting.blocks import blocks_of, use_maps
from rl.splitting.criteria import CRITERIA
from rl.splitting.maps import load_maps
from rl.splitting.optimizers import TaskOptimizers
from rl.splitting.overlay import Overlay
from rl.splitting.splitter import Splitter
from rl.splitting.splitters import make_splitter
from rl.splitting.task_optimizer import TaskOptimizer

__all__ = [
    "CRITERIA",
    "Config",
    "Overlay",
    "Splitter",
    "TaskOptimizer",
    "TaskOptimizers",
    "blocks_of",
    "load_maps",
    "make_splitter",
    "use_maps",
]
