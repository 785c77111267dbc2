"""Networks that learn what tasks share, beside those that mix it, by PPO on four tasks of
Meta-World.

    .venv/bin/python main.py sweep benchmarks/sweeps/splitting_metaworld_ppo.py --jobs 2 \
        --methods shared multi_head independent lagged
    .venv/bin/python main.py sweep benchmarks/sweeps/structure_metaworld_ppo.py --jobs 2
    .venv/bin/python main.py compare data/splitting_metaworld_ppo data/structure_metaworld_ppo \
        -y TestSuccess --score eval --baseline multi_head

Tasks, steps, updates and scores are those of splitting_metaworld_ppo.py, where the networks are
with which to compare these.
"""

from benchmarks.structures import choosing, masking, mixing
from benchmarks.sweeps.splitting_metaworld_ppo import COMMON
from rl import Sweep

UPDATES = 2000  # of a run: 50 rollouts, each 10 passes in 4 minibatches

sweep = Sweep(
    name="structure_metaworld_ppo",
    common=COMMON,
    methods={**mixing(units=128), **choosing(UPDATES), **masking(UPDATES)},
    seeds=range(5),
    eval_episodes=20,
)
