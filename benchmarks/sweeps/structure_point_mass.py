"""Networks that learn what tasks share, beside those that fix it, on PointMass-MT4 by PPO.

    .venv/bin/python main.py sweep benchmarks/sweeps/structure_point_mass.py --jobs 2
    .venv/bin/python main.py compare data/structure_point_mass --baseline multi_head
    .venv/bin/python main.py compare data/structure_point_mass -y Parameters --score last
    .venv/bin/python benchmarks/planted_groups.py data/structure_point_mass

Layers (32, 32), 160k env steps of all tasks together, as in point_mass.py. Two of the tasks go
east and two go west. A run's score is the mean over tasks of the test return, 20 episodes a task,
over the last three tests.
"""

from benchmarks.structures import choosing, masking, mixing
from benchmarks.sweeps.point_mass import COMMON, PPO
from rl import Sweep

UPDATES = 4000  # of a run: 100 rollouts, each 10 passes in 4 minibatches

sweep = Sweep(
    name="structure_point_mass",
    common={**COMMON, **PPO},
    methods={
        "shared": {"network": "mlp"},
        "multi_head": {"network": "multi_head"},
        "independent": {"network": "independent"},
        "splitting": {"network": "splitting", "split_start": "shared", "split_every": 20},
        **mixing(units=32),
        **choosing(UPDATES),
        **masking(UPDATES),
    },
    seeds=range(10),
)
