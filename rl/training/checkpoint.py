"""Checkpoints: the whole state of a run, without pickle, cheap however large the replay.

    checkpoints/step_000020000.npz        everything but the replay
    checkpoints/replay_000000000_000020000.npz   the transitions stored between two checkpoints
    checkpoints/best.npz                  the state with the best test return

A checkpoint writes only the transitions stored since the one before. Every file is written beside
its place, synced and renamed. One that is damaged (checksums tell, and what the run expects of
it) is set aside, and the one before it is used.
"""

import re
from pathlib import Path
from typing import Any, Callable, NamedTuple, Optional

from rl.config import UserError
from rl.files import (
    Damaged,
    file_names,
    is_folder,
    load_tree,
    read_bytes,
    remove,
    save_tree,
    write_atomically,
)

# Most transitions in a file, and bytes of them: they are copied once on the way to it.
SEGMENT = 50_000
SEGMENT_BYTES = 2**28
DIGITS = r"(\d{9,15})"  # more are nobody's env steps
STEP = re.compile(rf"step_{DIGITS}\.npz")
REPLAY = re.compile(rf"replay_{DIGITS}_{DIGITS}\.npz")
BEST = "best.npz"


class Segment(NamedTuple):
    """A file with the transitions numbered `first <= i < last`."""

    first: int
    last: int
    path: Path


class Checkpoints:
    """The checkpoints of one run directory.

    Args:
      directory: the run's. keep: how many of the newest to keep, besides the best.
    """

    def __init__(self, directory: Path, keep: int = 2) -> None:
        self.directory = Path(directory) / "checkpoints"
        self.keep = keep
        self.saved = 0  # transitions that are on disk
        self.totals: dict[int, int] = {}  # step of a checkpoint -> transitions stored by then

    def save(self, step: int, state: dict[str, Any], replay: Any, best: bool) -> None:
        """Writes the state at `step` and the transitions of `replay` that are not on disk yet."""
        if not is_folder(self.directory):
            self.directory.mkdir()
        for segment in self._segments():
            if segment.last > self.saved:  # of a process that was killed before its checkpoint
                remove(segment.path)
        oldest = max(self.saved, replay.total - replay.capacity)
        most = SEGMENT
        if oldest < replay.total:
            most = max(1, min(SEGMENT, SEGMENT_BYTES // replay.transition_bytes))
        for first in range(oldest, replay.total, most):
            last = min(first + most, replay.total)
            path = self.directory / f"replay_{first:09d}_{last:09d}.npz"
            save_tree(path, replay.rows(first, last))
        self.saved = replay.total
        self.totals[step] = replay.total
        totals = {str(number): total for number, total in self.totals.items()}
        saved = {**state, "saved_step": step, "totals": totals}
        if best:
            # First, since the state says already that it is the best.
            save_tree(self.directory / BEST, saved)
            content = read_bytes(self.directory / BEST)
            write_atomically(self.path(step), lambda file: file.write(content))
        else:
            save_tree(self.path(step), saved)
        self._prune(replay.capacity)

    def _prune(self, capacity: int) -> None:
        """Drops old checkpoints, and segments whose every transition the oldest one left has
        overwritten."""
        steps = self.steps()
        for step in steps[: -self.keep]:
            remove(self.path(step))
        left = steps[-self.keep :]
        self.totals = {step: total for step, total in self.totals.items() if step in left}
        if left[0] not in self.totals:
            return
        for segment in self._segments():
            if segment.last <= self.totals[left[0]] - capacity:
                remove(segment.path)

    def path(self, step: int) -> Path:
        """Where the checkpoint of an env step is."""
        return self.directory / f"step_{step:09d}.npz"

    def best(self) -> Optional[Path]:
        """Where the best checkpoint is; None if there is none."""
        names = file_names(self.directory, lambda name: name == BEST)
        return self.directory / BEST if names else None

    def steps(self) -> list[int]:
        """Env steps of the checkpoints on disk, oldest first.

        Raises:
          UserError: one of them is not a regular file, or the folder is none.
        """
        names = file_names(self.directory, lambda name: STEP.fullmatch(name) is not None)
        steps = [int(name[len("step_") : -len(".npz")]) for name in names]
        return sorted(step for step in steps if self.path(step).name in names)

    def _segments(self) -> list[Segment]:
        """The files of the replay on disk, oldest first."""
        found = []
        for name in file_names(self.directory, lambda name: REPLAY.fullmatch(name) is not None):
            _, first, last = name[: -len(".npz")].split("_")
            found.append(Segment(int(first), int(last), self.directory / name))
        return sorted(found)

    def load(
        self, replay: Any, check: Callable[[dict[str, Any]], None] = lambda state: None
    ) -> Optional[dict[str, Any]]:
        """Fills `replay` and returns the state of the newest sound checkpoint, setting damaged ones
        aside.

        Args:
          check: raises Damaged for a state that the run can't go on from.

        Returns:
          None where there is no checkpoint.

        Raises:
          UserError: there are some, but none is sound.
        """
        damaged: dict[Path, Damaged] = {}
        for step in reversed(self.steps()):
            path = self.path(step)
            try:
                state = self.read(step)
                check(state)
                self._fill(replay, self.totals[step])
            except Damaged as error:
                damaged[path] = error
                print(f"checkpoint at step {step} is damaged ({error}); using the one before it")
                continue
            for path in damaged:
                path.rename(path.with_suffix(".damaged"))
            self.saved = replay.total
            return state
        if damaged:
            reason = next(iter(damaged.values()))
            raise UserError(
                f"no checkpoint in {self.directory} is sound ({reason}); nothing there was changed"
            )
        return None

    def read(self, step: int) -> dict[str, Any]:
        """The state that was saved at an env step. Raises Damaged."""
        state = load_tree(self.path(step))
        if state.pop("saved_step", None) != step:
            raise Damaged(f"it is not of step {step}")
        self.totals = _whole_numbers(state.pop("totals", None))
        if step not in self.totals:
            raise Damaged("the size of its replay is missing")
        return state

    def _fill(self, replay: Any, total: int) -> None:
        """Puts back the transitions stored before `total` that the ring still held then."""
        position = max(0, total - replay.capacity)
        for segment in self._segments():
            if not segment.first <= position < segment.last <= total:
                continue
            rows = load_tree(segment.path)
            misfit = replay.misfit(rows, segment.last - segment.first)
            if misfit:
                raise Damaged(f"{segment.path.name}: {misfit}")
            replay.put_rows(segment.first, rows, skipped=position - segment.first)
            position = segment.last
        if position != total:
            raise Damaged(f"replay transitions {position} to {total} are missing")
        replay.total = total


def _whole_numbers(totals: Any) -> dict[int, int]:
    """The totals of a checkpoint: JSON has strings for keys."""
    if not isinstance(totals, dict) or not all(isinstance(n, int) for n in totals.values()):
        raise Damaged("the sizes of its replay are missing")
    return {int(step): total for step, total in totals.items() if step.isdecimal()}
