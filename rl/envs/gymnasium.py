"""Envs of Gymnasium: each with its time limit, its episode recorded, its camera on the robot."""

import functools
import traceback
from typing import Any, Mapping, Optional

import gymnasium as gym

from rl.config import UserError
from rl.envs.closing import close_in_time
from rl.envs.contract import EnvError, SpaceWatch, described
from rl.envs.pool import EnvPool
from rl.envs.registry import registered_name
from rl.envs.replayable import Replayable
from rl.envs.spaces import spec_of, with_flat_numbers
from rl.envs.vector import Vector


class Gymnasium(Vector):
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
        # One env here first: a bad id, space or extra is told before any worker starts.
        probe = make(0)
        self.keeps_state = backend != "envpool"
        spec = spec_of(env_id, probe)
        self.has_numbers = isinstance(probe.unwrapped.observation_space, gym.spaces.Discrete)
        self.watch = SpaceWatch(env_id, probe.observation_space)
        fps = probe.metadata.get("render_fps", 30)
        limit = probe.spec.max_episode_steps
        close_in_time(probe.close)
        super().__init__(spec, make, num_envs, backend, fps, limit, num_workers)

    def _build(self) -> Any:
        if self.keeps_state:
            return super()._build()
        if self.env_kwargs:
            raise UserError("--env_kwargs needs --env_backend sync or async: EnvPool has its own")
        if self.has_numbers:
            raise UserError(
                f"{self.spec.env_id}: observations that are a number need --env_backend sync or "
                "async"
            )
        return EnvPool(self.spec.env_id, self.num_envs, self.max_ep_len)


def make_one(
    index: int,
    env_id: str,
    render_mode: Optional[str],
    max_ep_len: int,
    env_kwargs: Mapping[str, Any],
) -> gym.Env:
    """Env `index` of a vector.

    Args:
      max_ep_len: 0 is the env's own time limit, or 1000 where it has none.
      env_kwargs: arguments of the env's constructor.

    Raises:
      EnvError: the env can't be made.
    """
    options = dict(env_kwargs)
    if render_mode is not None:  # few constructors of one's own take it
        options["render_mode"] = render_mode
    try:
        name = registered_name(env_id)
        limit = max_ep_len or gym.spec(name).max_episode_steps or 1000
        env = gym.make(name, max_episode_steps=limit, disable_env_checker=True, **options)
    except Exception as error:  # a constructor may raise any
        given = f" with --env_kwargs {dict(env_kwargs)}" if env_kwargs else ""
        raise EnvError(
            f"cannot make env {env_id}{given}: {described(error)}", traceback.format_exc()
        ) from error
    if render_mode is not None:
        _follow_agent(env.unwrapped)
    return Replayable(with_flat_numbers(env), index)


def _follow_agent(env: Any) -> None:
    """Points a MuJoCo env's camera at its robot, where it has such a camera: the free one stays at
    the start."""
    cameras = (
        [env.model.camera(i) for i in range(env.model.ncam)]
        if hasattr(env, "mujoco_renderer")
        else []
    )
    for camera in cameras:
        if camera.name == "track":
            env.mujoco_renderer.camera_id = camera.id
