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
from rl.envs.contract import broken, number, stacked
from rl.spec import EnvSpec


class SyncEnvs:
    """The part of Gymnasium's vector interface that we use, in autoreset mode SAME_STEP.

    Args:
      spec: of each env.

    Raises:
      EnvError: in any call, an env broke its contract.
    """

    def __init__(self, envs: Sequence[gym.Env], spec: EnvSpec) -> None:
        self.envs = envs
        self.env_id = spec.env_id
        self.obs_shape = spec.obs.shape if spec.obs_shape is None else spec.obs_shape

    def reset(self, seed: Optional[int] = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Starts an episode in every env; env i is seeded with `seed + i`."""
        seeds = [None if seed is None else seed + i for i in range(len(self.envs))]
        obs = [self._begin(env, env_seed) for env, env_seed in zip(self.envs, seeds)]
        return stacked(self.env_id, "reset", obs, self.obs_shape), {}

    def step(self, act: np.ndarray) -> tuple[Any, ...]:
        """Steps every env; where an episode ended `final_obs` in info has its last observation.

        Where an env's own info has `success`, or `is_success`, info has it as bool `(num_envs,)`;
        False for envs that tell nothing.
        """
        try:
            results = [env.step(env_act) for env, env_act in zip(self.envs, act)]
            obs, rew, terminated, truncated, infos = map(list, zip(*results))
            terminated = list(map(bool, terminated))
            truncated = list(map(bool, truncated))
            told = [_success(info) for info in infos]
        except UserError:
            raise
        except Exception as error:
            raise broken(self.env_id, "step", error) from error
        obs2 = stacked(self.env_id, "step", obs, self.obs_shape)
        info: dict[str, Any] = {"final_obs": obs2}
        next_obs = obs2
        if any(terminated) or any(truncated):
            # Of copies: an env may reuse its array.
            first_or_next = list(obs2)
            for i, env in enumerate(self.envs):
                if terminated[i] or truncated[i]:
                    first_or_next[i] = self._begin(env)
            next_obs = stacked(self.env_id, "reset", first_or_next, self.obs_shape)
        if any(success is not None for success in told):
            info["success"] = np.array(told, bool)  # None is False
        rew = np.array([number(self.env_id, value) for value in rew])
        return next_obs, rew, np.array(terminated), np.array(truncated), info

    def _begin(self, env: gym.Env, seed: Optional[int] = None) -> Any:
        """The first observation of a new episode."""
        try:
            obs, _ = env.reset(seed=seed)
        except UserError:
            raise
        except Exception as error:
            raise broken(self.env_id, "reset", error) from error
        return obs

    def call(self, name: str, *args: Any) -> list[Any]:
        """What method `name` of each env returns."""
        try:
            return [getattr(env, name)(*args) for env in self.envs]
        except UserError:
            raise
        except Exception as error:
            raise broken(self.env_id, name, error) from error

    def render(self) -> list[Any]:
        """A picture of each env."""
        return self.call("render")

    def close(self) -> None:
        """Ends the envs, or abandons those that hang."""
        close_in_time(functools.partial(self.call, "close"))


def _success(info: dict[str, Any]) -> Optional[bool]:
    """What an env's info tells of its success, under either name; None if it tells nothing."""
    told = info.get("success", info.get("is_success"))
    return None if told is None else bool(told)
