"""One interface to many envs: flat float32 observations, final observations, state that can be
saved."""

import functools
from typing import Any, Callable, Mapping, Optional

import gymnasium as gym
import numpy as np

from rl.config import UserError
from rl.envs.closing import close_in_time
from rl.envs.gymnasium import make_one
from rl.envs.pool import EnvPool
from rl.envs.spaces import spec_of
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
        self.env = self._build()

    def _build(self) -> Any:
        makers = [functools.partial(self._make, i) for i in range(self.num_envs)]
        if self.backend == "async":
            return Workers(makers, self.num_workers, self.spec.obs)
        return SyncEnvs([make() for make in makers])

    def reset(self, seed: Optional[int] = None) -> np.ndarray:
        """Starts an episode in every env; env i is seeded with `seed + i`. Returns obs `(num_envs,
        obs_dim)`."""
        return self._flat(self.env.reset(seed=seed)[0])

    def step(self, act: np.ndarray) -> Step:
        """Steps every env with `act` `(num_envs, act_dim)`, the env's own actions, of which it gets
        a copy: some envs write into theirs."""
        own = np.array(act, self.spec.act_dtype).reshape(self.num_envs, *self.spec.act_shape)
        obs, rew, terminated, truncated, info = self.env.step(own)
        obs = obs2 = self._flat(obs)
        if (terminated | truncated).any():
            obs2 = obs.copy()
            for i in np.flatnonzero(terminated | truncated):
                obs2[i] = np.reshape(info["final_obs"][i], self.spec.obs.shape)
        return Step(obs2, rew, terminated, truncated & ~terminated, obs, info.get("success"))

    def state(self) -> list[dict[str, Any]]:
        """Per env, what rebuilds its current episode; see `Replayable`."""
        return list(self.env.call("episode_state"))

    def load_state(self, state: list[dict[str, Any]], obs: np.ndarray) -> None:
        """Rebuilds the episodes of `state`, which must end with `obs` exactly.

        Raises:
          UserError: they end elsewhere, so the env isn't deterministic.
        """
        rebuilt = np.stack(self.env.call("replay_episode", state))
        if not np.array_equal(self._flat(rebuilt), obs, equal_nan=True):
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
        return obs.reshape(self.num_envs, *self.spec.obs.shape).astype(self.spec.obs.dtype)


class VectorEnv(Vector):
    """`num_envs` copies of one Gymnasium env.

    Args:
      env_id: full id of a registered env.
      backend: "sync"; "async", in `num_workers` processes, 0: one per env; "envpool", in EnvPool's
        threads: their state can't be saved, so `keeps_state` is False.
      env_kwargs: arguments of the env's constructor.
      render_mode: as in `gymnasium.make`. max_ep_len: in steps; 0: the env's own, or 1000 where it
        has none.
    """

    def __init__(
        self,
        env_id: str,
        num_envs: int = 1,
        backend: str = "sync",
        render_mode: Optional[str] = None,
        max_ep_len: int = 0,
        num_workers: int = 0,
        env_kwargs: Optional[Mapping[str, Any]] = None,
    ) -> None:
        make = functools.partial(
            make_one,
            env_id=env_id,
            render_mode=render_mode,
            max_ep_len=max_ep_len,
            env_kwargs=env_kwargs or {},
        )
        self.env_kwargs = env_kwargs
        # One env here first: a bad id, space or extra is one clear line instead of a worker's
        # traceback.
        probe = make(0)
        self.keeps_state = backend != "envpool"
        fps = probe.metadata.get("render_fps", 30)
        limit = probe.spec.max_episode_steps
        close_in_time(probe.close)
        super().__init__(spec_of(env_id, probe), make, num_envs, backend, fps, limit, num_workers)

    def _build(self) -> Any:
        if self.keeps_state:
            return super()._build()
        if self.env_kwargs:
            raise UserError("--env_kwargs needs --env_backend sync or async: EnvPool has its own")
        return EnvPool(self.spec.env_id, self.num_envs, self.max_ep_len)
