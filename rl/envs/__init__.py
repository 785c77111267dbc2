"""Environments: `make(env_id, ...)` gives a vector env with one interface for every family."""

from typing import Any

from rl.config import UserError, closest
from rl.envs import point_mass, registry
from rl.envs.spec import EnvSpec
from rl.envs.vector import Step, VectorEnv

__all__ = ["EnvSpec", "Step", "VectorEnv", "make", "resolve"]


def make(env_id: str, num_envs: int = 1, **options: Any) -> Any:
    """`num_envs` copies of an env, or of every task of a set, by id; `options` are VectorEnv's.

    Raises:
      UserError: no such env, or a space that is not supported.
    """
    env_id = resolve(env_id)
    if env_id in point_mass.LAYOUTS:
        return point_mass.PointMass(env_id, num_envs, options.get("max_ep_len", 0))
    return VectorEnv(env_id, num_envs, **options)


def resolve(env_id: str) -> str:
    """The full id of an env: "HalfCheetah" -> "HalfCheetah-v5".

    Raises:
      UserError: no such env; the message has the closest names.
    """
    if env_id.startswith("PointMass"):
        if env_id not in point_mass.LAYOUTS:
            raise UserError(f"unknown env {env_id!r}; the closest known are {closest(env_id, point_mass.LAYOUTS)}")
        return env_id
    return registry.resolve(env_id)
