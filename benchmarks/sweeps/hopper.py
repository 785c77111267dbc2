"""TD3 and SAC on Hopper-v5 with the flags that are the default.

.venv/bin/python main.py sweep benchmarks/sweeps/hopper.py --jobs 2
.venv/bin/python main.py compare data/hopper --score last
"""

from rl import Sweep

sweep = Sweep(
    name="hopper",
    common={"env": "Hopper-v5", "epochs": 50},
    methods={"td3": {"algo": "td3"}, "sac": {"algo": "sac"}},
    seeds=(0, 10, 20),
)
