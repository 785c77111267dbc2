"""Ending envs that may hang while they end."""

import sys
import threading
from typing import Any, Callable

SECONDS = 10.0  # for envs to close; after that they are abandoned


def close_in_time(close: Callable[[], Any]) -> None:
    """Calls `close()`; after SECONDS goes on without it, and says so, as where it raises.

    It then hangs in a daemon thread, which ends with the process.
    """

    def close_or_tell() -> None:
        try:
            close()
        except Exception as error:  # pylint: disable=broad-exception-caught
            print(f"an env did not close: {error}", file=sys.stderr)

    thread = threading.Thread(target=close_or_tell, daemon=True)
    thread.start()
    thread.join(SECONDS)
    if thread.is_alive():
        print(f"an env did not close in {SECONDS:g} s and is abandoned", file=sys.stderr)
