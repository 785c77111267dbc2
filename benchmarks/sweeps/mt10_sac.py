"""SAC on MT10 with a head for each task: an update for every 20 env steps, 2 of each task.

.venv/bin/python main.py sweep benchmarks/sweeps/mt10_sac.py
.venv/bin/python main.py compare data/mt10_sac -y TestSuccess --score last --at 2e5
.venv/bin/python main.py compare data/mt10_sac -y TestSuccess --score eval
"""

from rl import Sweep

sweep = Sweep(
    name="mt10_sac",
    methods={
        "multi_head": {
            "algo": "sac",
            "env": "MT10",
            "network": "multi_head",
            "epochs": 10,
            "steps_per_epoch": 100_000,
            "num_test_episodes": 10,
            "n_step": 5,
            "update_every": 200,
            "updates_per_step": 0.05,
            "batch_size": 128,
            "start_steps": 10_000,
            "update_after": 10_000,
            "pi_lr": 3e-4,
            "q_lr": 3e-4,
            "alpha_lr": 3e-4,
        }
    },
    eval_episodes=50,
)
