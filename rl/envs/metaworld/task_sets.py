"""Ids of Meta-World's task sets: the package's own, one task, and any tasks.

MT sets are tested on the goals they train on. `MT:a,b` and `ML:a,b` are sets of one's own; the
latter is tested, as ML1 is, on other goals of the same tasks.
"""

import re

from metaworld import env_dict

from rl.config import UserError, closest

TASKS = tuple(env_dict.ALL_V3_ENVIRONMENTS)
# id -> split -> tasks
SETS = {
    name: dict.fromkeys(("train", "test"), getattr(env_dict, f"{name}_V3"))
    for name in ("MT10", "MT25", "MT50")
}
SETS |= {name: getattr(env_dict, f"{name}_V3") for name in ("ML10", "ML25", "ML45")}


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
    tasks = [name if name in TASKS else f"{name}-v3" for name in names.split(",")]
    for name, task in zip(names.split(","), tasks):
        if task not in TASKS:
            raise UserError(
                f"unknown task {name!r} in {env_id}; the closest known are {closest(task, TASKS)}"
            )
        if tasks.count(task) > 1:
            raise UserError(f"{env_id} has task {name} twice")
    return kind + ",".join(tasks)


def tasks_of(env_id: str, split: str) -> tuple[str, ...]:
    """Names of the tasks of a full id in split "train" or "test"."""
    return tuple(
        SETS[env_id][split] if env_id in SETS else re.sub("^M[TL](1-|:)", "", env_id).split(",")
    )
