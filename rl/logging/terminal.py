"""What a person sees while a run goes on: a progress bar and a table, or plain lines in a file."""

import sys
import time
from typing import Any, Optional, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from rl import signals

# Seconds between lines that tell of progress within an epoch.
FIRST = 5.0
LATER = 60.0


class Output:
    """A text stream that goes on, into nowhere, when its terminal has closed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Writes a text. Returns its length."""
        try:
            return self._stream.write(text)
        except OSError as error:
            if not signals.is_hangup(error):
                raise
        return len(text)

    def flush(self) -> None:
        """Writes out what is buffered."""
        try:
            self._stream.flush()
        except OSError as error:
            if not signals.is_hangup(error):
                raise


class Terminal:
    """Shows progress in env steps, and each row: a bar above short lines on a terminal, plain lines
    elsewhere, the first of them at once.

    Args:
      name: of the run. total, done: env steps of the whole run, and those already behind it.
      shown: the columns of a short line. table: show all columns of each row instead.
    """

    def __init__(
        self,
        name: str,
        total: int,
        done: int,
        shown: tuple[str, ...],
        table: bool = False,
        file: Optional[TextIO] = None,
    ) -> None:
        output: Any = file or Output(sys.stdout)
        self.console = Console(file=output)
        self.name = name
        self.total = total
        self.shown = shown
        self.table = table
        self._steps = done
        self._when = time.perf_counter()
        self._bar: Any = None
        if self.console.is_terminal:
            self._start_bar(done)
        else:
            self._print(f"{name}: {done}/{total} steps, begun")
        self._next_line = self._when + FIRST

    def _start_bar(self, done: int) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[speed]:.0f} steps/s"),
            console=self.console,
        )
        self._task = self._bar.add_task(self.name, total=self.total, completed=done, speed=0.0)
        self._bar.start()

    def advance(self, step: int) -> None:
        """Shows that `step` env steps are done; cheap, call it once per burst or so."""
        if self._bar is not None:
            self._bar.update(self._task, completed=step, speed=self._speed(step))
        elif time.perf_counter() >= self._next_line:
            self._print(self._progress(step))

    def epoch(self, step: int, row: dict[str, float]) -> None:
        """Shows the row of an epoch that ended at `step`."""
        cells = [f"{name} {row[name]:.5g}" for name in self.shown if name in row]
        line = ", ".join([self._progress(step), *cells])
        if self._bar is None:
            self._print(line)
        elif not self.table:
            self._bar.console.print(line, highlight=False, markup=False)
        if self.table:
            self._print_table(row)
        self.advance(step)
        self._steps = step
        self._when = time.perf_counter()

    def _progress(self, step: int) -> str:
        done = f"{self.name}: {step}/{self.total} steps"
        speed = self._speed(step)
        if not speed:  # a row of steps that were there already
            return done
        return f"{done}, {speed:.0f} steps/s, {(self.total - step) / speed:.0f} s left"

    def _print(self, line: str) -> None:
        print(line, file=self.console.file, flush=True)
        self._next_line = time.perf_counter() + LATER

    def _print_table(self, row: dict[str, float]) -> None:
        table = Table("", self.name)
        for name, value in row.items():
            table.add_row(name, f"{value:.6g}")
        console = self.console if self._bar is None else self._bar.console
        console.print(table)

    def _speed(self, step: int) -> float:
        return (step - self._steps) / max(time.perf_counter() - self._when, 1e-9)

    def close(self) -> None:
        """Takes the bar off the terminal."""
        if self._bar is not None:
            self._bar.stop()
