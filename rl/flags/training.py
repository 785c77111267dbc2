"""Flags of every loop."""

import dataclasses

from rl.config import flag

# What envs that go from task to task do is rl.envs.visits'; "all" is that they don't.
ORDERS = ("all", "cycle", "random", "random_other", "shuffle")


BACKENDS = ("sync", "async", "envpool")


@dataclasses.dataclass(frozen=True)
class Config:
    """What the frame of a run needs to know."""

    epochs: int = flag(100, "length of the run, in epochs", low=1)
    steps_per_epoch: int = flag(
        4000, "env steps between two rows of the log, all envs together", low=1
    )
    num_envs: int = flag(1, "envs stepped side by side, of each task (with visit all)", low=1)
    env_backend: str = flag(
        "sync",
        "envs in this process, in worker processes, or in EnvPool's threads (implies "
        "reset_at_checkpoint)",
        choices=BACKENDS,
    )
    num_workers: int = flag(
        0, "worker processes of async; 0: one per env, for Meta-World one per core", low=0
    )
    visit: str = flag(
        "all",
        "several tasks: every task in every step (all), or num_envs envs that go to another task "
        "after each episode, in this order",
        choices=ORDERS,
    )
    save_memory: bool = flag(
        False, "visit: end a task's simulator when its env goes to another; slower"
    )
    max_ep_len: int = flag(
        0, "time limit of an episode, in steps; 0: the env's own, or 1000 if it has none", low=0
    )
    num_test_episodes: int = flag(
        10, "deterministic episodes at the end of each epoch, of each task; 0: none", low=0
    )
    early_stop: str = flag(
        "none",
        "end before the last epoch: solved, when the test success is 1 in all tasks, or the test "
        "return reaches the env's reward_threshold; plateau, when neither of the two improves any "
        "more by more than noise",
        choices=("none", "solved", "plateau"),
    )
    early_stop_epochs: int = flag(5, "early_stop: tests in a row that it takes", low=1)
    window: int = flag(10, "epochs in the moving averages of returns", low=1)
    save_freq: int = flag(1, "epochs between two checkpoints", low=1)
    keep: int = flag(2, "newest checkpoints kept, besides the best", low=1)
    reset_at_checkpoint: bool = flag(
        False, "rebuild the envs at each checkpoint: for envs that don't repeat an episode exactly"
    )
