"""One process at a time writes to a run directory."""

import contextlib
import errno
import fcntl
import os
from pathlib import Path
from typing import Iterator

from rl.config import UserError
from rl.files import open_plain

NAME = "lock"
DIGITS = 20  # most of a process id
UNSUPPORTED = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # by the file system
_held: set[int] = set()  # descriptors of the locks of this process


def _let_go() -> None:
    """A fork shares its parent's locks, and must not keep them when the parent dies."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds the lock of a run directory, which the system takes back when the process ends, however
    it does.

    Raises:
      UserError: another process holds it.
    """
    descriptor = open_plain(directory / NAME, os.O_RDWR | os.O_CREAT)
    try:
        _take(descriptor, directory)
    except BaseException:
        os.close(descriptor)
        raise
    _held.add(descriptor)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        if descriptor in _held:  # a fork has let go of it
            _held.remove(descriptor)
            os.ftruncate(descriptor, 0)
            os.close(descriptor)


def is_held(directory: Path) -> bool:
    """Whether a process, this one included, holds the lock of a run directory."""
    try:
        descriptor = open_plain(directory / NAME)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        if not os.pread(descriptor, 1, 0):  # who lets go of it empties it
            return False
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)
    return False


def _take(descriptor: int, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        written = os.pread(descriptor, DIGITS, 0).decode(errors="replace")
        number = f" (pid {written})" if written.isdigit() else ""
        raise UserError(f"another process{number} is using {directory}") from None
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        print(f"{directory} can't be locked here ({error.strerror}): run one process in it at most")
