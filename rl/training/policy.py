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

    def act_there(obs: np.ndarray, start: np.ndarray) -> np.ndarray:
        seen = to_tasks(obs, env.spec, env.task).reshape(-1, *obs.shape[1:])
        first = to_tasks(start, env.spec, env.task).reshape(-1)
        acts = act(seen, first)
        return from_tasks(acts.reshape(-1, len(obs), acts.shape[1]), env.spec, env.task)

    return act_there


def to_tasks(rows: np.ndarray, spec: Any, task: Optional[np.ndarray] = None) -> np.ndarray:
    """Rows of envs `(num_envs, ...)` by task, as networks take them: `(*batch_dims, envs, ...)`.

    Args:
      task: `(num_envs,)`, where envs go from task to task. Every env then has a place in every
        task, which holds zeros but in its own. Without it the envs of a task are side by side.
    """
    if task is None:
        return rows.reshape(*spec.batch_dims, -1, *rows.shape[1:])
    placed = np.zeros((spec.num_tasks, *rows.shape), rows.dtype)
    placed[task, np.arange(len(rows))] = rows
    return placed


def from_tasks(values: np.ndarray, spec: Any, task: Optional[np.ndarray] = None) -> np.ndarray:
    """The inverse of `to_tasks`: each env's own of values `(*batch_dims, envs, ...)`."""
    if task is None:
        return values.reshape(-1, *values.shape[len(spec.batch_dims) + 1 :])
    return values[task, np.arange(values.shape[1])]
