"""Envs stepped one after another in this process.

Gymnasium's SyncVectorEnv does the same, and gathers spaces and infos on the way: 5 us of a
HalfCheetah step's 37.
"""

import functools
from typing import Any, Optional, Sequence

import gymnasium as gym
import numpy as np

from rl.config import UserError
from rl.envs.closing import close_in_time


class SyncEnvs:
    """The part of Gymnasium's vector interface that we use, in autoreset mode SAME_STEP."""

    def __init__(self, envs: Sequence[gym.Env]) -> None:
        self.envs = envs

    def reset(self, seed: Optional[int] = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Starts an episode in every env; env i is seeded with `seed + i`."""
        seeds = [None if seed is None else seed + i for i in range(len(self.envs))]
        return np.stack([env.reset(seed=s)[0] for env, s in zip(self.envs, seeds)]), {}

    def step(self, act: np.ndarray) -> tuple[Any, ...]:
        """Steps every env; where an episode ended `final_obs` in info has its last observation.

        Where an env's own info has `success`, or `is_success`, info has it as bool `(num_envs,)`;
        False for envs that tell nothing.
        """
        obs, rew, terminated, truncated, infos = map(
            list, zip(*(env.step(a) for env, a in zip(self.envs, act)))
        )
        final = list(obs)
        for i, env in enumerate(self.envs):
            if terminated[i] or truncated[i]:
                final[i] = np.array(obs[i])  # an env may reuse its array
                obs[i] = env.reset()[0]
        info: dict[str, Any] = {"final_obs": final}
        rew = [_number(value) for value in rew]
        told = [_success(of_env) for of_env in infos]
        if any(success is not None for success in told):
            info["success"] = np.array([bool(success) for success in told])
        return np.stack(obs), np.array(rew, float), np.array(terminated), np.array(truncated), info

    def call(self, name: str, *args: Any) -> list[Any]:
        """What method `name` of each env returns."""
        return [getattr(env, name)(*args) for env in self.envs]

    def render(self) -> list[Any]:
        """A picture of each env."""
        return self.call("render")

    def close(self) -> None:
        """Ends the envs, or abandons those that hang."""
        close_in_time(functools.partial(self.call, "close"))


def _number(rew: Any) -> float:
    """A reward that may be an array of one number. Raises a UserError where it has several."""
    if isinstance(rew, float):
        return float(rew)
    if np.size(rew) != 1:
        raise UserError(f"an env gave a reward of {np.size(rew)} numbers; it takes one")
    return float(np.reshape(rew, ()))


def _success(info: dict[str, Any]) -> Any:
    """What an env's info tells of its success, under either name; None if it tells nothing."""
    return info.get("success", info.get("is_success"))
