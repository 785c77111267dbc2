"""Evaluation: a fixed number of episodes, each counted whole."""

from typing import Any

import numpy as np


def evaluate(act: Any, env: Any, episodes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns and lengths of `episodes` episodes, each `(episodes,)`.

    Every env of the vector runs a share fixed in advance: taking whichever episodes end first would
    favour short ones. `act` is a function of obs `(num_envs, obs_dim)` and start `(num_envs,)`, true
    at first steps; `env` is a VectorEnv, reset with `seed`.
    """
    left = np.array([len(share) for share in np.array_split(np.arange(episodes), env.num_envs)])
    obs, start = env.reset(seed), np.ones(env.num_envs, bool)
    ret, length = np.zeros(env.num_envs), np.zeros(env.num_envs, int)
    returns, lengths = [], []
    while left.any():
        step = env.step(act(obs, start))
        ret, length = ret + step.rew, length + 1
        start = step.terminated | step.truncated
        for i in np.flatnonzero(start & (left > 0)):
            returns.append(ret[i])
            lengths.append(length[i])
            left[i] -= 1
        ret[start], length[start] = 0, 0
        obs = step.obs
    return np.array(returns), np.array(lengths)
