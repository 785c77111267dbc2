"""Environments: `make(env_id, ...)` gives a vector env with one interface for every family."""

from typing import Any

from rl.envs.registry import resolve
from rl.envs.spec import EnvSpec
from rl.envs.vector import Step, VectorEnv

__all__ = ["EnvSpec", "Step", "VectorEnv", "make", "resolve"]


def make(env_id: str, num_envs: int = 1, **options: Any) -> VectorEnv:
    """`num_envs` copies of an env by id, with or without version; `options` are VectorEnv's.

    Raises:
      UserError: no such env, or a space that is not supported.
    """
    return VectorEnv(resolve(env_id), num_envs, **options)
