"""Whether networks that split keep tasks together that are the same, on PointMass-Identical4.

    .venv/bin/python main.py sweep benchmarks/sweeps/point_mass_identical.py --jobs 2
    .venv/bin/python main.py compare data/point_mass_identical -y PiSharing --score last
    .venv/bin/python main.py compare data/point_mass_identical -y VSharing --score last

Flags as in point_mass.py. A sharing score of 1 means that nothing has split.
"""

from benchmarks.sweeps.point_mass import COMMON, PPO, SPLITTING
from rl import Sweep

sweep = Sweep(
    name="point_mass_identical",
    common={**COMMON, **PPO, **SPLITTING, "env": "PointMass-Identical4"},
    methods={"lagged": {}, "conflict": {"split_criterion": "conflict", "split_z": 4.0}},
    seeds=range(10),
)
