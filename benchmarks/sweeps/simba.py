"""SAC with `--preset simba` beside plain SAC, on HalfCheetah-v5 and Hopper-v5, 100k env steps.

.venv/bin/python main.py sweep benchmarks/sweeps/simba.py --jobs 2
.venv/bin/python main.py compare data/simba --score last

A run of the preset takes four to five hours on two cores: critics of 512, and two updates a step.
"""

from rl import Sweep

SIMBA = {"preset": "simba"}
PLAIN = {"algo": "sac"}

sweep = Sweep(
    name="simba",
    common={"epochs": 25, "steps_per_epoch": 4000},
    methods={
        "half_cheetah_simba": {**SIMBA, "env": "HalfCheetah-v5"},
        "half_cheetah_sac": {**PLAIN, "env": "HalfCheetah-v5"},
        "hopper_simba": {**SIMBA, "env": "Hopper-v5"},
        "hopper_sac": {**PLAIN, "env": "Hopper-v5"},
    },
    seeds=range(3),
)
