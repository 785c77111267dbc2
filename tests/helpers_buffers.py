"""What to store in buffers, and what they must make of it, by plain loops."""

import numpy as np


def transition(first, count, obs_dim=2, act_dim=1):
    """`count` transitions numbered from `first`; every field says its number."""
    number = np.arange(first, first + count, dtype=np.float32)
    obs = np.repeat(number[:, None], obs_dim, axis=1)
    act = np.repeat(number[:, None], act_dim, axis=1)
    return {"obs": obs, "act": act, "rew": number, "obs2": obs + 1, "done": number % 2}


def n_step_return(env, start, n_step, gamma, rews, ends):
    """The n-step return of the step `start` of `env`: last step, sum, discount.

    rews, ends: `(steps, num_envs)`.
    """
    t = start
    total = rews[start, env]
    discount = gamma
    while t - start + 1 < n_step and not ends[t, env] and t + 1 < len(rews):
        t += 1
        total += discount * rews[t, env]
        discount *= gamma
    return t, total, discount


def advantages(rew, value, value2, done, end, gamma, lam):
    """sum over k of (gamma lam)^k delta_{t+k}, until the episode ends.

    All arrays are `(steps, num_envs)`.
    """
    adv = np.zeros_like(rew)
    for t, i in np.ndindex(*rew.shape):
        for k in range(t, len(rew)):
            delta = rew[k, i] + gamma * (1 - done[k, i]) * value2[k, i] - value[k, i]
            adv[t, i] += (gamma * lam) ** (k - t) * delta
            if end[k, i]:
                break
    return adv
