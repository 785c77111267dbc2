"""Whether networks that split keep tasks together that are the same, on PointMass-Identical4.

    .venv/bin/python main.py sweep benchmarks/sweeps/point_mass_identical.py --jobs 2
    .venv/bin/python main.py compare data/point_mass_identical -y PiSharing --score last
    .venv/bin/python main.py compare data/point_mass_identical -y VSharing --score last

Flags as in point_mass.py. A sharing score of 1 means that nothing has split, where tasks share all
at first; with heads of their own it is 0.953 of the policy, and 0.976 of the value.
"""

from benchmarks.sweeps.point_mass import COMMON, CONFLICT, PPO, SHARED, SPLITTING
from rl import Sweep

sweep = Sweep(
    name="point_mass_identical",
    common={**COMMON, **PPO, "env": "PointMass-Identical4"},
    methods={"lagged": SPLITTING, "lagged_shared": SHARED, "conflict": CONFLICT},
    seeds=range(10),
)
