"""DDPG's flags."""

import dataclasses

from rl.config import flag
from rl.flags import critic


@dataclasses.dataclass(frozen=True)
class Config(critic.Config):
    """DDPG's flags."""

    gamma: float = flag(0.99, "discount", low=0, high=1)
    polyak: float = flag(0.995, "weight of the old target in target averaging", low=0, high=1)
    pi_lr: float = flag(1e-3, "actor learning rate", above=0)
    q_lr: float = flag(1e-3, "critic learning rate", above=0)
    noise: str = flag("gaussian", "exploration noise", choices=("gaussian", "ou"))
    act_noise: float = flag(
        0.1, "std of exploration noise, as a fraction of the action's half range", low=0
    )
    ou_theta: float = flag(
        0.15, "pull of Ornstein-Uhlenbeck noise towards 0, per step", low=0, high=1
    )
