"""Other architectures for several tasks, whose dense layers split where tasks are at odds.

Each begins as its architecture does, which its file tells of, but that tasks have output layers of
their own unless `--split_start shared`. Every dense layer that all tasks share is a region: the
layers of all experts, modules or encoders of a depth are one. What tasks have for themselves from
the start stays as it is.
"""

from rl.flags import torsos as flags
from rl.networks.torsos.care import CARE
from rl.networks.torsos.film import FiLM
from rl.networks.torsos.moore import MOORE
from rl.networks.torsos.soft_modules import SoftModules
from rl.networks.torsos.splitting import SplittingLayers


class SplittingFiLM(SplittingLayers, FiLM):
    """FiLM whose layers split, and those that scale and shift."""

    config: flags.SplittingFiLM


class SplittingSoftModules(SplittingLayers, SoftModules):
    """Soft modules that split, with the encoder and the layers that route."""

    config: flags.SplittingSoftModules


class SplittingMOORE(SplittingLayers, MOORE):
    """MOORE whose experts split."""

    config: flags.SplittingMOORE


class SplittingCARE(SplittingLayers, CARE):
    """CARE whose encoders split, with the layers of the context, of the attention and on top."""

    config: flags.SplittingCARE
