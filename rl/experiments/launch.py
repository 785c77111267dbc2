"""Commands of the front door in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Sequence

from rl import signals

POLL = 0.05  # seconds between two looks at the processes


def launch(argvs: Sequence[Sequence[str]], jobs: int = 1) -> list[int]:
    """Runs command lines, such as `["--algo", "sac", "--seed", "1"]`, at most `jobs` side by side.

    Signals are passed on, and runs then saved. A process may have had them already, as all of a
    group do: that is one request to it. After a signal, or a command that failed, no other begins.

    Returns:
      Their exit codes, in the order of `argvs`; signals.STOPPED for those that never began.
    """
    codes = [signals.STOPPED] * len(argvs)
    waiting = list(range(len(argvs)))
    running: dict[int, subprocess.Popen[bytes]] = {}
    asked: list[int] = []
    passed_on = 0
    failed = False
    with signals.handled(asked.append):
        try:
            while True:
                while waiting and len(running) < jobs and not (asked or failed):
                    number = waiting.pop(0)
                    running[number] = _start(argvs[number])
                for request in asked[passed_on:]:
                    for process in running.values():
                        process.send_signal(request)
                    passed_on += 1
                for number in [n for n, process in running.items() if process.poll() is not None]:
                    codes[number] = exit_code(running.pop(number).returncode)
                    failed = failed or codes[number] != 0
                if not running and (asked or failed or not waiting):
                    return codes
                time.sleep(POLL)
        finally:
            for process in running.values():  # none, but for an error here
                process.send_signal(signal.SIGTERM)
                process.wait()


def _start(argv: Sequence[str]) -> "subprocess.Popen[bytes]":
    """Starts a command."""
    return subprocess.Popen([*python("rl"), *argv], env=environment())


def python(module: str) -> list[str]:
    """What runs a module as `python -m` does, but without the current folder in front, whose files
    may have the names of modules."""
    prelude = 'import runpy, sys; sys.path = [path for path in sys.path if path != ""]'
    run = f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    return [sys.executable, "-c", f"{prelude}; {run}"]


def environment() -> dict[str, str]:
    """The environment of a process that has this very package, wherever the current folder is."""
    root = str(Path(__file__).parents[2])
    paths = [root]
    if os.environ.get("PYTHONPATH"):
        paths.append(os.environ["PYTHONPATH"])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def exit_code(code: int) -> int:
    """The exit code of a process, from what Popen has; of one that a signal ended before it could
    say so, what it would have said."""
    if code >= 0:
        return code
    return signals.STOPPED if -code in signals.SIGNALS else 128 - code
