"""Networks by name. A new torso is a file, a line of NETWORKS here and one in rl.flags.torsos; or
`register` makes it known from outside."""

import dataclasses
from typing import Any, Optional

from rl.config import NoFlags
from rl.flags import torsos as torso_flags
from rl.flags.network import Config, check_network
from rl.networks.actor_critic import Critic, DeterministicActor
from rl.networks.layers import ACTIVATIONS, INITIALIZERS, Torso
from rl.networks.layouts import LAYOUTS
from rl.networks.policy import (
    CategoricalPolicy,
    DeterministicPolicy,
    GaussianPolicy,
    Policy,
    SquashedGaussianPolicy,
)
from rl.networks.policy_value import PolicyValue
from rl.networks.squashed import SquashedGaussianActor, Temperature
from rl.networks.task_net import TaskNet
from rl.networks.torsos.adashare import AdaShare
from rl.networks.torsos.care import CARE
from rl.networks.torsos.cross_stitch import CrossStitch
from rl.networks.torsos.film import FiLM
from rl.networks.torsos.learned_branching import LearnedBranching
from rl.networks.torsos.meta_splitting import MetaSplitting
from rl.networks.torsos.mlp import MLP
from rl.networks.torsos.modular import MetaModular, Modular
from rl.networks.torsos.moore import MOORE
from rl.networks.torsos.mtan import MTAN
from rl.networks.torsos.paco import PaCo
from rl.networks.torsos.piggyback import Piggyback
from rl.networks.torsos.routing import Routing
from rl.networks.torsos.soft_modules import SoftModules
from rl.networks.torsos.soft_order import MetaSoftOrder, SoftOrder
from rl.networks.torsos.sparse_sharing import SparseSharing
from rl.networks.torsos.splitting import SparseSplitting, Splitting
from rl.networks.torsos.splitting_others import (
    SplittingCARE,
    SplittingFiLM,
    SplittingMOORE,
    SplittingSoftModules,
)
from rl.networks.torsos.trunk import Independent, MultiHead, Shared, Trunk
from rl.spec import EnvSpec

__all__ = [
    "ACTIVATIONS",
    "CategoricalPolicy",
    "Config",
    "Critic",
    "DeterministicActor",
    "DeterministicPolicy",
    "GaussianPolicy",
    "INITIALIZERS",
    "LAYOUTS",
    "MLP",
    "NETWORKS",
    "Policy",
    "PolicyValue",
    "SquashedGaussianActor",
    "SquashedGaussianPolicy",
    "Temperature",
    "Torsos",
    "register",
]

# name -> class of the torso, of "mlp" the one for several tasks: a single task has MLP
NETWORKS: dict[str, type[Torso]] = {
    "mlp": Shared,
    "multi_head": MultiHead,
    "trunk": Trunk,
    "independent": Independent,
    "film": FiLM,
    "soft_modules": SoftModules,
    "paco": PaCo,
    "moore": MOORE,
    "care": CARE,
    "splitting": Splitting,
    "sparse_splitting": SparseSplitting,
    "splitting_film": SplittingFiLM,
    "splitting_soft_modules": SplittingSoftModules,
    "splitting_moore": SplittingMOORE,
    "splitting_care": SplittingCARE,
    "meta_splitting": MetaSplitting,
    "routing": Routing,
    "adashare": AdaShare,
    "learned_branching": LearnedBranching,
    "soft_order": SoftOrder,
    "meta_soft_order": MetaSoftOrder,
    "cross_stitch": CrossStitch,
    "mtan": MTAN,
    "modular": Modular,
    "meta_modular": MetaModular,
    "sparse_sharing": SparseSharing,
    "piggyback": Piggyback,
}


def register(
    name: str, torso_class: type[Torso], flags: type = NoFlags, images: bool = False
) -> None:
    """Makes a network known as `--network NAME`.

    Args:
      torso_class: a TaskNet, for several tasks, or another Torso, for a single one; made with an
        instance of `flags` for `config`.
      flags: dataclass of its own flags, of fields that `rl.config.flag` makes.
      images: whether it takes observations that are images, of rank 3; else they are flat.

    Raises:
      ValueError: there is one of that name.
    """
    torso_flags.register(name, flags, images, tasks=issubclass(torso_class, TaskNet))
    NETWORKS[name] = torso_class


@dataclasses.dataclass(frozen=True)
class Torsos:
    """Makes the torsos of an algorithm's networks.

    Attributes:
      config: the flags that all networks have.
      options: the chosen network's own, its dataclass in rl.flags.torsos.
      spec: the env's.

    Raises:
      UserError: the network is not for this env.
    """

    config: Config
    options: Any
    spec: EnvSpec

    def __post_init__(self) -> None:
        check_network(self.config, self.spec.num_tasks, self.spec.obs.shape)

    def make(
        self,
        out_dim: int,
        critic: bool = False,
        members: Optional[int] = None,
        out_gain: Any = 1.0,
        embedding: int = 0,
    ) -> Torso:
        """A new torso, not built yet.

        Args:
          out_dim: units of the last layer. critic: whether it has the sizes of critics.
          members, out_gain: as Torso's.
          embedding: size of the tasks' codes that critics learn and others are given, as TaskNet's;
            without an effect for a single task.
        """
        config = self.config
        hidden_sizes = config.critic_sizes if critic else config.actor_sizes
        sizes = (*(hidden_sizes or config.hidden_sizes), out_dim)
        common: dict[str, Any] = {
            "activation": config.activation,
            "initializer": config.initializer,
            "precision": config.precision,
            "layers": config.layers,
            "members": members,
            "out_gain": out_gain,
        }
        torso_class = NETWORKS[config.network]
        if self.spec.num_tasks is None and config.network == "mlp":
            torso_class = MLP
        if issubclass(torso_class, TaskNet):
            common["onehot"] = config.task_onehot
            common |= {"embedding": embedding, "learns": critic}
        return torso_class(sizes, self.options, **common)
