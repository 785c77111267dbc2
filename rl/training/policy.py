"""How an algorithm acts in a vector env."""

from typing import Any, Callable, Optional

import numpy as np


def policy(
    algo: Any, spec: Any, normaliser: Any, rng: Optional[np.random.Generator] = None
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function from obs `(num_envs, obs_dim)` and start `(num_envs,)`, true at first steps, to
    actions.

    Deterministic, or exploring if there is an `rng`. Actions are `(num_envs, act_dim)` in units,
    which `spec.env_action` turns into the env's own.
    """

    def act(obs: np.ndarray, start: np.ndarray) -> np.ndarray:
        seen = normaliser.obs(spec.by_task(obs))
        return (algo.act(seen) if rng is None else algo.explore(seen, start, rng)).reshape(
            len(obs), -1
        )

    return act


def visiting(act: Callable[..., np.ndarray], env: Any) -> Callable[..., np.ndarray]:
    """What `policy` returned, for the envs of `env`, even if they go from task to task.

    It then acts for every env in every task, and its action in the task where the env is counts.
    """
    if env.task is None:
        return act
    every = env.spec.num_tasks * env.num_envs

    def act_there(obs: np.ndarray, start: np.ndarray) -> np.ndarray:
        place = env.task * env.num_envs + np.arange(env.num_envs)
        seen, first = np.zeros((every, obs.shape[1]), np.float32), np.zeros(every, bool)
        seen[place], first[place] = obs, start
        return act(seen, first)[place]

    return act_there
