"""DDPG's two learning rates on Pendulum: 20 configurations by TPE, each with 2 seeds of 6,000 env
steps. The same command again goes on where it was.

    nice -n 10 .venv/bin/python main.py search benchmarks/search_ddpg.py

`benchmarks/results/search_ddpg.csv` is its `trials.csv`, and `search_ddpg_progression.png` and
`search_ddpg_importance.png` beside it are its figures.
"""

from rl import LogUniform, Search

search = Search(
    name="search_ddpg",
    common={
        "algo": "ddpg",
        "env": "Pendulum",
        "epochs": 6,
        "steps_per_epoch": 1000,
        "start_steps": 500,
        "update_after": 500,
        "hidden_sizes": [64, 64],
    },
    space={"pi_lr": LogUniform(1e-5, 1e-1), "q_lr": LogUniform(1e-5, 1e-1)},
    strategy="tpe",
    trials=20,
    seeds=(0, 1),
    fitness="AverageTestEpRet",
    score="mean",
    rows=2,
)
