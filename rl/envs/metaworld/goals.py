"""The goals of Meta-World's tasks: those its own benchmarks draw, found sooner and kept on disk.

The package draws a goal by a whole reset, most of which is 500 steps of physics that no goal
depends on.
"""

# pylint: disable=no-member  # of compiled modules

import contextlib
import hashlib
import importlib.metadata
import os
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Sequence

import mujoco
import numpy as np
from metaworld.env_dict import ALL_V3_ENVIRONMENTS

NUM_GOALS = 50
DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


def goal_lists(tasks: Sequence[str], seed: int) -> dict[str, np.ndarray]:
    """The goals of each task as `metaworld.MT10(seed)` and the like draw them for these tasks, in
    this order.

    A goal is the package's `rand_vec`, float64 `(3,)` or `(6,)`: all that its resets draw,
    positions in metres. Lists are read from the cache folder if they are there and whole, else
    drawn, and kept if the folder allows.

    Returns:
      Task name -> `(50, dim)`.
    """
    path = cache_folder() / f"{importlib.metadata.version('metaworld')}_{_digest(tasks)}_{seed}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return {task: file[task] for task in tasks}
    except DAMAGE:
        goals = draw(tasks, seed)
        _keep(path, goals)
        return goals


def cache_folder() -> Path:
    """Where lists are kept: $XDG_CACHE_HOME/rl/metaworld, or ~/.cache/rl/metaworld."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "rl" / "metaworld"


def draw(tasks: Sequence[str], seed: int) -> dict[str, np.ndarray]:
    """The lists of `goal_lists`, drawn."""
    rng = np.random.RandomState(seed)  # the package seeds NumPy's global one, which is of this kind
    return {task: _draw_task(task, rng) for task in tasks}


def _draw_task(task: str, rng: np.random.RandomState) -> np.ndarray:
    env = ALL_V3_ENVIRONMENTS[task]()
    # Not `env` in the lambda: a cycle is freed late, and holds 20 MB.
    model = env.model
    data = env.data
    # Bodies must be in place for what a reset observes, but need not move.
    env.do_simulation = lambda *_: mujoco.mj_kinematics(model, data)
    env.np_random = rng
    env.seeded_rand_vec = True
    env._freeze_rand_vec = False  # pylint: disable=protected-access
    goals = []
    for _ in range(NUM_GOALS):
        env.reset()
        goals.append(env._last_rand_vec)  # pylint: disable=protected-access
    env.close()
    return np.array(goals)


def _digest(tasks: Sequence[str]) -> str:
    return hashlib.sha256(",".join(tasks).encode()).hexdigest()[:16]


def _keep(path: Path, goals: dict[str, np.ndarray]) -> None:
    with contextlib.suppress(OSError):  # a cache that can't be written is none
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            np.savez(Path(folder) / path.name, **goals)  # type: ignore[arg-type]
            os.replace(Path(folder) / path.name, path)
