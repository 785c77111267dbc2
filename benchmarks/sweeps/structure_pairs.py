"""Whether tasks that are the same come to use the same modules and blocks, on PointMass-Pairs4.

    .venv/bin/python main.py sweep benchmarks/sweeps/structure_pairs.py --jobs 2
    .venv/bin/python benchmarks/planted_groups.py data/structure_pairs
    .venv/bin/python benchmarks/planted_groups.py data/structure_pairs --network LossV

One hidden layer of 64 units, and output layers that are modules and blocks as well, so that a
task is what its structure makes of it: there is no one-hot code. 160k env steps of all tasks
together by PPO, as in point_mass.py.
"""

from benchmarks.sweeps.point_mass import COMMON, PPO
from rl import Sweep

sweep = Sweep(
    name="structure_pairs",
    common={
        **COMMON,
        **PPO,
        "env": "PointMass-Pairs4",
        "hidden_sizes": [64],
        "task_onehot": False,
        "shared_heads": True,
    },
    methods={
        "modular": {
            "network": "modular",
            "modules": 2,
            "propose_updates": 40,
            "anneal_updates": 3200,
        },
        "routing": {"network": "routing", "blocks": 2, "route_updates": 40, "router_lr": 0.1},
    },
    seeds=range(10),
)
