"""A run in a process of its own."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Sequence

from rl import signals

POLL = 0.2  # seconds between two looks at what a run's process is to be told


def run_apart(argv: Sequence[str], seed: int) -> tuple[int, bool]:
    """The command `argv` with one seed. (The last `--seed` given counts.)

    Signals are passed on, and the run then saved. It may have had them already, as a whole process
    group does: that is one request to it.

    Returns:
      Its exit code, and whether it was asked to stop.
    """
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-m", "rl", *argv, "--seed", str(seed)]
    asked: list[int] = []
    passed_on = 0
    with signals.handled(asked.append), subprocess.Popen(command, env=environment) as process:
        while process.returncode is None:
            for number in asked[passed_on:]:
                process.send_signal(number)
                passed_on += 1
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL)
    code = process.returncode
    if code < 0:  # a signal ended it before it could say so
        code = signals.STOPPED if -code in signals.SIGNALS else 128 - code
    return code, bool(asked)
