"""Evaluation: a fixed number of episodes, each counted whole."""

import itertools
from typing import Callable, Iterator, Optional

import numpy as np

from rl.envs.interface import VectorEnv
from rl.spec import Step
from rl.training.contracts import Policy
from rl.training.finite import check_obs, check_step


class Stopped(Exception):
    """An evaluation was asked to stop before its end."""


def evaluate(
    policy: Policy,
    env: VectorEnv,
    episodes: int,
    seed: int,
    rng: Optional[np.random.Generator] = None,
    stopping: Callable[[], bool] = lambda: False,
    title: str = "the test",
) -> dict[str, np.ndarray]:
    """Plays `episodes` episodes of each task; success is at any step of an episode.

    Every env of the vector runs a share fixed in advance: taking whichever episodes end first would
    favour short ones. Where the env has goals each task's are played in turn.

    Args:
      policy: from observations `(num_envs, ...)` to unit actions, as EnvPolicy. env: a VectorEnv,
        reset with `seed`. rng: what the policy explores by; None: it is deterministic. stopping:
        asked before every step. title: for messages.

    Returns:
      EpRet, EpLen and, if any env told of it, Success: `(episodes,)`, or `(num_tasks,
        episodes)`.

    Raises:
      Stopped: `stopping()` was true. UserError: a reward or an observation is nan or inf.
    """
    tasks = env.spec.num_tasks or 1
    shares = np.array_split(np.arange(episodes), env.num_envs // tasks)
    left = np.tile([len(share) for share in shares], tasks)
    ret = np.zeros(env.num_envs)
    length = np.zeros(env.num_envs, int)
    success = np.zeros(env.num_envs, bool)
    told = False  # whether any env has told of its success
    ended: list[list[tuple[float, int, bool]]] = [[] for _ in range(tasks)]
    for step in _steps(policy, env, seed, rng, stopping, title):
        ret = ret + step.rew
        length = length + 1
        if step.success is not None:
            success = success | step.success
            told = True
        end = step.terminated | step.truncated
        for i in np.flatnonzero(end & (left > 0)):
            ended[i // len(shares)].append((ret[i], length[i], success[i]))
            left[i] -= 1
        if not left.any():
            break
        ret[end] = 0
        length[end] = 0
        success[end] = False
    scores = np.array(ended, float).reshape(*env.spec.batch_dims, episodes, 3)
    played = {"EpRet": scores[..., 0], "EpLen": scores[..., 1].astype(int)}
    if told:
        played["Success"] = scores[..., 2].astype(bool)
    return played


def _steps(
    policy: Policy,
    env: VectorEnv,
    seed: int,
    rng: Optional[np.random.Generator],
    stopping: Callable[[], bool],
    title: str,
) -> Iterator[Step]:
    """The Steps of every env, without end, in episode after episode."""
    aim = getattr(env, "aim", lambda number: None)
    number = np.zeros(env.num_envs, int)
    aim(number)
    obs = env.reset(seed)
    check_obs(obs, env, f"at the start of {title}")
    start = np.ones(env.num_envs, bool)
    memory = policy.initial_memory(env.num_envs)
    for count in itertools.count(1):
        if stopping():
            raise Stopped
        if start.any():  # the next episodes; the goals of those under way are set
            number = number + start
            aim(number)
        act, memory = policy.act(obs, memory, start, rng)
        step = env.step(env.spec.env_action(act))
        check_step(step, env, f"at step {count} of {title}")
        yield step
        obs = step.obs
        start = step.terminated | step.truncated
