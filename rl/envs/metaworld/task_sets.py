"""Ids of Meta-World's task sets: the package's own, one task, and any tasks.

MT sets are tested on the goals they train on. `MT:a,b` and `ML:a,b` are sets of one's own; the
latter is tested, as ML1 is, on other goals of the same tasks.
"""

import re
from types import ModuleType
from typing import Sequence

from rl.config import UserError, closest

MULTI_TASK_SETS = ("MT10", "MT25", "MT50")
META_SETS = ("ML10", "ML25", "ML45")
SETS = MULTI_TASK_SETS + META_SETS


def _env_dict() -> ModuleType:
    """The package's own sets; it takes half a second to import, more than all else of `--help`."""
    from metaworld import env_dict  # pylint: disable=import-outside-toplevel

    return env_dict


def all_tasks() -> tuple[str, ...]:
    """Names of the package's fifty tasks."""
    return tuple(_env_dict().ALL_V3_ENVIRONMENTS)


def _tasks_of_set(name: str, split: str) -> Sequence[str]:
    tasks = getattr(_env_dict(), f"{name}_V3")
    return tasks if name in MULTI_TASK_SETS else tasks[split]


def knows(env_id: str) -> bool:
    """Whether an id, right or wrong, is meant for this family."""
    return re.match("M[TL][0-9:]", env_id) is not None


def resolve(env_id: str) -> str:
    """The full id: "MT1-reach" -> "MT1-reach-v3", "ML:reach,push" -> "ML:reach-v3,push-v3".

    Raises:
      UserError: no such set or task; the message has the closest names.
    """
    if env_id in SETS:
        return env_id
    match = re.fullmatch("(M[TL]1-)([^,]+)|(M[TL]:)(.+)", env_id)
    if not match:
        known = closest(env_id, [*SETS, "MT1-reach", "ML1-reach"])
        raise UserError(f"unknown env {env_id!r}; the closest known are {known}")
    kind, names = filter(None, match.groups())
    known_tasks = all_tasks()
    tasks = [name if name in known_tasks else f"{name}-v3" for name in names.split(",")]
    for name, task in zip(names.split(","), tasks):
        if task not in known_tasks:
            known = closest(task, known_tasks)
            raise UserError(f"unknown task {name!r} in {env_id}; the closest known are {known}")
        if tasks.count(task) > 1:
            raise UserError(f"{env_id} has task {name} twice")
    return kind + ",".join(tasks)


def tasks_of(env_id: str, split: str) -> tuple[str, ...]:
    """Names of the tasks of a full id in split "train" or "test"."""
    if env_id in SETS:
        return tuple(_tasks_of_set(env_id, split))
    return tuple(re.sub("^M[TL](1-|:)", "", env_id).split(","))
