"""SAC's flags."""

import dataclasses

from rl.config import UserError, flag
from rl.flags import critic

# Of flags of other parts.
DEFAULTS = {"batch_size": 256}


@dataclasses.dataclass(frozen=True)
class Config(critic.Twins):
    """SAC's flags."""

    gamma: float = flag(0.99, "discount", low=0, high=1)
    polyak: float = flag(0.995, "weight of the old target in target averaging", low=0, high=1)
    pi_lr: float = flag(1e-3, "actor learning rate", above=0)
    q_lr: float = flag(1e-3, "critics' learning rate", above=0)
    alpha: float = flag(
        1.0, "temperature: weight of the entropy, in rewards; where a learned one starts", above=0
    )
    learn_alpha: bool = flag(
        True, "learn the temperature; false: keep alpha (Spinning Up's is 0.2)"
    )
    alpha_lr: float = flag(1e-3, "temperature learning rate", above=0)
    target_entropy: float = flag(
        -1.0, "entropy a learned temperature aims at, nats per action dimension"
    )
    shared_alpha: bool = flag(
        False, "one temperature for all tasks, by the sum of their losses; else one for each"
    )
    weight_tasks: bool = flag(
        False, "weigh the losses of several tasks by num_tasks * softmax(-log alpha)"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weight_tasks and self.shared_alpha:
            raise UserError("--weight_tasks needs an alpha for each task, --shared_alpha has one")
