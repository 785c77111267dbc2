"""Signals that ask the program to end: Ctrl-C, SIGTERM, and SIGHUP where its terminal closed.

At most moments there is nothing to save, and one of them ends the program at once: see `leave`.
Where there is, `handled` has somebody else decide. Workers hear none of them: see `ignore`.
"""

import contextlib
import errno
import functools
import multiprocessing
import os
import signal
import stat
import sys
import threading
from types import FrameType
from typing import Any, Callable, Collection, Iterator, Optional

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOPPED = 130  # exit code of what a signal ended, whichever it was
SHOW_CURSOR = b"\x1b[?25h\n"

Handler = Callable[[int], None]


def leave(number: int = 0) -> None:
    """Ends this process and its workers at once, without a word.

    Files are replaced whole or not at all, so what is on disk stays sound.
    """
    del number
    try:
        for process in multiprocessing.active_children():
            process.kill()
        if sys.stdout.isatty():
            os.write(sys.stdout.fileno(), SHOW_CURSOR)  # a progress bar hides it
        sys.stdout.flush()
    finally:
        os._exit(STOPPED)


def handle(handler: Handler) -> dict[int, Any]:
    """From now on `handler(number)` is called, in the main thread. Returns what was before.

    Called in another thread it changes nothing: only the main one can. A SIGHUP that nohup has this
    process ignore stays ignored.
    """
    previous: dict[int, Any] = {}
    if threading.current_thread() is not threading.main_thread():
        return previous
    for number in SIGNALS:
        before = signal.getsignal(number)
        if number == signal.SIGHUP and before == signal.SIG_IGN:
            continue
        previous[number] = before
        signal.signal(number, functools.partial(_call, handler))
    return previous


@contextlib.contextmanager
def handled(handler: Handler) -> Iterator[None]:
    """`handle` for a while."""
    previous = handle(handler)
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


@contextlib.contextmanager
def blocked(numbers: Collection[int] = SIGNALS) -> Iterator[None]:
    """Processes that this thread starts meanwhile get none of them, until they `ignore` them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def unblocked() -> Iterator[None]:
    """Processes that this thread starts meanwhile get all of them, where it gets none."""
    before = signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore() -> None:
    """This process ignores them from now on.

    Programs that it starts ignore Ctrl-C too, but not SIGTERM and SIGHUP, by which they are ended:
    SIG_IGN would be handed down to them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _nothing)
    signal.signal(signal.SIGHUP, _nothing)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _call(handler: Handler, number: int, frame: Optional[FrameType]) -> None:
    del frame
    if number == signal.SIGHUP:
        drop_terminal()
    handler(number)


def drop_terminal() -> bool:
    """Output to a terminal that closes would raise errors, in place of the last row and the
    checkpoint: it goes nowhere instead. Returns whether there was a terminal."""
    found = False
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            # isatty() no longer knows a terminal that is gone.
            if stat.S_ISCHR(os.fstat(descriptor).st_mode):
                discard(descriptor)
                found = True
    return found


def is_hangup(error: OSError) -> bool:
    """Whether an error is that the terminal has closed, which may show before its SIGHUP does. If
    so, output goes nowhere from now on."""
    return error.errno == errno.EIO and drop_terminal()


def discard(descriptor: int) -> None:
    """Lets what is written to a descriptor from now on go nowhere."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def _nothing(*_: Any) -> None:
    pass
