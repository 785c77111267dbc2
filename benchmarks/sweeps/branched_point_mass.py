"""Branched networks beside those of structure_point_mass.py, from its independent ones.

    for s in 0 1 2 3 4 5 6 7 8 9; do
      .venv/bin/python main.py branch data/structure_point_mass/independent/independent_s$s \
        -o data/structure_point_mass/maps/s$s.json; done
    .venv/bin/python main.py sweep benchmarks/sweeps/branched_point_mass.py --jobs 2

The trees may have twice the parameters of the shared network.
"""

from benchmarks.sweeps.point_mass import COMMON, PPO
from rl import Sweep

sweep = Sweep(
    name="structure_point_mass",
    common={**COMMON, **PPO},
    methods={"branched": {"network": "splitting", "split_map": "{sweep}/maps/s{seed}.json"}},
    seeds=range(10),
)
