"""Environments: `make(env_id, ...)` gives a vector env with one interface for every family."""

from typing import Any

from rl.config import UserError
from rl.envs import metaworld, point_mass, registry
from rl.envs.gymnasium import Gymnasium
from rl.envs.interface import VectorEnv
from rl.spec import EnvSpec, Step

__all__ = ["EnvSpec", "Step", "VectorEnv", "make", "resolve", "tasks_of"]


def make(env_id: str, num_envs: int = 1, visit: str = "all", **options: Any) -> VectorEnv:
    """`num_envs` copies of an env, or of every task of a set, by id; or as many that go from task
    to task.

    Args:
      options: `backend`, `render_mode`, `max_ep_len` and `num_workers` as Gymnasium's; `visit`, one
        of `rl.flags.training.ORDERS`; for Meta-World also those of `metaworld.make`, which other
        families don't heed.

    Raises:
      UserError: no such env, a space that is not supported, or no tasks to go to.
    """
    env_id = resolve(env_id)
    if options.get("env_kwargs") and tasks_of(env_id, "train"):
        raise UserError(f"--env_kwargs is for envs of Gymnasium, and {env_id} is a set of tasks")
    if metaworld.knows(env_id):
        return metaworld.make(env_id, num_envs, visit=visit, **options)
    if point_mass.knows(env_id):
        own = {name: value for name, value in options.items() if name in ("max_ep_len", "split")}
        return point_mass.PointMass(env_id, num_envs, visit=visit, **own)
    if visit != "all":
        raise UserError(f"--visit {visit} is for several tasks; {env_id} is one")
    names = ("backend", "render_mode", "max_ep_len", "num_workers", "env_kwargs")
    own = {name: value for name, value in options.items() if name in names}
    return Gymnasium(env_id, num_envs, **own)


def tasks_of(env_id: str, split: str) -> tuple[str, ...]:
    """Names of the tasks of a full id in split "train" or "test"; none where there is a single
    task."""
    family = next((family for family in (metaworld, point_mass) if family.knows(env_id)), None)
    return tuple(family.tasks_of(env_id, split)) if family else ()


def resolve(env_id: str) -> str:
    """The full id of an env: "HalfCheetah" -> "HalfCheetah-v5", "MT1-reach" -> "MT1-reach-v3".

    Raises:
      UserError: no such env; the message has the closest names.
    """
    family = next((family for family in (metaworld, point_mass) if family.knows(env_id)), registry)
    return family.resolve(env_id)
