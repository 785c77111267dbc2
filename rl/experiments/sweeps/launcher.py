"""Who starts the processes of a sweep: this machine. Another launcher, such as the one for a Ray
cluster, has the same few methods, and nothing else of a sweep changes."""

import dataclasses
import os
import subprocess
from pathlib import Path
from typing import Mapping, Optional, Protocol

from rl.experiments.launch import environment, exit_code, python
from rl.files import open_plain

ATTENDED = "rl.attended"
LOST = -1  # in place of an exit code: the process is gone with the machine that it was on
# What numerical libraries read to know how many threads to make. NumPy's own stays what
# rl/__main__.py makes it: acting is too small to share.
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


@dataclasses.dataclass(frozen=True)
class Command:
    """A command line of the front door, and the file that its output is added to."""

    argv: tuple[str, ...]
    log: Path


class Process(Protocol):
    """A command that was started."""

    def poll(self) -> Optional[int]:
        """Its exit code, or LOST; None while it goes on. Raises an OSError where it could not be
        started, if that shows only now."""

    def signal(self, number: int) -> None:
        """Sends it a signal, if it is still there."""


class Launcher(Protocol):
    """What starts commands, at once and side by side."""

    def start(self, command: Command) -> Process:
        """Starts a command. Raises an OSError where that can't be done."""

    def close(self) -> None:
        """Lets go of the processes: those that still go on stop."""


class LocalProcess:
    """A process of this machine."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process

    def poll(self) -> Optional[int]:
        """Its exit code, of one that a signal ended 128 more than the signal's number; None while
        it goes on."""
        code = self._process.poll()
        return None if code is None else exit_code(code)

    def signal(self, number: int) -> None:
        """Sends it a signal, if it is still there."""
        self._process.send_signal(number)


class LocalLauncher:
    """Starts processes on this machine that stop, and save, when this process ends.

    Args:
      threads: of each process, for TensorFlow's work; what the environment says goes before it.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        # Nothing is ever written: the writing end is closed when this process ends.
        self._reading_end, self._writing_end = os.pipe()

    def start(self, command: Command) -> LocalProcess:
        """Starts a command with this very package. Raises an OSError where its output has no place
        to go, or there is no room for a process."""
        variables = variables_of_run(self.threads)
        return LocalProcess(start_attended(ATTENDED, command, variables, self._reading_end))

    def close(self) -> None:
        """Lets go of the processes: those that still go on stop."""
        os.close(self._reading_end)
        os.close(self._writing_end)


def variables_of_run(threads: int) -> dict[str, str]:
    """The environment of a run's process, which has so many threads where this process's own
    environment doesn't say how many."""
    variables = environment()
    for name in THREADS:
        variables.setdefault(name, str(threads))
    return variables


def open_log(path: Path) -> int:
    """A descriptor that adds to a file of output. Raises an OSError where it has no place to go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return open_plain(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def start_attended(
    module: str,
    command: Command,
    variables: Mapping[str, str],
    reading_end: int,
    folder: Optional[str] = None,
) -> "subprocess.Popen[bytes]":
    """Starts a command that stops, and saves, when the other end of a pipe is closed.

    Args:
      module: that runs it, ATTENDED but for tests. variables: its environment.
      reading_end: descriptor of the pipe. folder: that it works in; None: this process's.

    Raises:
      OSError: its output has no place to go, or there is no room for a process.
    """
    with open(open_log(command.log), "ab") as output:
        return subprocess.Popen(
            [*python(module), str(reading_end), *command.argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=variables,
            cwd=folder,
            pass_fds=(reading_end,),
        )
