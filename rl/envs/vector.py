"""Many envs of one spec, stepped here or in processes: final observations, state that can be
saved."""

import functools
from typing import Any, Callable, Optional

import gymnasium as gym
import numpy as np

from rl.config import UserError
from rl.envs.contract import SpaceWatch
from rl.envs.sync import SyncEnvs
from rl.envs.workers import Workers
from rl.spec import EnvSpec, Step


class Vector:
    """`num_envs` envs with one spec that reset themselves when an episode ends.

    Args:
      spec: an EnvSpec.
      make: picklable function from an env's index to the env, a Replayable.
      num_envs: how many. backend: "sync" steps them here; "async" in worker processes.
      fps: pictures a second. max_ep_len: in steps. num_workers: of "async"; 0: one per env.
    """

    keeps_state = True
    task: Optional[np.ndarray] = None  # (num_envs,), where envs go from task to task, else None
    watch: Optional[SpaceWatch] = None  # looks whether observations stay in their space

    def __init__(
        self,
        spec: EnvSpec,
        make: Callable[[int], gym.Env],
        num_envs: int,
        backend: str,
        fps: int,
        max_ep_len: int,
        num_workers: int = 0,
    ) -> None:
        self.spec = spec
        self.num_envs = num_envs
        self.fps = fps
        self.max_ep_len = max_ep_len
        self._make = make
        self.backend = backend
        self.num_workers = num_workers or num_envs
        self._act_shape = (num_envs, *spec.act_shape)
        self._act_dtype = np.dtype(spec.act_dtype)
        self._obs_shape = (num_envs, *spec.obs.shape)
        self._obs_dtype = np.dtype(spec.obs.dtype)
        self.env = self._build()

    def _build(self) -> Any:
        makers = [functools.partial(self._make, i) for i in range(self.num_envs)]
        if self.backend == "async":
            return Workers(makers, self.num_workers, self.spec)
        return SyncEnvs([make() for make in makers], self.spec)

    def reset(self, seed: Optional[int] = None) -> np.ndarray:
        """Starts an episode in every env; env i is seeded with `seed + i`. Returns obs `(num_envs,
        *spec.obs.shape)`."""
        return self._flat(self.env.reset(seed=seed)[0])

    def step(self, act: np.ndarray) -> Step:
        """Steps every env with `act` `(num_envs, act_dim)`, the env's own actions, of which it gets
        a copy: some envs write into theirs."""
        env_act = np.array(act, self._act_dtype).reshape(self._act_shape)
        obs, rew, terminated, truncated, info = self.env.step(env_act)
        obs = obs2 = self._flat(obs)
        if (terminated | truncated).any():
            obs2 = obs.copy()
            for i in np.flatnonzero(terminated | truncated):
                obs2[i] = np.reshape(info["final_obs"][i], self.spec.obs.shape)
        if self.watch and self.watch.left:
            self.watch.look(obs2)
        return Step(obs2, rew, terminated, truncated & ~terminated, obs, info.get("success"))

    def state(self) -> list[dict[str, Any]]:
        """Per env, what rebuilds its current episode; see `Replayable`."""
        return list(self.env.call("episode_state"))

    def load_state(self, state: list[dict[str, Any]], obs: np.ndarray) -> None:
        """Rebuilds the episodes of `state`, which must have the rewards of then, and end with `obs`
        exactly.

        Raises:
          UserError: they don't, so the env isn't deterministic.
        """
        last_obs, repeated = zip(*self.env.call("replay_episode", state))
        rebuilt = self._flat(np.stack(last_obs))
        if not (all(repeated) and np.array_equal(rebuilt, obs, equal_nan=True)):
            raise UserError(
                f"{self.spec.env_id} did not repeat itself, so the run cannot be resumed exactly; "
                "train it with --reset_at_checkpoint"
            )

    def rebuild(self, seed: int) -> np.ndarray:
        """Closes the envs, makes them anew and resets them: a state that depends on `seed`
        alone."""
        self.env.close()
        self.env = self._build()
        return self.reset(seed)

    def render(self) -> np.ndarray:
        """A picture of env 0, `(height, width, 3)` uint8. Needs render_mode "rgb_array"."""
        return self.env.render()[0]

    def close(self) -> None:
        """Ends the envs and their workers."""
        self.env.close()

    def _flat(self, obs: np.ndarray) -> np.ndarray:
        return obs.reshape(self._obs_shape).astype(self._obs_dtype)
