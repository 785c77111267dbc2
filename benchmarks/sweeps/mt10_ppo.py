"""PPO on MT10 with a head for each task: 100 updates for every 20,000 env steps.

.venv/bin/python main.py sweep benchmarks/sweeps/mt10_ppo.py --jobs 2
.venv/bin/python main.py compare data/mt10_ppo -y TestSuccess --score last --at 2e5
.venv/bin/python main.py compare data/mt10_ppo -y TestSuccess --score eval
"""

from rl import Sweep

sweep = Sweep(
    name="mt10_ppo",
    methods={
        "multi_head": {
            "algo": "ppo",
            "env": "MT10",
            "network": "multi_head",
            "epochs": 20,
            "steps_per_epoch": 100_000,
            "num_test_episodes": 10,
            "num_envs": 2,
            "rollout_steps": 1000,
            "batch_size": 200,
            "update_epochs": 10,
            "hidden_sizes": [256, 256],
            "lr": 5e-4,
            "ent_coef": 0.005,
            "lam": 0.97,
        }
    },
    seeds=(0, 1),
    eval_episodes=50,
)
