"""The flags that each network has for itself.

The networks are those of rl.networks, which imports TensorFlow; `--help` doesn't.
"""

import dataclasses

from rl.config import NoFlags, UserError, flag
from rl.flags.changing import Changing
from rl.flags.splitting import OF_HALVES, SparseSplitting, Splitting, SplittingLayers


@dataclasses.dataclass(frozen=True)
class Independent:
    """The flags of perceptrons of which each task has one of its own."""

    same_start: bool = flag(
        False, "all tasks' copies of a layer start with the same weights, for branch to compare"
    )


@dataclasses.dataclass(frozen=True)
class Trunk(Independent):
    """The flags of perceptrons that share their first layers."""

    task_layers: int = flag(
        2, "last layers, the output included, that each task has a copy of", low=1
    )


@dataclasses.dataclass(frozen=True)
class FiLM:
    """FiLM's flags."""

    task_embedding: int = flag(50, "size of the task's learned embedding", low=1)


@dataclasses.dataclass(frozen=True)
class SoftModules:
    """Soft modules' flags."""

    modules: int = flag(2, "modules of each layer", low=1)
    module_layers: int = flag(2, "layers of modules", low=1)
    module_units: int = flag(
        256, "units of each module, and of each of the two routing layers", low=1
    )


@dataclasses.dataclass(frozen=True)
class PaCo:
    """PaCo's flags."""

    experts: int = flag(5, "sets of parameters, which tasks mix", low=1)


@dataclasses.dataclass(frozen=True)
class MOORE:
    """MOORE's flags."""

    experts: int = flag(
        4, "orthogonal experts, which tasks mix; at most the units of the last hidden layer", low=1
    )


@dataclasses.dataclass(frozen=True)
class CARE:
    """CARE's flags."""

    experts: int = flag(6, "encoders of the observation, which tasks mix", low=1)
    task_embedding: int = flag(
        50, "size of the task's learned embedding, and of all layers of the encoders", low=1
    )


@dataclasses.dataclass(frozen=True)
class Routing(Changing):
    """Routing networks' flags."""

    blocks: int = flag(4, "blocks of each hidden layer, of which tasks choose one", low=1)
    route_updates: int = flag(
        50,
        "least updates by one route; it ends with a burst of updates, with ppo those of a rollout",
        low=1,
    )
    router_lr: float = flag(0.02, "size of a router's steps", low=0, high=1)
    router_memory: float = flag(
        0.9, "decay, with each time that a block is used, of what it brought", low=0, high=1
    )
    router_floor: float = flag(0.01, "least probability of any block", low=0, high=1)
    collaboration: float = flag(
        0.1, "reward for blocks that many tasks use, in standard deviations of the loss", low=0
    )
    shared_heads: bool = flag(
        False, "the output layer has blocks as well, as in the paper; else each task has its own"
    )

    def __post_init__(self) -> None:
        if self.router_floor * self.blocks > 1:
            raise UserError(
                f"--router_floor {self.router_floor}: {self.blocks} blocks can't all be as likely"
            )


@dataclasses.dataclass(frozen=True)
class AdaShare(Changing):
    """AdaShare's flags."""

    warmup_updates: int = flag(5000, "updates in which all tasks execute all blocks", low=0)
    turn_updates: int = flag(
        500,
        "least updates in which weights learn, then logits; each turn ends with a burst of "
        "updates, with ppo those of a rollout",
        low=1,
    )
    policy_updates: int = flag(
        50_000, "updates after which the blocks that tasks execute are settled", low=0
    )
    curriculum: int = flag(
        3,
        "turns of the logits after which one more block may be skipped, the last first; 0: all at "
        "once",
        low=0,
    )
    temperature: float = flag(5.0, "of samples at first", above=0)
    temperature_decay: float = flag(
        0.965, "factor on it with each turn of the logits", above=0, high=1
    )
    structure_lr: float = flag(0.01, "learning rate of the logits", low=0)
    sparsity: float = flag(0.001, "weight of the loss for blocks that are executed", low=0)
    sharing: float = flag(0.05, "weight of the loss for tasks that execute other blocks", low=0)
    structure: str = flag(
        "", "train the blocks that this splits.json, or run directory, chose, from scratch"
    )


@dataclasses.dataclass(frozen=True)
class LearnedBranching(Changing):
    """The flags of networks that learn where to branch."""

    nodes: int = flag(0, "nodes of each hidden layer; 0: one for each task", low=0)
    warmup_updates: int = flag(1000, "updates before the parents of nodes are learned", low=0)
    policy_updates: int = flag(50_000, "updates after which they are settled", low=1)
    temperature: float = flag(5.0, "of samples at first", above=0)
    structure_lr: float = flag(0.01, "learning rate of the parents' logits", low=0)

    def __post_init__(self) -> None:
        if self.policy_updates <= self.warmup_updates:
            raise UserError("--policy_updates must be more than --warmup_updates")


@dataclasses.dataclass(frozen=True)
class Modular(Changing):
    """Modular networks' flags."""

    modules: int = flag(4, "modules of each slot, of which a task uses one", low=1)
    compose: str = flag(
        "chain",
        "how modules make a network: one after another, or by a sum of their outputs",
        choices=("chain", "sum"),
    )
    propose_updates: int = flag(
        50,
        "least updates in which another module is compared with a task's; they end with a burst of "
        "updates, with ppo those of a rollout",
        low=1,
    )
    accept_worse: float = flag(
        1.0, "share of the proposals with more loss that are accepted at first", above=0, high=1
    )
    anneal_updates: int = flag(
        50_000,
        "updates in which that falls to 0.7% of it, exponentially; after them none is",
        low=1,
    )
    shared_heads: bool = flag(
        False, "the output layer is a slot as well, as in the paper; else each task has its own"
    )
    inner_steps: int = flag(0, "steps on a task's parameters before its loss counts", low=0)
    inner_lr: float = flag(0.01, "learning rate of these steps", above=0)


@dataclasses.dataclass(frozen=True)
class SoftOrder:
    """Soft ordering's flags."""

    order: str = flag(
        "soft",
        "of the shared layers: soft, which each task learns, or a random permutation for each",
        choices=("soft", "permuted"),
    )


@dataclasses.dataclass(frozen=True)
class CrossStitch:
    """Cross-stitch networks' flags."""

    stitch_alpha: float = flag(
        0.9,
        "weight of a task's own network in each sum at first; the others have equal parts of the "
        "rest of 1",
        low=0,
        high=1,
    )


@dataclasses.dataclass(frozen=True)
class MTAN:
    """MTAN's flags."""

    mask_units: int = flag(
        0, "units of the layer before each mask; 0: as many as the mask has", low=0
    )


@dataclasses.dataclass(frozen=True)
class SparseSharing(Changing):
    """Sparse sharing's flags."""

    tickets: str = flag(
        "imp",
        "how tasks find the weights they use: by iterative magnitude pruning, each with weights of "
        "its own, or by saliency, at the end of the warm-up",
        choices=("imp", "saliency"),
    )
    density: float = flag(
        0.3, "fraction of the weights of hidden layers that each task uses", above=0, high=1
    )
    warmup_updates: int = flag(
        10_000,
        "least updates in which all tasks use all weights; every phase ends with a burst of "
        "updates, with ppo those of a rollout",
        low=1,
    )
    rounds: int = flag(5, "rounds of pruning (imp)", low=1)
    round_updates: int = flag(5000, "least updates of each round (imp)", low=1)
    saliency_updates: int = flag(
        100, "last updates of the warm-up by which weights are judged (saliency)", low=1
    )


FIRST_SCORE = 0.01  # of every weight of Piggyback's


@dataclasses.dataclass(frozen=True)
class Piggyback(Changing):
    """Piggyback's flags."""

    backbone: str = flag("", "the run whose hidden layers are masked: its directory")
    threshold: float = flag(
        0.005, f"score above which a weight is used; scores start at {FIRST_SCORE}", low=0
    )
    ternary: bool = flag(False, "use weights with scores below 0 with the other sign")
    structure_lr: float = flag(1e-4, "learning rate of the scores", low=0)

    def __post_init__(self) -> None:
        if self.threshold >= FIRST_SCORE:
            raise UserError(
                f"--threshold {self.threshold}: all weights are used at first, so that it is below "
                f"{FIRST_SCORE}, where scores start"
            )


@dataclasses.dataclass(frozen=True)
class SplittingOthers(SplittingLayers):
    """The flags of all other architectures whose layers split."""

    def __post_init__(self) -> None:
        if self.split_criterion in OF_HALVES:
            raise UserError(
                f"--split_criterion {self.split_criterion} compares the halves of batches, which "
                "splitting and sparse_splitting tell apart, and other networks don't"
            )


@dataclasses.dataclass(frozen=True)
class SplittingFiLM(SplittingOthers, FiLM):
    """The flags of FiLM whose layers split."""


@dataclasses.dataclass(frozen=True)
class SplittingSoftModules(SplittingOthers, SoftModules):
    """The flags of soft modules that split."""


@dataclasses.dataclass(frozen=True)
class SplittingMOORE(SplittingOthers, MOORE):
    """The flags of MOORE whose experts split."""


@dataclasses.dataclass(frozen=True)
class SplittingCARE(SplittingOthers, CARE):
    """The flags of CARE whose layers split."""


@dataclasses.dataclass(frozen=True)
class MetaSplitting:
    """The flags of networks that `meta-test` makes."""

    meta_copies: int = flag(2, "most copies of a layer; meta-test has those of the run", low=1)
    meta_mix: str = flag(
        "outputs", "what tasks mix of a layer's copies", choices=("outputs", "weights")
    )
    meta_softmax: bool = flag(False, "shares of 1 that copies have, in place of any numbers")


@dataclasses.dataclass(frozen=True)
class NetworkFlags:
    """What there is to know of a network before TensorFlow is imported.

    Attributes:
      config: dataclass of its own flags.
      images: whether it takes observations that are images, of rank 3; else they are flat.
      tasks: whether it is for several tasks, else for one.
      blocks: whether its hidden layers may be residual blocks.
      hidden: whether it needs a hidden layer. one_size: whether all of them have one size.
      adapted: name of the network that `meta-test` makes of it for other tasks; "": none.
    """

    config: type = NoFlags
    images: bool = False
    tasks: bool = True
    blocks: bool = False
    hidden: bool = False
    one_size: bool = False
    adapted: str = ""

    @property
    def changes(self) -> bool:
        """Whether it changes while it trains."""
        return issubclass(self.config, Changing)

    @property
    def splits(self) -> bool:
        """Whether its regions can split while it trains."""
        return issubclass(self.config, SplittingLayers)


NETWORKS: dict[str, NetworkFlags] = {
    "mlp": NetworkFlags(blocks=True),
    "multi_head": NetworkFlags(blocks=True),
    "trunk": NetworkFlags(Trunk, blocks=True),
    "independent": NetworkFlags(Independent, blocks=True),
    "film": NetworkFlags(FiLM),
    "soft_modules": NetworkFlags(SoftModules, hidden=True),
    "paco": NetworkFlags(PaCo),
    "moore": NetworkFlags(MOORE, hidden=True),
    "care": NetworkFlags(CARE),
    "splitting": NetworkFlags(Splitting, blocks=True, adapted="meta_splitting"),
    "sparse_splitting": NetworkFlags(SparseSplitting),
    "splitting_film": NetworkFlags(SplittingFiLM),
    "splitting_soft_modules": NetworkFlags(SplittingSoftModules, hidden=True),
    "splitting_moore": NetworkFlags(SplittingMOORE, hidden=True),
    "splitting_care": NetworkFlags(SplittingCARE),
    "meta_splitting": NetworkFlags(MetaSplitting),
    "routing": NetworkFlags(Routing),
    "adashare": NetworkFlags(AdaShare, one_size=True),
    "learned_branching": NetworkFlags(LearnedBranching, hidden=True),
    "modular": NetworkFlags(Modular, hidden=True, adapted="meta_modular"),
    "meta_modular": NetworkFlags(Modular, hidden=True),
    "soft_order": NetworkFlags(SoftOrder, one_size=True, adapted="meta_soft_order"),
    "meta_soft_order": NetworkFlags(SoftOrder, one_size=True),
    "cross_stitch": NetworkFlags(CrossStitch, hidden=True),
    "mtan": NetworkFlags(MTAN, hidden=True),
    "sparse_sharing": NetworkFlags(SparseSharing, hidden=True),
    "piggyback": NetworkFlags(Piggyback, hidden=True),
}


def refuse_adapted(name: str) -> None:
    """Raises a UserError if a network is only made by `meta-test`, from one that has learned."""
    if any(flags.adapted == name for flags in NETWORKS.values()):
        raise UserError(f"--network {name} is made from a run: main.py meta-test DIR")


def register(name: str, config: type = NoFlags, images: bool = False, tasks: bool = True) -> None:
    """Makes a network known to `--network`; arguments as NetworkFlags'.

    Raises:
      ValueError: there is one of that name.
    """
    if name in NETWORKS:
        raise ValueError(f"there is a network {name!r} already")
    NETWORKS[name] = NetworkFlags(config, images, tasks)
