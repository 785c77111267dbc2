"""Whether tasks that are the same come to use the same modules and blocks, on PointMass-Pairs4.

    .venv/bin/python main.py sweep benchmarks/sweeps/structure_pairs.py --jobs 2
    .venv/bin/python benchmarks/planted_groups.py data/structure_pairs
    .venv/bin/python benchmarks/planted_groups.py data/structure_pairs --network LossV

One hidden layer of 64 units, and output layers that are modules and blocks as well, so that a
task is what its structure makes of it: there is no one-hot code. 160k env steps of all tasks
together by PPO, as in point_mass.py.
"""

from benchmarks.structures import choosing
from benchmarks.sweeps.point_mass import COMMON, PPO
from benchmarks.sweeps.structure_point_mass import UPDATES
from rl import Sweep

CHOOSING = choosing(UPDATES)

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
        "modular": {**CHOOSING["modular"], "modules": 2, "anneal_updates": 3200},
        "routing": CHOOSING["routing"],
    },
    seeds=range(10),
)
