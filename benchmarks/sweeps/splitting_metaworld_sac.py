"""Networks that split and what they are compared with, by SAC on four tasks of Meta-World.

    .venv/bin/python main.py sweep benchmarks/sweeps/splitting_metaworld_sac.py --jobs 2
    .venv/bin/python main.py compare data/splitting_metaworld_sac -y TestSuccess --score eval
    .venv/bin/python main.py compare data/splitting_metaworld_sac -y Parameters --score last

Reach, push, window-open and window-close, 50 goals each, layers (128, 128): 200k env steps of all
tasks together, an update for every 8 of them (two of a task), 128 transitions a task, 5-step
returns. A run's scores are of deterministic episodes at the end, 50 of each task.
"""

from typing import Any

from rl import Sweep

SPLITTING: dict[str, Any] = {"network": "splitting", "split_every": 250}
SHARED: dict[str, Any] = {**SPLITTING, "split_start": "shared"}
CONFLICT: dict[str, Any] = {**SHARED, "split_criterion": "conflict", "split_z": 4.0}
# As the original splits.
ORIGINAL: dict[str, Any] = {**SHARED, "split_warmup": 1000, "split_reset": False}

sweep = Sweep(
    name="splitting_metaworld_sac",
    common={
        "algo": "sac",
        "env": "MT:reach-v3,push-v3,window-open-v3,window-close-v3",
        "hidden_sizes": [128, 128],
        "epochs": 5,
        "steps_per_epoch": 40_000,
        "num_envs": 4,
        "num_test_episodes": 10,
        "batch_size": 128,
        "n_step": 5,
        "start_steps": 4000,
        "update_after": 4000,
        "update_every": 80,
        "updates_per_step": 0.125,
        "pi_lr": 5e-4,
        "q_lr": 5e-4,
        "alpha_lr": 5e-4,
        "tensorboard": False,
    },
    methods={
        "shared": {"network": "mlp"},
        "multi_head": {"network": "multi_head"},
        "independent": {"network": "independent"},
        "lagged": SPLITTING,
        "lagged_shared": SHARED,
        "lagged_shared_z2": {**SHARED, "split_z": 2.0},
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
        "v2": {**ORIGINAL, "split_criterion": "v2", "split_every": 1000},
        "sparse": {**SHARED, "network": "sparse_splitting"},
        "pre_split": {"network": "splitting", "split_map": "{sweep}/lagged/lagged_s{seed}"},
    },
    seeds=(0, 1),
    eval_episodes=50,
)
