"""PPO on single Meta-World tasks with random goals.

.venv/bin/python main.py sweep benchmarks/sweeps/one_task_ppo.py --jobs 2
.venv/bin/python main.py compare data/one_task_ppo -y TestSuccess --score last --at 1e5
"""

from rl import Sweep

TASKS = ("window-open", "drawer-close", "reach", "push")

sweep = Sweep(
    name="one_task_ppo",
    common={
        "algo": "ppo",
        "epochs": 25,
        "steps_per_epoch": 20_000,
        "num_test_episodes": 20,
        "num_envs": 10,
        "rollout_steps": 1000,
        "batch_size": 500,
        "update_epochs": 10,
        "hidden_sizes": [128, 128],
        "lr": 5e-4,
        "ent_coef": 0.005,
        "lam": 0.97,
        "save_freq": 5,
    },
    methods={task: {"env": f"MT1-{task}-v3"} for task in TASKS},
)
