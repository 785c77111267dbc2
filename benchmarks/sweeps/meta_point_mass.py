"""Meta-splitting against training from scratch on held-out point masses, by returns after K
episodes of each test task.

    .venv/bin/python main.py sweep benchmarks/sweeps/meta_point_mass.py --jobs 2
    .venv/bin/python main.py compare data/meta_point_mass --exclude source --score last --at STEPS

STEPS are 40 K, since an episode of both tasks has 40 steps; for K = 0 they are 1. PPO on
PointMass-ML4, layers (32, 32), takes 160k steps with `--network splitting --split_start shared`.
Then 48 episodes of each test task, an update for every two, by `meta-test` from either start, the
four episodes that find the best counted; and by independent networks from scratch: by PPO at two
learning rates, and by DDPG, which learns from fewer steps, with ten updates for each. A test is of
20 episodes a task.
"""

from typing import Any

from rl import Sweep

PPO: dict[str, Any] = {
    "algo": "ppo",
    "lr_schedule": "constant",
    "gamma": 0.95,
    "log_std": -0.5,
}
SHORT: dict[str, Any] = {"rollout_steps": 40, "batch_size": 40}
SCRATCH: dict[str, Any] = {
    "split": "test",
    "network": "independent",
    "epochs": 48,
    "steps_per_epoch": 40,
}
META: dict[str, Any] = {
    **SHORT,
    "meta_test": "{sweep}/source/source_s{seed}",
    "episodes": 48,
    "num_envs": 1,
    "lr": 1e-2,
}

sweep = Sweep(
    name="meta_point_mass",
    common={
        "env": "PointMass-ML4",
        "num_test_episodes": 20,
        "hidden_sizes": [32, 32],
        "tensorboard": False,
        "save_freq": 1000,
        "task_onehot": False,
    },
    methods={
        "source": {
            **PPO,
            "network": "splitting",
            "split_start": "shared",
            "split_every": 20,
            "epochs": 20,
            "steps_per_epoch": 8000,
            "num_envs": 4,
            "rollout_steps": 100,
            "batch_size": 100,
            "lr": 1e-3,
        },
        "scratch": {**SCRATCH, **PPO, **SHORT, "lr": 3e-3},
        "scratch-1e-2": {**SCRATCH, **PPO, **SHORT, "lr": 1e-2},
        "scratch-ddpg": {
            **SCRATCH,
            "algo": "ddpg",
            "batch_size": 128,
            "updates_per_step": 10,
            "start_steps": 0,
            "update_after": 40,
            "update_every": 40,
        },
        "meta-equal": META,
        "meta-best": {**META, "start": "best"},
        "meta-best-weights": {**META, "start": "best", "meta_mix": "weights"},
    },
    seeds=range(10),
)
