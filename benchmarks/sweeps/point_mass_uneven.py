"""The sum of task gradients and PCGrad on PointMass-Uneven4, where one group's rewards are 30 times
as large.

    .venv/bin/python main.py sweep benchmarks/sweeps/point_mass_uneven.py --jobs 2
    .venv/bin/python main.py compare data/point_mass_uneven --scale east=30 east-north=30

A score is of returns divided by that, so every task counts alike. DDPG takes 8k steps, five tests
of 100 episodes a task, a discount of 0.5, and of nine pairs of learning rates the one best for the
sum on seeds 100 and 101. Gradients grow with rewards: the sum goes where the loud group pulls, even
against the quiet one; PCGrad takes off each gradient what is against another.
"""

from rl import Sweep

sweep = Sweep(
    name="point_mass_uneven",
    common={
        "algo": "ddpg",
        "env": "PointMass-Uneven4",
        "network": "mlp",
        "hidden_sizes": [32, 32],
        "epochs": 5,
        "steps_per_epoch": 1600,
        "num_test_episodes": 100,
        "start_steps": 800,
        "update_after": 800,
        "update_every": 40,
        "batch_size": 128,
        "gamma": 0.5,
        "q_lr": 3e-2,
        "pi_lr": 1e-2,
        "tensorboard": False,
        "save_freq": 1000,
    },
    methods={"sum": {}, "pcgrad": {"gradient": "pcgrad"}},
    seeds=range(5),
)
