"""What networks that choose among their parts find on PointMass-MT4 by DDPG.

    .venv/bin/python main.py sweep benchmarks/sweeps/structure_point_mass_ddpg.py --jobs 2
    .venv/bin/python benchmarks/planted_groups.py data/structure_point_mass_ddpg --network LossQ
    .venv/bin/python benchmarks/planted_groups.py data/structure_point_mass_ddpg

Layers (32, 32), 16k env steps of all tasks together, no one-hot code, as in point_mass.py. Two of
the tasks go east and two go west.
"""

from typing import Any

from benchmarks.sweeps.point_mass import COMMON, DDPG
from rl import Sweep

UPDATES = 15_000  # of a run, about

METHODS: dict[str, dict[str, Any]] = {
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
        "turn_updates": 200,
        "policy_updates": UPDATES // 2,
        "curriculum": 1,
        "structure_lr": 0.05,
        "sparsity": 0.1,
    },
    "learned_branching": {
        "network": "learned_branching",
        "warmup_updates": UPDATES // 20,
        "policy_updates": UPDATES // 2,
        "structure_lr": 0.05,
    },
}

sweep = Sweep(
    name="structure_point_mass_ddpg",
    common={**COMMON, **DDPG, "task_onehot": False},
    methods=METHODS,
    seeds=range(10),
)
