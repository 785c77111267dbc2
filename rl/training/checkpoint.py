"""Checkpoints: the whole state of a run, without pickle, cheap however large the replay.

    checkpoints/step_000020000.npz        everything but the replay
    checkpoints/replay_000000000_000020000.npz   the transitions stored between two checkpoints
    checkpoints/best.npz                  the state with the best test return

A checkpoint writes only the transitions stored since the one before. Every file is written beside
its place, synced and renamed; zip's checksums tell a torn one, and then the one before it is used.
"""

import json
import re
from pathlib import Path
from typing import Any, Iterator, Optional

import numpy as np

from rl.config import UserError
from rl.training.files import TORN, load_tree, save_tree, write_atomically

SEGMENT = 50_000  # most transitions in a file: they are copied once on the way to it


class Checkpoints:
    """The checkpoints of one run directory.

    Args:
      directory: the run's. keep: how many of the newest to keep, besides the best.
    """

    def __init__(self, directory: Path, keep: int = 2) -> None:
        self.directory, self.keep = Path(directory) / "checkpoints", keep
        self.saved = 0  # transitions that are on disk

    def save(self, step: int, state: dict[str, Any], replay: Any, best: bool) -> None:
        """Writes the state at `step` and the transitions of `replay` that are not on disk yet."""
        self.directory.mkdir(exist_ok=True)
        for first in range(max(self.saved, replay.total - replay.capacity), replay.total, SEGMENT):
            last = min(first + SEGMENT, replay.total)
            save_tree(
                self.directory / f"replay_{first:09d}_{last:09d}.npz", replay.rows(first, last)
            )
        self.saved = replay.total
        path = self.path(step)
        save_tree(path, {**state, "replay_total": replay.total})
        if best:
            write_atomically(
                self.directory / "best.npz", lambda file: file.write(path.read_bytes())
            )
        self._prune(replay.capacity)

    def _prune(self, capacity: int) -> None:
        """Drops old checkpoints, and segments whose every transition the oldest one left has
        overwritten."""
        paths = [self.path(step) for step in self.steps()]
        for path in paths[: -self.keep]:
            path.unlink()
        with np.load(paths[-self.keep :][0], allow_pickle=False) as arrays:
            oldest = json.loads(bytes(arrays["json"]))["replay_total"]
        for _, last, path in self._segments():
            if last <= oldest - capacity:
                path.unlink()

    def path(self, step: int) -> Path:
        """Where the checkpoint of an env step is."""
        return self.directory / f"step_{step:09d}.npz"

    def steps(self) -> list[int]:
        """Env steps of the checkpoints on disk, oldest first."""
        names = (
            re.fullmatch(r"step_(\d+)\.npz", p.name) for p in self.directory.glob("step_*.npz")
        )
        return sorted(int(m[1]) for m in names if m)

    def _segments(self) -> Iterator[tuple[int, int, Path]]:
        for path in sorted(self.directory.glob("replay_*.npz")):
            match = re.fullmatch(r"replay_(\d+)_(\d+)\.npz", path.name)
            if match:
                yield int(match[1]), int(match[2]), path

    def load(self, replay: Any) -> Optional[dict[str, Any]]:
        """Fills `replay` and returns the state of the newest sound checkpoint, setting damaged ones
        aside.

        Returns None where there is no checkpoint. Raises a UserError where there are, but none is
        sound.
        """
        damaged: list[Path] = []
        for step in reversed(self.steps()):
            path = self.path(step)
            try:
                state = load_tree(path)
                self._fill(replay, state["replay_total"])
            except TORN as error:
                print(f"checkpoint at step {step} is damaged ({error}); using the one before it")
                damaged.append(path)
                continue
            for path in damaged:
                path.rename(path.with_suffix(".damaged"))
            self.saved = replay.total
            return state
        if damaged:
            raise UserError(
                f"no checkpoint in {self.directory} is sound; nothing there was changed"
            )
        return None

    def _fill(self, replay: Any, total: int) -> None:
        """Puts back the transitions stored before `total` that the ring still held then."""
        position = max(0, total - replay.capacity)
        for first, last, path in self._segments():
            if first <= position < last <= total:
                rows = load_tree(path)
                replay.put_rows(position, {k: v[:, position - first :] for k, v in rows.items()})
                position = last
        if position != total:
            raise ValueError(f"replay transitions {position} to {total} are missing")
        replay.total = total
