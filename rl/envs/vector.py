"""One interface to many envs: flat float32 observations, final observations, state that can be saved."""

import functools
import multiprocessing
import signal
from typing import Any, NamedTuple, Optional

import gymnasium as gym
import numpy as np

from rl.config import UserError
from rl.envs.pool import EnvPool
from rl.envs.registry import registered_name
from rl.envs.replayable import Replayable
from rl.envs.spec import spec_of
from rl.envs.sync import SyncEnvs


class Step(NamedTuple):
    """Result of one step of every env; all arrays have the leading axis `num_envs`.

    obs2 is the observation the step led to, even where the episode ended. obs is the one to act on
    next: the reset observation where it ended, obs2 elsewhere. A step that both terminates and
    truncates counts as terminated. success, where an env defines it, tells whether its goal is met now.
    """

    obs2: np.ndarray
    rew: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    obs: np.ndarray
    success: Optional[np.ndarray] = None


def _make_one(env_id: str, index: int, render_mode: Optional[str], max_ep_len: int) -> gym.Env:
    if multiprocessing.parent_process() is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    try:
        name = registered_name(env_id)
        limit = max_ep_len or gym.spec(name).max_episode_steps or 1000
        env = gym.make(name, max_episode_steps=limit, render_mode=render_mode, disable_env_checker=True)
    except (ImportError, gym.error.Error) as error:
        raise UserError(f"cannot make env {env_id}: {' '.join(str(error).split())}") from None
    if render_mode is not None:
        _follow_agent(env.unwrapped)
    return Replayable(env, index)


def _follow_agent(env: Any) -> None:
    """Points a MuJoCo env's camera at its robot, where it has such a camera: the free one stays at the start."""
    cameras = [env.model.camera(i) for i in range(env.model.ncam)] if hasattr(env, "mujoco_renderer") else []
    for camera in cameras:
        if camera.name == "track":
            env.mujoco_renderer.camera_id = camera.id


class VectorEnv:
    """`num_envs` copies of one Gymnasium env that reset themselves when an episode ends.

    Args:
      env_id: full id of a registered env.
      num_envs: copies.
      backend: "sync" steps them here; "async" in a worker process each. Workers come from a fork
        server that never imports TensorFlow: a fork of a process with its threads can deadlock.
        "envpool": in EnvPool's threads; their state can't be saved, so `keeps_state` is False.
      render_mode: as in `gymnasium.make`.
      max_ep_len: time limit in steps; 0: the env's own, or 1000 where it has none.
    """

    def __init__(
        self,
        env_id: str,
        num_envs: int = 1,
        backend: str = "sync",
        render_mode: Optional[str] = None,
        max_ep_len: int = 0,
    ) -> None:
        self._make = functools.partial(_make_one, env_id, render_mode=render_mode, max_ep_len=max_ep_len)
        self.num_envs, self.backend = num_envs, backend
        # One env here first: a bad id, space or extra is one clear line instead of a worker's traceback.
        probe = self._make(index=0)
        self.spec = spec_of(env_id, probe)
        self.fps = probe.metadata.get("render_fps", 30)
        self.max_ep_len, self.keeps_state = probe.spec.max_episode_steps, backend != "envpool"
        probe.close()
        self.env = self._build()

    def _build(self) -> Any:
        if self.backend == "envpool":
            return EnvPool(self.spec.env_id, self.num_envs, self.max_ep_len)
        makers = [functools.partial(self._make, index=i) for i in range(self.num_envs)]
        if self.backend == "sync":
            return SyncEnvs([make() for make in makers])
        options: Any = {"copy": False, "autoreset_mode": gym.vector.AutoresetMode.SAME_STEP}
        multiprocessing.get_context("forkserver").set_forkserver_preload(["rl.envs"])
        return gym.vector.AsyncVectorEnv(makers, context="forkserver", **options)

    def reset(self, seed: Optional[int] = None) -> np.ndarray:
        """Starts an episode in every env; env i is seeded with `seed + i`. Returns obs `(num_envs, obs_dim)`."""
        return self._flat(self.env.reset(seed=seed)[0])

    def step(self, act: np.ndarray) -> Step:
        """Steps every env with `act` `(num_envs, act_dim)`."""
        shaped = act.reshape(self.num_envs, *self.spec.act_shape)
        if self.spec.num_actions:
            shaped = shaped.astype(np.int64)
        obs, rew, terminated, truncated, info = self.env.step(shaped)
        obs = obs2 = self._flat(obs)
        if (terminated | truncated).any():
            obs2 = obs.copy()
            for i in np.flatnonzero(terminated | truncated):
                obs2[i] = np.reshape(info["final_obs"][i], -1)
        return Step(obs2, rew, terminated, truncated & ~terminated, obs)

    def state(self) -> list[dict[str, Any]]:
        """Per env, what rebuilds its current episode; see `Replayable`."""
        return list(self.env.call("episode_state"))

    def load_state(self, state: list[dict[str, Any]], obs: np.ndarray) -> None:
        """Rebuilds the episodes of `state`, which must end with `obs` exactly.

        Raises:
          UserError: they end elsewhere, so the env isn't deterministic.
        """
        self.env.reset(seed=0)  # the vector refuses to step before its own reset
        rebuilt = np.stack(self.env.call("replay_episode", state))
        if not np.array_equal(self._flat(rebuilt), obs, equal_nan=True):
            raise UserError(
                f"{self.spec.env_id} did not repeat itself, so the run cannot be resumed exactly; "
                "train it with --reset_at_checkpoint"
            )

    def rebuild(self, seed: int) -> np.ndarray:
        """Closes the envs, makes them anew and resets them: a state that depends on `seed` alone."""
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
        return obs.reshape(self.num_envs, -1).astype(np.float32)
