"""What networks that choose among their parts find on PointMass-MT4 by DDPG.

    .venv/bin/python main.py sweep benchmarks/sweeps/structure_point_mass_ddpg.py --jobs 2
    .venv/bin/python benchmarks/planted_groups.py data/structure_point_mass_ddpg --network LossQ
    .venv/bin/python benchmarks/planted_groups.py data/structure_point_mass_ddpg

Layers (32, 32), 16k env steps of all tasks together, no one-hot code, as in point_mass.py. Two of
the tasks go east and two go west.
"""

from benchmarks.structures import choosing
from benchmarks.sweeps.point_mass import COMMON, DDPG
from rl import Sweep

UPDATES = 15_000  # of a run, about

METHODS = choosing(UPDATES)
METHODS["adashare"] |= {"turn_updates": 200, "curriculum": 1, "sparsity": 0.1}

sweep = Sweep(
    name="structure_point_mass_ddpg",
    common={**COMMON, **DDPG, "task_onehot": False},
    methods=METHODS,
    seeds=range(10),
)
