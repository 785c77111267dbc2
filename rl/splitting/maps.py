"""Which copy of each region a task uses, as NumPy arrays: how maps are split, scored, written and
read."""

import json
from typing import Any, Iterable

import numpy as np

from rl.config import SPLITS, UserError
from rl.files import expanded, read_text


def copies_of(maps: np.ndarray) -> np.ndarray:
    """How many copies each region has, for maps `(regions, num_tasks)`."""
    return maps.max(axis=-1) + 1


def sharing_score(maps: np.ndarray, sizes: np.ndarray) -> float:
    """1 where every region has one copy, 0 where each task has its own; `sizes` are parameters of a
    copy. A single task has nobody to part from: 1."""
    num_tasks = maps.shape[-1]
    if num_tasks == 1:
        return 1.0
    return float((sizes * (num_tasks - copies_of(maps))).sum() / ((num_tasks - 1) * sizes.sum()))


def changes(before: np.ndarray, after: np.ndarray, updates: int) -> list[dict[str, Any]]:
    """An event, as JSON values, for each group of tasks that came to use another copy of a region.

    Args:
      before, after: maps `(regions, num_tasks)`. updates: so far.
    """
    events = []
    for region, copies in enumerate(after):
        changed = copies != before[region]
        for copy in np.unique(copies[changed]):
            moved = np.flatnonzero(changed & (copies == copy)).tolist()
            events.append({"updates": updates, "region": region, "copy": int(copy), "moved": moved})
    return events


def nearer_to_second(distance: np.ndarray, first: int, second: int) -> np.ndarray:
    """Bool `(num_tasks,)`: the tasks that go with `second` when `first` and `second` part.

    Args:
      distance: `(num_tasks, num_tasks)`, how far apart tasks' gradients are; less is nearer.
    """
    nearer = distance[first] >= distance[second]
    nearer[first] = False
    nearer[second] = True
    return nearer


def load_maps(
    path: str, names: Iterable[str], key: str = "maps", flag: str = "--split_map"
) -> dict[str, Any]:
    """The maps of a `splits.json`, or of the run directory that has one, for networks `names`; or
    what else there is of them under `key`, for the flag that has the path.

    Raises:
      UserError: there is no such file, it is no such file, or it lacks a network.
    """
    file = expanded(path).resolve()  # the user may name a link; within a run none is followed
    if file.is_dir():
        file = file / SPLITS
    try:
        networks = json.loads(read_text(file))["networks"]
        return {name: networks[name][key] for name in names}
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{flag}: {path} can't be read ({error})") from None
    except KeyError as error:
        raise UserError(
            f"{flag}: {file} has no {error}; it is of another algorithm or network"
        ) from None


def checked(maps: Any, shape: tuple[int, ...], room: np.ndarray, name: str) -> np.ndarray:
    """`maps` as int32 `(regions, num_tasks)`.

    Args:
      room: `(regions,)`, how many copies of each there can be.

    Raises:
      UserError: they have another shape, or numbers that are not copies of their region.
    """
    try:
        array = np.array(maps)
    except ValueError:
        array = np.zeros(0)
    if array.shape != shape or array.dtype.kind != "i":
        raise UserError(
            f"--split_map: {name} needs whole numbers of shape {shape}, got {array.dtype} "
            f"{array.shape}"
        )
    if array.min() < 0 or (array.max(axis=1) >= room).any():
        raise UserError(
            f"--split_map: {name} needs copies from 0 to {room.min() - 1}; see --split_capacity"
        )
    return array.astype(np.int32)
