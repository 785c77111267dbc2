"""Flags of the critics of off-policy algorithms."""

import dataclasses

from rl.config import UserError, flag

# Those of rl.algos.value_losses, by name.
LOSSES = ("mse", "c51", "two_hot", "hl_gauss")


@dataclasses.dataclass(frozen=True)
class Config:
    """What critics put out, and by which loss they learn."""

    critic_loss: str = flag(
        "mse",
        "critics learn values by squared errors; or a distribution over atoms by cross-entropy, "
        "towards the target's distribution (c51), or towards its mean, which the two nearest atoms "
        "share (two_hot) or a Gaussian spreads (hl_gauss)",
        choices=LOSSES,
    )
    atoms: int = flag(101, "values that a distribution is over, evenly spaced", low=2)
    v_min: float = flag(
        -10.0, "lowest atom, in units of the rewards that networks see; lower values count as it"
    )
    v_max: float = flag(10.0, "highest atom; higher values count as it")
    hl_sigma: float = flag(
        0.75, "std of the Gaussian of hl_gauss, in distances between atoms", above=0
    )
    critic_embedding: int = flag(
        0,
        "size of a code of unit length for each task, beside the observation, that critics learn "
        "and actors are given; 0: none",
        low=0,
    )

    def __post_init__(self) -> None:
        if self.v_min >= self.v_max:
            raise UserError(f"--v_min must be below --v_max, got {self.v_min} and {self.v_max}")


@dataclasses.dataclass(frozen=True)
class Twins(Config):
    """The same of two critics."""

    critic_reduce: str = flag(
        "min",
        "which value of both critics counts: the smaller one, or their mean",
        choices=("min", "mean"),
    )
