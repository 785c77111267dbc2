"""PPO's flags."""

import dataclasses

from rl.config import UserError, flag

# Of flags of other parts.
DEFAULTS = {
    "hidden_sizes": (64, 64),
    "activation": "tanh",
    "initializer": "orthogonal",
    "epsilon": 1e-5,
    "max_grad_norm": 0.5,
    "lr_schedule": "linear",
    "obs_norm": True,
    "rew_norm": True,
}


@dataclasses.dataclass(frozen=True)
class Config:
    """PPO's flags."""

    gamma: float = flag(0.99, "discount", low=0, high=1)
    lam: float = flag(0.95, "lambda of generalised advantage estimation", low=0, high=1)
    lr: float = flag(3e-4, "learning rate of actor and critic", above=0)
    clip_ratio: float = flag(
        0.2, "clip the probability ratio to [1 - clip_ratio, 1 + clip_ratio]", above=0
    )
    clip_value: float = flag(
        0.0, "clip the value's change to +-clip_value in the value loss; 0: no clipping", low=0
    )
    vf_coef: float = flag(0.25, "weight of the value loss, a mean square", low=0)
    ent_coef: float = flag(0.0, "weight of the entropy bonus", low=0)
    target_kl: float = flag(
        0.0,
        "end an update when the KL divergence from the old policy, as estimated on a minibatch, is "
        "above 1.5 times this; 0: never",
        low=0,
    )
    norm_adv: bool = flag(True, "normalise advantages in each minibatch, per task")
    norm_value: bool = flag(
        False, "let the critic predict returns minus their running mean, over their running std"
    )
    critic: str = flag(
        "network",
        "what values are: a network's, or linear in features of observation and time",
        choices=("network", "linear"),
    )
    share_torso: bool = flag(False, "one torso for actor and critic")
    std: str = flag(
        "free",
        "log std of Gaussian actions: a variable for each action dimension and task (free), for "
        "each action dimension (shared), the same split like a layer (split), or an output of the "
        "actor (state)",
        choices=("free", "shared", "split", "state"),
    )
    log_std: float = flag(0.0, "log std at the start, of actions scaled to [-1, 1]")


def check_batch(config: Config, size: int) -> None:
    """Raises a UserError where minibatches of so many steps of a task teach the policy nothing."""
    if config.norm_adv and size == 1:
        raise UserError("--batch_size 1 needs --norm_adv false: one advantage less its mean is 0")


def check_critic(config: Config) -> None:
    """Raises a UserError where flags speak of the value network that `--critic linear` lacks."""
    if config.critic != "linear":
        return
    for name in ("share_torso", "norm_value", "clip_value"):
        if getattr(config, name):
            raise UserError(f"--{name}: with --critic linear there is no value network")
