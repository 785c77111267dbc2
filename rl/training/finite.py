"""Values that are nan, inf, or too large for float32 stop a run before anything learns of them."""

from typing import Optional

import numpy as np

from rl.config import UserError
from rl.envs.interface import VectorEnv
from rl.spec import Step

LARGEST = float(np.finfo(np.float32).max)  # replay and rollouts are float32


def _surely_sound(values: np.ndarray) -> bool:
    """Whether all numbers are finite and in the range of float32, as the sum of their squares tells
    in a fraction of the time; False also where only that sum is too large."""
    flat = values.reshape(-1)
    return bool(flat.dot(flat) <= LARGEST)  # nan is not


def check_finite(step: int, **values: np.ndarray) -> None:
    """Raises a UserError naming the first of `values` that is nan or inf, and the env step."""
    for name, value in values.items():
        if not (_surely_sound(value) or np.isfinite(value).all()):
            raise UserError(
                f"{name} became nan or inf by env step {step}; what was saved before is sound"
            )


def check_obs(obs: np.ndarray, env: VectorEnv, when: str, name: str = "observation") -> None:
    """Raises a UserError naming the first env of a vector whose `obs` is nan or inf.

    Args:
      obs: `(num_envs, obs_dim)`. env: a VectorEnv, at the tasks that the observations are of.
      when: as in "at env step 7". name: of the observation.
    """
    if not (_surely_sound(obs) or np.isfinite(obs).all()):
        _refuse(name, obs, env.spec.tasks, env.task, when)


def check_step(step: Step, env: VectorEnv, when: str) -> None:
    """As `check_obs`, for all that a Step brought."""
    # The comparison is false for nan, too.
    if not (_surely_sound(step.rew) or (np.abs(step.rew) <= LARGEST).all()):
        _refuse("reward", step.rew, env.spec.tasks, step.task, when)
    if not (_surely_sound(step.obs2) or np.isfinite(step.obs2).all()):
        _refuse("observation", step.obs2, env.spec.tasks, step.task, when)
    if step.obs is not step.obs2:
        check_obs(step.obs, env, when, "first observation of the next episode")


def _refuse(
    name: str,
    values: np.ndarray,
    tasks: tuple[str, ...],
    task_of: Optional[np.ndarray],
    when: str,
) -> None:
    rows = values.reshape(len(values), -1)
    unsound = ~(np.abs(rows) <= LARGEST)
    number = int(np.flatnonzero(unsound.any(axis=1))[0])
    value = rows[number][unsound[number]][0]
    where = f"env {number}"
    if tasks:
        per_task = max(1, len(rows) // len(tasks))  # envs of a task are side by side
        task = number // per_task if task_of is None else int(task_of[number])
        where += f" (task {tasks[task]})"
    raise UserError(f"{name} of {where} is {value:g} {when}; what was saved before is sound")
