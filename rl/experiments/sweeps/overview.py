"""What a person sees of a sweep: a table on a terminal, a line for each change elsewhere."""

import math
import time
from typing import Optional, Sequence

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from rl.experiments.sweeps.pool import Job
from rl.experiments.sweeps.progress import Progress, read_progress
from rl.experiments.sweeps.runs import SweepRun
from rl.experiments.sweeps.stages import state_of

EVERY = 1.0  # seconds between two tables
WIDTH = 120  # columns of a table that is not shown on a terminal
MIB = 2**20


class Overview:
    """Tells of the jobs of a sweep while it goes on; `show` is cheap, call it often."""

    def __init__(self, console: Optional[Console] = None) -> None:
        self.console = console or Console()
        self._told: dict[str, tuple[str, str]] = {}  # run -> its state and note when it was told
        self._progress: dict[str, Progress] = {}
        self._next = 0.0
        self._live: Optional[Live] = None
        if self.console.is_terminal:
            # It draws when it is told to: a thread of its own would be one beside the forks.
            self._live = Live(console=self.console, auto_refresh=False)
            self._live.start()

    def show(self, jobs: Sequence[Job]) -> None:
        """Tells of what has changed, and draws the table when it is time."""
        changed = [job for job in jobs if self._told.get(job.run.name) != (job.state, job.note)]
        for job in changed:
            self._told[job.run.name] = (job.state, job.note)
            self._progress[job.run.name] = read_progress(job.run)
            if self._live is None and (job.note or job.state != "waiting"):
                print(self._line(job), file=self.console.file, flush=True)
        if self._live is None or (not changed and time.monotonic() < self._next):
            return
        for job in jobs:
            if job.state == "running":
                self._progress[job.run.name] = read_progress(job.run)
        table = make_table()
        for job in jobs:
            add_row(table, job.run, status_of(job), self._progress[job.run.name])
        self._live.update(table, refresh=True)
        self._next = time.monotonic() + EVERY

    def close(self) -> None:
        """Leaves the last table on the terminal."""
        if self._live is not None:
            self._live.stop()

    def _line(self, job: Job) -> str:
        """A change in one line."""
        progress = self._progress[job.run.name]
        words = f"{job.run.name}: {status_of(job)}"
        if progress.steps:
            words += f", {progress.steps}/{progress.total} steps"
        if not math.isnan(progress.last_return):
            words += f", return {progress.last_return:.5g}"
        return words


def status_of(job: Job) -> str:
    """How it stands with a job, in words."""
    if job.state == "running":
        return job.note
    return f"{job.state} ({job.note})" if job.note else job.state


def print_status(runs: Sequence[SweepRun]) -> None:
    """Prints how far all runs are, as their directories say."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    table = make_table()
    for run in runs:
        add_row(table, run, state_of(run), read_progress(run))
    console.print(table)


def make_table() -> Table:
    """The table's columns."""
    table = Table()
    table.add_column("method", overflow="fold")
    table.add_column("seed", justify="right")
    table.add_column("status", overflow="fold")
    for name in ("done", "return", "steps/s", "left", "memory"):
        table.add_column(name, justify="right", no_wrap=True)
    return table


def add_row(table: Table, run: SweepRun, status: str, progress: Progress) -> None:
    """Adds the row of a run. What is left, and the memory, are those of a process that goes on."""
    left = ""
    memory = ""
    if progress.is_running:
        left = clock(progress.seconds_left)
        memory = "" if math.isnan(progress.memory) else f"{progress.memory / MIB:.0f} MiB"
    table.add_row(
        escape(run.method),  # brackets in it are no markup
        str(run.seed),
        escape(status),
        f"{progress.steps / progress.total:.0%}",
        _number(progress.last_return),
        _number(progress.speed),
        left,
        memory,
    )


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.5g}"


def clock(seconds: float) -> str:
    """A length of time as hours, minutes and seconds, "1:02:03"; "" for nan."""
    if math.isnan(seconds):
        return ""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{left:02d}"
