"""Evaluation: a fixed number of episodes, each counted whole."""

from typing import Any

import numpy as np


def evaluate(act: Any, env: Any, episodes: int, seed: int) -> dict[str, np.ndarray]:
    """Plays `episodes` episodes of each task; success is at any step of an episode.

    Every env of the vector runs a share fixed in advance: taking whichever episodes end first would
    favour short ones. `act` is a function of obs `(num_envs, obs_dim)` and start `(num_envs,)`,
    true at first steps, to unit actions; `env` is a VectorEnv, reset with `seed`. Where it has
    goals each task's are played in turn.

    Returns:
      EpRet, EpLen and, if any env told of it, Success: `(episodes,)`, or `(num_tasks,
        episodes)`.
    """
    tasks = env.spec.num_tasks or 1
    shares = np.array_split(np.arange(episodes), env.num_envs // tasks)
    left = np.tile([len(share) for share in shares], tasks)
    aim, number = getattr(env, "aim", lambda number: None), np.zeros(env.num_envs, int)
    aim(number)
    obs, start = env.reset(seed), np.ones(env.num_envs, bool)
    ret, length, success = (
        np.zeros(env.num_envs),
        np.zeros(env.num_envs, int),
        np.zeros(env.num_envs, bool),
    )
    told = False  # whether any env has told of its success
    ended: dict[str, list[list[Any]]] = {
        name: [[] for _ in range(tasks)] for name in ("EpRet", "EpLen", "Success")
    }
    while left.any():
        if start.any():  # the next episodes; the goals of those under way are set
            number = number + start
            aim(number)
        step = env.step(env.spec.env_action(act(obs, start)))
        ret, length = ret + step.rew, length + 1
        if step.success is not None:
            success = success | step.success
            told = True
        start = step.terminated | step.truncated
        for i in np.flatnonzero(start & (left > 0)):
            for name, value in (("EpRet", ret[i]), ("EpLen", length[i]), ("Success", success[i])):
                ended[name][i // len(shares)].append(value)
            left[i] -= 1
        ret[start], length[start], success[start] = 0, 0, False
        obs = step.obs
    if not told:
        del ended["Success"]
    return {
        name: np.array(values).reshape(*env.spec.batch_dims, episodes)
        for name, values in ended.items()
    }
