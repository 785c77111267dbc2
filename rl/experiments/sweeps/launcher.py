"""Who starts the processes of a sweep: today this machine. Another launcher, such as one for a
cluster, has the same few methods, and nothing else of a sweep changes."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Optional, Protocol

from rl.experiments.launch import environment, exit_code
from rl.files import open_plain

ATTENDED = "rl.attended"
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
        """Its exit code; None while it goes on."""

    def signal(self, number: int) -> None:
        """Sends it a signal, if it is still there."""


class Launcher(Protocol):
    """What starts commands, at once and side by side."""

    def start(self, command: Command) -> Process:
        """Starts a command. Raises an OSError where that can't be done."""


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
        variables = environment()
        for name in THREADS:
            variables.setdefault(name, str(self.threads))
        argv = [sys.executable, "-m", ATTENDED, str(self._reading_end), *command.argv]
        command.log.parent.mkdir(parents=True, exist_ok=True)
        descriptor = open_plain(command.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        with open(descriptor, "ab") as output:
            process = subprocess.Popen(  # pylint: disable=consider-using-with
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=variables,
                pass_fds=(self._reading_end,),
            )
        return LocalProcess(process)

    def close(self) -> None:
        """Lets go of the processes: those that still go on stop."""
        os.close(self._reading_end)
        os.close(self._writing_end)
