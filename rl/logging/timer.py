"""Where the seconds of an epoch go."""

import time
from typing import Any


class Timer:
    """Adds up the seconds spent in named parts: `with timer("env"): ...`. Parts don't nest."""

    def __init__(self, *parts: str) -> None:
        self.seconds = dict.fromkeys(parts, 0.0)
        self._part = ""
        self._start = 0.0

    def __call__(self, part: str) -> "Timer":
        self._part = part
        return self

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *exc: Any) -> None:
        self.seconds[self._part] += time.perf_counter() - self._start

    def drain(self) -> dict[str, float]:
        """Columns `TimeEnv`, ...: seconds since the last call, which sets them back to 0."""
        row = {f"Time{part.capitalize()}": seconds for part, seconds in self.seconds.items()}
        self.seconds = dict.fromkeys(self.seconds, 0.0)
        return row
