"""Meta-World: sets of tasks, their envs and their goals."""

from typing import Any

from rl.envs.interface import VectorEnv
from rl.envs.metaworld.task_sets import knows, resolve, tasks_of

__all__ = ["knows", "make", "resolve", "tasks_of"]


def make(env_id: str, num_envs: int = 1, **options: Any) -> VectorEnv:
    """`vector.make`, which with its simulator is imported here and not before."""
    from rl.envs.metaworld import vector  # pylint: disable=import-outside-toplevel

    return vector.make(env_id, num_envs, **options)
