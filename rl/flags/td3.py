"""TD3's flags."""

import dataclasses

from rl.config import flag
from rl.flags import critic


@dataclasses.dataclass(frozen=True)
class Config(critic.Twins):
    """TD3's flags."""

    gamma: float = flag(0.99, "discount", low=0, high=1)
    polyak: float = flag(0.995, "weight of the old target in target averaging", low=0, high=1)
    pi_lr: float = flag(1e-3, "actor learning rate", above=0)
    q_lr: float = flag(1e-3, "critics' learning rate", above=0)
    act_noise: float = flag(
        0.1, "std of exploration noise, as a fraction of the action's half range", low=0
    )
    target_noise: float = flag(0.2, "std of the noise on the target's action, same unit", low=0)
    noise_clip: float = flag(0.5, "largest noise on the target's action, same unit", low=0)
    policy_delay: int = flag(2, "critic updates for each of the actor and the targets", low=1)
