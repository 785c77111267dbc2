"""Networks that learn what tasks share, beside those that fix it, on PointMass-MT4 by PPO.

    .venv/bin/python main.py sweep benchmarks/sweeps/structure_point_mass.py --jobs 2
    .venv/bin/python main.py compare data/structure_point_mass --baseline multi_head
    .venv/bin/python main.py compare data/structure_point_mass -y Parameters --score last
    .venv/bin/python benchmarks/planted_groups.py data/structure_point_mass

Layers (32, 32), 160k env steps of all tasks together, as in point_mass.py. Two of the tasks go
east and two go west. A run's score is the mean over tasks of the test return, 20 episodes a task,
over the last three tests.
"""

from typing import Any

from benchmarks.sweeps.point_mass import COMMON, PPO
from rl import Sweep

UPDATES = 4000  # of a run: 100 rollouts, each 10 passes in 4 minibatches

METHODS: dict[str, dict[str, Any]] = {
    "shared": {"network": "mlp"},
    "multi_head": {"network": "multi_head"},
    "independent": {"network": "independent"},
    "soft_modules": {"network": "soft_modules", "module_units": 32},
    "paco": {"network": "paco"},
    "moore": {"network": "moore"},
    "splitting": {"network": "splitting", "split_start": "shared", "split_every": 20},
    "soft_order": {"network": "soft_order"},
    "cross_stitch": {"network": "cross_stitch"},
    "mtan": {"network": "mtan"},
    "routing": {"network": "routing", "blocks": 2, "route_updates": 40, "router_lr": 0.1},
    "modular": {
        "network": "modular",
        "modules": 3,
        "propose_updates": 40,
        "anneal_updates": UPDATES // 2,
    },
    "adashare": {
        "network": "adashare",
        "warmup_updates": UPDATES // 10,
        "turn_updates": 80,
        "policy_updates": UPDATES // 2,
        "structure_lr": 0.05,
    },
    "learned_branching": {
        "network": "learned_branching",
        "warmup_updates": UPDATES // 20,
        "policy_updates": UPDATES // 2,
        "structure_lr": 0.05,
    },
    "sparse_sharing": {
        "network": "sparse_sharing",
        "warmup_updates": UPDATES // 10,
        "rounds": 3,
        "round_updates": UPDATES // 10,
    },
    "sparse_sharing_saliency": {
        "network": "sparse_sharing",
        "tickets": "saliency",
        "warmup_updates": UPDATES // 10,
        "saliency_updates": UPDATES // 20,
    },
}

sweep = Sweep(
    name="structure_point_mass",
    common={**COMMON, **PPO},
    methods=METHODS,
    seeds=range(10),
)
