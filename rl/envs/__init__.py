"""Environments: `make(env_id, ...)` gives a vector env with one interface for every family."""

from typing import Any, Optional

from rl.config import UserError
from rl.envs import metaworld, point_mass, python_env, registry
from rl.envs.gymnasium import Gymnasium
from rl.envs.interface import VectorEnv
from rl.envs.python_env import PythonEnv
from rl.flags import conditions
from rl.spec import EnvSpec, Step

__all__ = ["EnvSpec", "PythonEnv", "Step", "VectorEnv", "make", "register", "resolve", "tasks_of"]

# All but Gymnasium's, which has every id that no other family knows.
FAMILIES: list[Any] = [metaworld, point_mass, python_env]


def register(family: Any) -> None:
    """Adds a family of envs, for this process.

    Args:
      family: a module or an object with `knows(env_id)`, whether an id is meant for it;
        `resolve(env_id)`, the full id, or a UserError; `tasks_of(env_id, split)`, names of tasks,
        none for a single one; and `make(env_id, num_envs, **options)`, an env with VectorEnv's
        interface, where `options` are those of `make` here, of which it heeds what it can.

    Raises:
      UserError: it lacks one of these.
    """
    for name in ("knows", "resolve", "tasks_of", "make"):
        if not callable(getattr(family, name, None)):
            raise UserError(f"a family of envs needs a function {name}, and {family!r} has none")
    FAMILIES.append(family)
    conditions.TASK_SETS.append(lambda env_id: _has_tasks(family, env_id))


def _has_tasks(family: Any, env_id: str) -> bool:
    return bool(family.knows(env_id) and family.tasks_of(family.resolve(env_id), "train"))


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
    family = _family_of(env_id)
    if family is not None:
        return family.make(env_id, num_envs, visit=visit, **options)
    if visit != "all":
        raise UserError(f"--visit {visit} is for several tasks; {env_id} is one")
    names = ("backend", "render_mode", "max_ep_len", "num_workers", "env_kwargs")
    chosen = {name: value for name, value in options.items() if name in names}
    return Gymnasium(env_id, num_envs, **chosen)


def _family_of(env_id: str) -> Optional[Any]:
    """The family that knows an id, right or wrong; None: Gymnasium."""
    for family in FAMILIES:
        if family.knows(env_id):
            return family
    return None


def tasks_of(env_id: str, split: str) -> tuple[str, ...]:
    """Names of the tasks of a full id in split "train" or "test"; none where there is a single
    task."""
    family = _family_of(env_id)
    return () if family is None else tuple(family.tasks_of(env_id, split))


def resolve(env_id: str) -> str:
    """The full id of an env: "HalfCheetah" -> "HalfCheetah-v5", "MT1-reach" -> "MT1-reach-v3".

    Raises:
      UserError: no such env; the message has the closest names.
    """
    family = _family_of(env_id)
    return registry.resolve(env_id) if family is None else family.resolve(env_id)
