"""The front door: `python main.py [train | plot | eval | resume | meta-test] ...`, also `python -m
rl ...`."""

import contextlib
import errno
import importlib
import os
import sys
from typing import Iterator, Optional, Sequence

from rl import signals
from rl.config import UserError

# command -> module, function, whether it needs TensorFlow; imported when called, so that plot
# starts fast
COMMANDS = {
    "train": ("rl.experiments.run", "train", True),
    "resume": ("rl.experiments.run", "resume", True),
    "eval": ("rl.experiments.eval", "main", True),
    "meta-test": ("rl.experiments.meta_test", "main", True),
    "plot": ("rl.experiments.plot", "main", False),
}
DISK = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EIO,
)


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Hides what C++ libraries write while loading: TensorFlow's banner has no switch of its
    own."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs one command. Returns the exit code: 0, 2 for bad input or a full disk, 130 for a run
    that a signal stopped."""
    os.environ.setdefault(
        "OPENBLAS_NUM_THREADS", "1"
    )  # acting is too small to share, and its spinning slows updates
    argv = list(sys.argv[1:] if argv is None else argv)
    command = argv.pop(0) if argv and argv[0] in COMMANDS else "train"
    module, function, tensorflow = COMMANDS[command]
    try:
        if argv and command == "train" and not argv[0].startswith("-"):
            raise UserError(f"unknown command {argv[0]!r}; known are {', '.join(COMMANDS)}")
        if tensorflow:
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
            with _silent_stderr():
                importlib.import_module("tensorflow")
        return getattr(importlib.import_module(module), function)(argv)
    except UserError as error:
        print(f"main.py: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in DISK:
            raise
        place = error.filename or "the run's files"
        print(
            f"main.py: error: cannot write {place}: {error.strerror}; what was saved is sound",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        return signals.STOPPED


def process() -> int:
    """The whole process: `main`, and an end without a traceback whenever a signal asks for it."""
    signals.handle(signals.leave)
    return main()


if __name__ == "__main__":
    sys.exit(process())
