"""MT10 by SAC with `--preset brc` at width 256: a head for each task, splitting, and what they are
compared with.

    .venv/bin/python main.py sweep benchmarks/sweeps/mt10_brc.py --methods multi_head splitting
    .venv/bin/python main.py sweep benchmarks/sweeps/mt10_brc.py --methods mlp independent --seed 0
    .venv/bin/python main.py compare data/mt10_brc -y TestSuccess --score eval

200k env steps of each task, 2M in all, v3, V2 reward, episodes of 500 steps, random goals. With one
update for every step of all ten tasks, in place of two, and 50 transitions a task in place of 100,
a run takes four hours on two cores and minutes on a GPU, `--device gpu`. A run's score is of 50
deterministic episodes of each task at the end.
"""

from rl import Sweep

sweep = Sweep(
    name="mt10_brc",
    common={
        "preset": "brc",
        "env": "MT10",
        "actor_sizes": [256],
        "critic_sizes": [256, 256],
        "epochs": 20,
        "steps_per_epoch": 100_000,
        "num_test_episodes": 10,
        "batch_size": 50,
        "updates_per_step": 0.1,
        "update_every": 200,
        "tensorboard": False,
    },
    methods={
        "multi_head": {"network": "multi_head"},
        "splitting": {"network": "splitting"},
        "mlp": {"network": "mlp"},
        "independent": {"network": "independent"},
    },
    seeds=range(3),
    eval_episodes=50,
)
