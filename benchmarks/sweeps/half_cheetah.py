"""Every algorithm on HalfCheetah-v5 with the flags that are the default.

.venv/bin/python main.py sweep benchmarks/sweeps/half_cheetah.py --jobs 2
.venv/bin/python main.py compare data/half_cheetah --score last
"""

from rl import Sweep

sweep = Sweep(
    name="half_cheetah",
    common={"env": "HalfCheetah-v5"},
    methods={
        "ddpg": {"algo": "ddpg", "epochs": 75},
        "td3": {"algo": "td3", "epochs": 75},
        "sac": {"algo": "sac", "epochs": 50},
        "ppo": {"algo": "ppo", "epochs": 250},
    },
    seeds=(0, 10, 20),
)
