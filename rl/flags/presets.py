"""Recipes: values of several flags by one name, `--preset NAME`. A flag that is given wins.

What counts of all tasks together is there for ten of them: env steps, and updates for each. See
docs/algorithms.md for what the recipes have besides.
"""

from typing import Any, Mapping

from rl.config import UserError

NONE = "none"

PRESETS: dict[str, dict[str, Any]] = {
    # Nauman et al., 2025: https://arxiv.org/abs/2505.23150
    "brc": {
        "algo": "sac",
        "layers": "bronet",
        "actor_sizes": (256,),
        "critic_sizes": (512, 512),
        "initializer": "orthogonal",
        "critic_loss": "c51",
        "atoms": 101,
        "v_min": -10.0,
        "v_max": 10.0,
        "critic_reduce": "mean",
        "critic_embedding": 32,
        "task_onehot": False,
        "rew_norm": True,
        "rew_norm_by": "max",
        "return_max": 10.0,
        "shared_alpha": True,
        "alpha": 0.1,
        "target_entropy": -0.5,
        "pi_lr": 3e-4,
        "q_lr": 3e-4,
        "alpha_lr": 3e-4,
        "optimizer": "adamw",
        "weight_decay": 1e-4,
        "batch_size": 100,
        "start_steps": 50_000,
        "update_after": 50_000,
        "updates_per_step": 0.2,
    },
    # McLean et al., 2025: https://arxiv.org/abs/2505.11289 (multi-task SAC with heads on MT10)
    "metaworld_plus": {
        "algo": "sac",
        "network": "multi_head",
        "hidden_sizes": (400, 400, 400),
        "initializer": "he_uniform",
        "pi_lr": 3e-4,
        "q_lr": 3e-4,
        "alpha_lr": 3e-4,
        "epsilon": 1e-5,
        "max_grad_norm": 1.0,
        "batch_size": 128,
        "replay_size": 100_000,
        "start_steps": 40_000,
        "update_after": 40_000,
        "updates_per_step": 0.1,
    },
    # Lee et al., 2024: https://arxiv.org/abs/2410.09754 (SAC, a single task)
    "simba": {
        "algo": "sac",
        "layers": "simba",
        "actor_sizes": (128,),
        "critic_sizes": (512, 512),
        "initializer": "orthogonal",
        "obs_norm": True,
        "alpha": 0.01,
        "target_entropy": -0.5,
        "pi_lr": 1e-4,
        "q_lr": 1e-4,
        "alpha_lr": 1e-4,
        "optimizer": "adamw",
        "weight_decay": 1e-2,
        "start_steps": 5000,
        "update_after": 5000,
        "updates_per_step": 2.0,
    },
}


def preset_flags(name: str) -> Mapping[str, Any]:
    """The flags that a preset sets.

    Raises:
      UserError: there is none of that name.
    """
    if name == NONE:
        return {}
    if name not in list(PRESETS):
        known = ", ".join(PRESETS)
        raise UserError(f"unknown preset {name!r}; there are {known}")
    return PRESETS[name]


def check_algo(name: str, algo: str) -> None:
    """Raises a UserError if the preset `name` is for another algorithm."""
    wanted = preset_flags(name).get("algo", algo)
    if wanted != algo:
        raise UserError(f"--preset {name} is for --algo {wanted}, not {algo}")
