"""What a run takes of its machine: cores and memory, of this process and of those it started."""

import os
import resource
import sys
import time
from pathlib import Path
from typing import Callable, NamedTuple, Optional

MB = 1e6  # bytes
NAMES = ("CPU", "MemoryMB", "GPUMemoryMB")
PAUSE = 1.0  # seconds between two measurements, which read of every process of the machine


def depends_on_machine(column: str) -> bool:
    """Whether a column of `progress.txt` tells of the machine and not of learning: it differs
    between runs of the same command."""
    return column.startswith("Time") or column in NAMES


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Usage(NamedTuple):
    """seconds: of processor time so far, of all cores together. memory: resident, in bytes."""

    seconds: float
    memory: float


class Resources:
    """Measures what a run has used since it was last asked.

    Attributes:
      gpu_bytes: tells the most memory held on the GPUs so far, in bytes; None without a GPU.
    """

    def __init__(self) -> None:
        self.gpu_bytes: Optional[Callable[[], float]] = None
        self._when = time.perf_counter()
        self._seconds = usage().seconds
        self._measured: dict[str, float] = {}

    def drain(self) -> dict[str, float]:
        """Columns `CPU`, the cores in use on average since the last measurement, and `MemoryMB`;
        once more what was measured last, if that was less than PAUSE ago."""
        now = time.perf_counter()
        if self._measured and now - self._when < PAUSE:
            return self._measured
        used = usage()
        spent = max(0.0, used.seconds - self._seconds)  # less where a process ended unseen
        cores = spent / max(now - self._when, 1e-9)
        self._when = now
        self._seconds = used.seconds
        self._measured = {"CPU": cores, "MemoryMB": used.memory / MB}
        return self._measured


def usage(proc: Path = Path("/proc")) -> Usage:
    """What this process and all below it use; pages that several of them share count for each.

    Args:
      proc: where Linux tells of processes. On systems that don't, memory is the most that this
        process alone has had, and processor time leaves out children that are still running.
    """
    return usage_of(os.getpid(), proc) or _own_usage()


def usage_of(root: int, proc: Path = Path("/proc")) -> Optional[Usage]:
    """What the process `root` and all below it use; None where there is none, or the system
    doesn't tell."""
    processes = _processes(proc)
    if root not in processes:
        return None
    family = {root}
    grown = True
    while grown:
        children = {pid for pid, process in processes.items() if process.parent in family}
        grown = not children <= family
        family |= children
    members = [processes[pid] for pid in family]
    seconds = sum(process.seconds for process in members)
    return Usage(seconds, sum(process.memory for process in members))


class _Process(NamedTuple):
    """seconds: of its own and of its children that have ended. memory: in bytes."""

    parent: int
    seconds: float
    memory: float


def _processes(proc: Path) -> dict[int, _Process]:
    """All processes by their ids; none where the system doesn't tell."""
    ticks = os.sysconf("SC_CLK_TCK")
    page = os.sysconf("SC_PAGE_SIZE")
    found = {}
    for name in os.listdir(proc) if proc.is_dir() else []:
        if not name.isdecimal():
            continue
        try:
            text = (proc / name / "stat").read_text(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        # proc(5). The name in parentheses may hold anything; what follows begins with field 3.
        fields = text.rpartition(")")[2].split()
        spent = sum(int(field) for field in fields[11:15])  # fields 14 to 17
        found[int(name)] = _Process(int(fields[1]), spent / ticks, int(fields[21]) * page)
    return found


def _own_usage() -> Usage:
    own = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime
    unit = 1 if sys.platform == "darwin" else 1024  # bytes of ru_maxrss
    return Usage(seconds, own.ru_maxrss * unit)
