"""What a person sees while a run goes on: a progress bar and a table, or plain lines in a file."""

import sys
import time
from typing import Any, Optional, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table


class Terminal:
    """Shows progress in env steps on a terminal; prints one plain line per epoch elsewhere.

    Args:
      name: of the run. total, done: env steps of the whole run, and those already behind it.
      shown: the columns of a plain line.
    """

    def __init__(
        self,
        name: str,
        total: int,
        done: int,
        shown: tuple[str, ...],
        file: Optional[TextIO] = None,
    ) -> None:
        self.console = Console(file=file or sys.stdout)
        self.name, self.total, self.shown = name, total, shown
        self._steps, self._when = done, time.perf_counter()
        self._bar: Any = None
        if self.console.is_terminal:
            parts = (
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f}%"),
            )
            speed = TextColumn("{task.fields[speed]:.0f} steps/s")
            self._bar = Progress(
                *parts, TimeElapsedColumn(), TimeRemainingColumn(), speed, console=self.console
            )
            self._task = self._bar.add_task(name, total=total, completed=done, speed=0.0)
            self._bar.start()

    def advance(self, step: int) -> None:
        """Moves the bar to `step` env steps; cheap, call it once per burst or so."""
        if self._bar is not None:
            self._bar.update(self._task, completed=step, speed=self._speed(step))

    def epoch(self, step: int, row: dict[str, float]) -> None:
        """Shows the row of an epoch that ended at `step`."""
        speed = self._speed(step)
        eta = (self.total - step) / speed if speed else float("nan")
        if self._bar is None:
            cells = [f"{name} {row[name]:.5g}" for name in self.shown if name in row]
            line = f"{self.name}: {step}/{self.total} steps, {speed:.0f} steps/s, {eta:.0f} s left"
            print(", ".join([line, *cells]), file=self.console.file, flush=True)
        else:
            table = Table("", self.name, title=None)
            for name, value in row.items():
                table.add_row(name, f"{value:.6g}")
            self._bar.console.print(table)
            self.advance(step)
        self._steps, self._when = step, time.perf_counter()

    def _speed(self, step: int) -> float:
        return (step - self._steps) / max(time.perf_counter() - self._when, 1e-9)

    def close(self) -> None:
        """Takes the bar off the terminal."""
        if self._bar is not None:
            self._bar.stop()
