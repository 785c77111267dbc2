"""TensorFlow takes seconds to import, so only what needs it waits for it, and last."""

import contextlib
import importlib
import os
from typing import Any, Iterator


def load(module: str) -> Any:
    """Imports a module that needs TensorFlow, without TensorFlow's banner."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silent_stderr():
        importlib.import_module("tensorflow")
    return importlib.import_module(module)


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Hides what C++ libraries write while loading: the banner has no switch of its own."""
    saved = os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
