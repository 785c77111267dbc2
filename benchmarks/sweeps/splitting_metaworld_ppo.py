"""Networks that split and what they are compared with, by PPO on four tasks of Meta-World.

    .venv/bin/python main.py sweep benchmarks/sweeps/splitting_metaworld_ppo.py --jobs 2
    .venv/bin/python main.py compare data/splitting_metaworld_ppo -y TestSuccess --score eval
    .venv/bin/python main.py compare data/splitting_metaworld_ppo -y Parameters --score last

Reach, push, window-open and window-close, 50 goals each, layers (128, 128): 400k env steps of all
tasks together, 40 updates of 500 steps a task for every 8000. A run's scores are of deterministic
episodes at the end, 20 of each task.
"""

from typing import Any

from rl import Sweep

COMMON: dict[str, Any] = {
    "algo": "ppo",
    "env": "MT:reach-v3,push-v3,window-open-v3,window-close-v3",
    "hidden_sizes": [128, 128],
    "epochs": 5,
    "steps_per_epoch": 80_000,
    "num_envs": 4,
    "num_test_episodes": 10,
    "rollout_steps": 500,
    "batch_size": 500,
    "update_epochs": 10,
    "lr": 5e-4,
    "ent_coef": 0.005,
    "lam": 0.97,
    "tensorboard": False,
}
SPLITTING: dict[str, Any] = {"network": "splitting", "split_every": 50}
SHARED: dict[str, Any] = {**SPLITTING, "split_start": "shared"}
CONFLICT: dict[str, Any] = {**SHARED, "split_criterion": "conflict", "split_z": 4.0}
# As the original splits.
ORIGINAL: dict[str, Any] = {**SHARED, "split_warmup": 100, "split_reset": False}

sweep = Sweep(
    name="splitting_metaworld_ppo",
    common=COMMON,
    methods={
        "shared": {"network": "mlp"},
        "multi_head": {"network": "multi_head"},
        "independent": {"network": "independent"},
        "lagged": SPLITTING,
        "lagged_shared": SHARED,
        "lagged_shared_z2": {**SHARED, "split_z": 2.0},
        "conflict_heads": {**CONFLICT, "split_start": "heads"},
        "gain": {
            **SHARED,
            "split_criterion": "gain",
            "split_z": 2.5,
            "splits_per_check": 3,
        },
        "conflict": CONFLICT,
        "conflict_pcgrad": {**CONFLICT, "gradient": "pcgrad"},
        "v1": {**ORIGINAL, "split_criterion": "v1"},
        # v2 splits at every check.
        "v2": {**ORIGINAL, "split_criterion": "v2", "split_every": 400},
        "sparse": {**SHARED, "network": "sparse_splitting"},
        "pre_split": {"network": "splitting", "split_map": "{sweep}/lagged/lagged_s{seed}"},
    },
    seeds=range(5),
    eval_episodes=20,
)
