"""Meta-World: sets of tasks, their envs and their goals."""

from rl.envs.metaworld.task_sets import knows, resolve, tasks_of
from rl.envs.metaworld.vector import MetaWorld, make

__all__ = ["MetaWorld", "knows", "make", "resolve", "tasks_of"]
