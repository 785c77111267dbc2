"""The front door for a process that must not outlive who started it, however that one ends.

    python -m rl.attended DESCRIPTOR --algo ddpg ...

DESCRIPTOR is the reading end of a pipe whose writing end only the starter has. When the starter
ends, even by SIGKILL, the system closes that end; the run is then asked to stop as by SIGTERM, and
saves.
"""

import os
import signal
import sys
import threading

from rl.__main__ import process


def watch(descriptor: int) -> None:
    """Waits until the other end of the pipe is closed, and has this process stop."""
    os.read(descriptor, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    pipe = int(sys.argv.pop(1))
    threading.Thread(target=watch, args=(pipe,), daemon=True).start()
    sys.exit(process())
