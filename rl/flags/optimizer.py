"""Flags of the optimisers."""

import dataclasses

from rl.config import UserError, flag

# Those of rl.gradients.optimizer, by name, and which of the flags below are parameters of each. The
# flags have the names of Keras' arguments.
PARAMETERS = {
    "adam": ("beta_1", "beta_2", "epsilon"),
    "adamw": ("beta_1", "beta_2", "epsilon"),
    "rmsprop": ("rho", "momentum", "epsilon"),
    "sgd": ("momentum", "nesterov"),
}
OPTIMIZERS = tuple(PARAMETERS)
MOST = 0.9999  # of a decay: with 1 nothing would ever be learned


@dataclasses.dataclass(frozen=True)
class Config:
    """Optimiser flags; the learning rates are each algorithm's own."""

    optimizer: str = flag("adam", "optimiser of every network", choices=OPTIMIZERS)
    beta_1: float = flag(
        0.9, "decay of the mean of gradients, per update (adam, adamw)", low=0, high=MOST
    )
    beta_2: float = flag(
        0.999, "decay of the mean square of gradients (adam, adamw)", low=0, high=MOST
    )
    rho: float = flag(0.9, "decay of the mean square of gradients (rmsprop)", low=0, high=MOST)
    momentum: float = flag(
        0.0, "share of a step that the next one goes on with (sgd, rmsprop)", low=0, high=MOST
    )
    nesterov: bool = flag(False, "Nesterov's momentum (sgd)")
    epsilon: float = flag(1e-7, "added to the root mean square of gradients (not sgd)", above=0)
    weight_decay: float = flag(
        0.0,
        "decoupled decay of kernels and of nothing else, per step and unit of learning rate; "
        "0: none, with adamw too",
        low=0,
    )
    max_grad_norm: float = flag(
        0.0, "clip the norm of a network's whole gradient to this; 0: no clipping", low=0
    )
    gradient_stats: bool = flag(
        False, "log how the tasks' gradients conflict even where they are summed"
    )


def check_parameters(config: Config, usual: Config) -> None:
    """Refuses parameters of other optimisers than the one chosen.

    Args:
      usual: the defaults, which nobody needs to take back.

    Raises:
      UserError: a parameter isn't the usual one, and the optimiser has none of that name.
    """
    names = sorted({name for parameters in PARAMETERS.values() for name in parameters})
    for name in names:
        if name in PARAMETERS[config.optimizer] or getattr(config, name) == getattr(usual, name):
            continue
        owners = [other for other, parameters in PARAMETERS.items() if name in parameters]
        raise UserError(f"--{name} is for {', '.join(owners)}, not {config.optimizer}")
    if config.nesterov and not config.momentum:
        raise UserError("--nesterov needs a --momentum above 0")
