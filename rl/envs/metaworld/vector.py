"""Meta-World v3: sets of manipulation tasks, on the package's env classes and goal lists. arXiv
1910.10897.

https://github.com/Farama-Foundation/Metaworld, 3.1.1.

Differs from it:
  1. Its gym.make wrappers aren't used: ML1-train serves the test goals there, and every env of a
     set draws goals from the same seed.
  2. `reset(seed)` is heeded; each env draws goals with a generator of its own.
  3. Observations are float32 and never hold a one-hot of the task, which the task axis tells.
"""

import functools
import os
from typing import Any, Optional, Sequence

import gymnasium as gym
import numpy as np

from rl.config import UserError, check
from rl.envs.metaworld import pool as metaworld_pool
from rl.envs.metaworld.goals import NUM_GOALS, goal_lists
from rl.envs.metaworld.sawyer import make_task
from rl.envs.metaworld.task_sets import SETS, knows, resolve, tasks_of
from rl.envs.replayable import Replayable
from rl.envs.tour import Tours
from rl.envs.vector import Vector
from rl.flags.metaworld import Config
from rl.spec import EnvSpec, Field

__all__ = ["Config", "MetaWorld", "knows", "make", "resolve"]
HORIZON = 500
FPS = 80
OBS = Field((39,))
ACT = Field((4,))
BOUND = np.ones(ACT.shape, np.float32)


class MetaWorld(Vector):
    """Envs by task, those of a task side by side. `num_goals`: each task has goals 0 to `num_goals
    - 1`."""

    num_goals = NUM_GOALS

    def reset(
        self, seed: Optional[int] = None, goals: Optional[Sequence[int]] = None
    ) -> np.ndarray:
        """Starts an episode in every env; env i is seeded with `seed + i`. Returns obs `(num_envs,
        obs_dim)`.

        With `goals` env i has goal `goals[i]` in this episode and every one until told otherwise;
        an env that was never told draws each episode's goal.

        Raises:
          ValueError: `goals` isn't `(num_envs,)`, in range.
        """
        if goals is not None:
            if not (len(goals) == self.num_envs and 0 <= min(goals) <= max(goals) < self.num_goals):
                raise ValueError(
                    f"goals must be {self.num_envs} whole numbers below {self.num_goals}, got "
                    f"{goals}"
                )
            self.env.call("set_options", [{"goal": int(goal)} for goal in goals])
        return super().reset(seed)

    def aim(self, number: np.ndarray) -> None:
        """Lets env i's next episode have the goal numbered `number[i]`, and every one after it
        until told otherwise.

        A task's envs take turns: together they play goals 0, 1, 2, ... when each counts its own
        episodes from 0.
        """
        per_task = self.num_envs // len(self.spec.tasks)
        goals = (number * per_task + np.arange(self.num_envs) % per_task) % self.num_goals
        self.env.call("set_options", [{"goal": int(goal)} for goal in goals])


def make(
    env_id: str,
    num_envs: int = 1,
    backend: str = "sync",
    render_mode: Optional[str] = None,
    max_ep_len: int = 0,
    num_workers: int = 0,
    seed: int = 0,
    **flags: Any,
) -> Vector | metaworld_pool.MetaWorldPool:
    """`num_envs` envs of every task of a set, which observe `(39,)` and act in [-1, 1]^4.

    An episode ends by truncation only; a step's success is the env's own. ML hides the goal: zeros.

    Args:
      env_id: MT1-<task>, MT10, MT25, MT50, MT:<task>,<task>; ML1-<task>, ML10, ML25, ML45,
        ML:<task>,<task>.
      backend: "sync" steps the envs here, "async" in `num_workers` processes; 0: as many as there
        are cores. "envpool" in EnvPool's threads, see pool.py: a MetaWorldPool.
      render_mode: None or "rgb_array".
      max_ep_len: steps; 0: 500.
      seed: of the goal lists, not of what is drawn from them.
      flags: Config's; `visit` and `save_memory`, as Tours have them. Split "test" is the same as
        "train" for MT; it has other tasks for ML sets, other goals for ML1 and one's own.

    Raises:
      UserError: no such set, task, backend or value of a flag.
    """
    tour = {name: flags.pop(name) for name in ("visit", "save_memory") if name in flags}
    config = check(Config(**flags))
    env_id = resolve(env_id)
    tasks = tasks_of(env_id, config.split)
    hidden = env_id.startswith("ML")
    limit = max_ep_len or HORIZON
    spec = EnvSpec(env_id, OBS, ACT, ACT.shape, -BOUND, BOUND, tasks=tasks)
    if backend == "envpool":
        if tour.get("visit", "all") != "all":
            raise UserError(
                "--visit needs --env_backend sync or async: EnvPool's envs each stay with a task"
            )
        metaworld_pool.refuse(spec, config.goals, config.reward)
        return metaworld_pool.MetaWorldPool(spec, num_envs, limit)
    if config.split == "test" and _has_one_set_of_tasks(env_id):
        seed += 1
    lists = goal_lists(tasks, seed)
    count = NUM_GOALS if config.goals == "random" else 1
    served = []  # task and goals of each env
    for task in tasks:
        served += [(task, lists[task][:count])] * num_envs
    make_one = functools.partial(
        _make_one,
        served=served,
        hidden=hidden,
        limit=limit,
        render_mode=render_mode,
        reward=config.reward,
    )
    num_workers = num_workers or os.cpu_count() or 1
    if tour.get("visit", "all") != "all":
        return Tours(spec, make_one, num_envs, backend, FPS, limit, num_workers, **tour)
    env = MetaWorld(spec, make_one, len(served), backend, FPS, limit, num_workers)
    env.num_goals = count
    return env


def _has_one_set_of_tasks(env_id: str) -> bool:
    """Whether an ML set has the same tasks in both splits, which then differ in goals."""
    return env_id.startswith("ML") and env_id not in SETS


def _make_one(
    index: int, served: Sequence[tuple[str, np.ndarray]], reward: str, **options: Any
) -> gym.Env:
    name, goals = served[index]
    task = make_task(name, goals, reward_function_version=reward, camera_name="corner2", **options)
    return Replayable(task, index)
