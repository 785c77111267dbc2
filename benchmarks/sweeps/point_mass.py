"""Networks and gradient methods on the test bed PointMass-MT4, by DDPG and by PPO.

    .venv/bin/python main.py sweep benchmarks/sweeps/point_mass.py --jobs 2
    .venv/bin/python main.py compare data/point_mass --select ppo_ --baseline ppo_multi_head
    .venv/bin/python main.py compare data/point_mass --select ppo_ -y Parameters --score last
    .venv/bin/python main.py compare data/point_mass --select ppo_ -y PiSharing --score last

Layers (32, 32). DDPG takes 16k env steps of all tasks together with 128 transitions a task, PPO
160k. With DDPG the input has no one-hot code but for `shared`, which could not tell the tasks
apart. A run's score is the mean over tasks of the test return, 20 episodes a task, over the last
three tests. Pre-split networks have the copies that `lagged` found with the same seed.
"""

from typing import Any

from rl import Sweep

COMMON: dict[str, Any] = {
    "env": "PointMass-MT4",
    "num_test_episodes": 20,
    "hidden_sizes": [32, 32],
    "tensorboard": False,
    "save_freq": 1000,
}
DDPG: dict[str, Any] = {
    "algo": "ddpg",
    "epochs": 10,
    "steps_per_epoch": 1600,
    "start_steps": 800,
    "update_after": 800,
    "update_every": 40,
    "batch_size": 128,
}
PPO: dict[str, Any] = {
    "algo": "ppo",
    "epochs": 20,
    "steps_per_epoch": 8000,
    "num_envs": 4,
    "rollout_steps": 100,
    "batch_size": 100,
    "lr": 1e-3,
    "lr_schedule": "constant",
    "gamma": 0.95,
    "log_std": -0.5,
}
SPLITTING: dict[str, Any] = {"network": "splitting", "split_every": 20}
SHARED: dict[str, Any] = {**SPLITTING, "split_start": "shared"}
CONFLICT: dict[str, Any] = {**SHARED, "split_criterion": "conflict", "split_z": 4.0}
# Networks of which tasks have parts of their own -> their flags.
NETWORKS: dict[str, dict[str, Any]] = {
    "multi_head": {"network": "multi_head"},
    "independent": {"network": "independent"},
    "lagged": SPLITTING,
    "lagged_shared": SHARED,
    "gain": {**SHARED, "split_criterion": "gain", "split_z": 4.0},
    "conflict": CONFLICT,
    "conflict_pcgrad": {**CONFLICT, "gradient": "pcgrad"},
    "halfbatch": {**SHARED, "split_criterion": "halfbatch", "split_z": 4.0},
    "v1": {**SHARED, "split_criterion": "v1", "split_warmup": 100, "split_reset": False},
    # v2 splits at every check.
    "v2": {
        **SHARED,
        "split_criterion": "v2",
        "split_every": 500,
        "split_warmup": 100,
        "split_reset": False,
    },
    "sparse": {**SHARED, "network": "sparse_splitting"},
    "weights": {
        **SPLITTING,
        "network": "sparse_splitting",
        "split_weights": True,
        "split_z": 4.0,
        "splits_per_check": 20,
    },
}


def methods_of(algo: dict[str, Any], of_tasks: dict[str, Any], splits: dict[str, Any]) -> Any:
    """Every contender with an algorithm.

    Args:
      algo: flags of all. of_tasks: of networks of which tasks have parts. splits: of networks that
        split.
    """
    name = algo["algo"]
    methods = {
        f"{name}_shared": {**algo, "network": "mlp"},
        f"{name}_shared_pcgrad": {**algo, "network": "mlp", "gradient": "pcgrad"},
    }
    for network, flags in NETWORKS.items():
        methods[f"{name}_{network}"] = {**algo, **of_tasks, **flags}
        if "split_every" in flags:
            methods[f"{name}_{network}"] |= splits
    found = f"{{sweep}}/{name}_lagged/{name}_lagged_s{{seed}}"
    pre_split = {"network": "splitting", "split_map": found}
    methods[f"{name}_pre_split"] = {**algo, **of_tasks, **pre_split}
    return methods


sweep = Sweep(
    name="point_mass",
    common=COMMON,
    methods={
        **methods_of(DDPG, {"task_onehot": False}, {"split_min_sharing": 0.3}),
        **methods_of(PPO, {}, {}),
    },
    seeds=range(5),
)
