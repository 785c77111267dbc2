"""The parts of `--preset brc` on four tasks of Meta-World by SAC: networks on top of all of them,
and heads without one of them at a time.

    .venv/bin/python main.py sweep benchmarks/sweeps/strong_base_sac.py --jobs 2 \
      --methods mlp multi_head splitting
    .venv/bin/python main.py sweep benchmarks/sweeps/strong_base_sac.py --jobs 2 --seed 0 1
    .venv/bin/python main.py compare data/strong_base_sac -y TestSuccess --score eval

The first command is of the networks with three seeds, 100k env steps of each task; the second of
all else with two, 50k. Reach, push, window-open and window-close, random goals, width 128. For
four tasks the preset's counts of all steps are 0.4 of those for ten, and updates for each 2.5
times as many; here it is half of that.
"""

from typing import Any

from rl import Sweep

NETWORKS = ("mlp", "multi_head", "splitting")
# Without it -> the flags that take it away.
WITHOUT: dict[str, dict[str, Any]] = {
    "blocks": {"layers": "dense"},
    "categorical": {"critic_loss": "mse"},
    "mean_of_critics": {"critic_reduce": "min"},
    "embedding": {"critic_embedding": 0, "task_onehot": True},
    "largest_return": {"rew_norm": False},
    "one_temperature": {"shared_alpha": False},
    "weight_decay": {"optimizer": "adam"},
}


def without(part: str) -> dict[str, Any]:
    """Flags of a run that lacks a part; flags that have no effect then are left out."""
    return {"network": "multi_head", "epochs": 5, **WITHOUT[part]}


sweep = Sweep(
    name="strong_base_sac",
    common={
        "preset": "brc",
        "env": "MT:reach-v3,push-v3,window-open-v3,window-close-v3",
        "actor_sizes": [128],
        "critic_sizes": [128, 128],
        "epochs": 10,
        "steps_per_epoch": 40_000,
        "num_test_episodes": 10,
        "batch_size": 100,
        "start_steps": 20_000,
        "update_after": 20_000,
        "updates_per_step": 0.25,
        "update_every": 80,
        "tensorboard": False,
    },
    methods={
        **{network: {"network": network} for network in NETWORKS},
        "all_50k": {"network": "multi_head", "epochs": 5},
        **{f"without_{part}": without(part) for part in WITHOUT},
    },
    seeds=range(3),
    eval_episodes=50,
)
