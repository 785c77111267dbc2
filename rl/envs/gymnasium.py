"""One env of Gymnasium, ready for a vector: with its time limit, its episode recorded, its camera
on the robot."""

from typing import Any, Mapping, Optional

import gymnasium as gym

from rl.config import UserError
from rl.envs.registry import registered_name
from rl.envs.replayable import Replayable


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
      UserError: the env can't be made.
    """
    try:
        name = registered_name(env_id)
        limit = max_ep_len or gym.spec(name).max_episode_steps or 1000
        env = gym.make(
            name,
            max_episode_steps=limit,
            render_mode=render_mode,
            disable_env_checker=True,
            **env_kwargs,
        )
    except (ImportError, gym.error.Error) as error:
        raise UserError(f"cannot make env {env_id}: {' '.join(str(error).split())}") from None
    except Exception as error:  # what a constructor says of arguments that it can't have
        if not env_kwargs:
            raise
        raise UserError(
            f"cannot make env {env_id} with --env_kwargs {dict(env_kwargs)}: "
            f"{' '.join(str(error).split())[:300]}"
        ) from None
    if render_mode is not None:
        _follow_agent(env.unwrapped)
    return Replayable(env, index)


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
