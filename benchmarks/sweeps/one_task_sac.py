"""SAC on single Meta-World tasks with random goals, an update for every four env steps.

.venv/bin/python main.py sweep benchmarks/sweeps/one_task_sac.py --jobs 2
.venv/bin/python main.py compare data/one_task_sac -y TestSuccess --score last --at 1e5
"""

from rl import Sweep

TASKS = ("window-open", "drawer-close", "reach", "push")

sweep = Sweep(
    name="one_task_sac",
    common={
        "algo": "sac",
        "epochs": 25,
        "steps_per_epoch": 20_000,
        "num_test_episodes": 20,
        "num_envs": 10,
        "n_step": 5,
        "update_every": 100,
        "updates_per_step": 0.25,
        "batch_size": 128,
        "start_steps": 5000,
        "pi_lr": 3e-4,
        "q_lr": 3e-4,
        "alpha_lr": 3e-4,
        "save_freq": 5,
    },
    methods={task: {"env": f"MT1-{task}-v3"} for task in TASKS},
    seeds=(0, 1),
)
