"""The front door: `python main.py [train | plot | eval | ...] ...`, also `python -m rl ...`."""

import errno
import importlib
import os
import sys
from typing import NamedTuple, Optional, Sequence

from rl import signals
from rl.config import DEBUG, LONGEST, UserError, closest, program


class Command(NamedTuple):
    """Where a command is, imported when it is called, and what it does."""

    module: str
    purpose: str


COMMANDS = {
    "train": Command("rl.experiments.commands.train", "train an algorithm on an env (the default)"),
    "resume": Command("rl.experiments.commands.resume", "go on with a run, or make it longer"),
    "eval": Command("rl.experiments.commands.eval", "test a run's policy, film it, export it"),
    "plot": Command("rl.experiments.commands.plot", "draw the learning curves of runs"),
    "sweep": Command("rl.experiments.commands.sweep", "train methods with seeds, side by side"),
    "search": Command("rl.experiments.commands.search", "search for good flags, by trying"),
    "compare": Command(
        "rl.experiments.commands.compare", "say which method is better, and how sure"
    ),
    "report": Command("rl.experiments.commands.report", "write one HTML page about runs"),
    "meta-test": Command(
        "rl.experiments.commands.meta_test", "adapt what a network learned to other tasks"
    ),
    "branch": Command(
        "rl.experiments.commands.branch", "find the layers that a run's tasks should share"
    ),
}
# Errors of the operating system that a user can mend.
DISK = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EIO,
)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Runs one command. Returns the exit code: 0, 2 for bad input or a full disk, 130 for a run
    that a signal stopped."""
    # Acting is too small to share, and the spinning of more threads slows updates.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    argv = list(sys.argv[1:] if argv is None else argv)
    debug = DEBUG in argv
    try:
        return _run(argv)
    except UserError as error:
        code = _refuse(str(error))
        if debug:
            print(getattr(error, "details", ""), end="", file=sys.stderr)
        return code
    except BrokenPipeError:  # who read the output is gone, such as `head`
        signals.discard(sys.stdout.fileno())  # or flushing it at exit would raise once more
        return signals.STOPPED
    except OSError as error:
        if signals.is_hangup(error):
            return signals.STOPPED
        if error.errno not in DISK:
            raise
        place = error.filename or "the run's files"
        return _refuse(f"cannot write {place}: {error.strerror}; what was saved is sound")
    except KeyboardInterrupt:
        return signals.STOPPED


def _run(argv: list[str]) -> int:
    """Runs one command, and writes out all that it printed."""
    try:
        if not argv or argv[0] in ("-h", "--help", "help"):
            print(overview(), end="")
            return 0
        return importlib.import_module(_chosen(argv).module).main(argv)
    finally:
        sys.stdout.flush()  # at exit it would be too late to say nothing of a reader that is gone


def process() -> int:
    """The whole process: `main`, and an end without a traceback whenever a signal asks for it."""
    signals.handle(signals.leave)
    # pylint: disable=consider-using-with
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # None where it is closed
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")
    return main()


def overview() -> str:
    """What commands there are, and how to begin."""
    lines = [
        f"usage: {program()} [command] ...",
        "",
        *(f"  {name:<10} {command.purpose}" for name, command in COMMANDS.items()),
        "",
        "such as:",
        f"  {program()} --algo ddpg --env Pendulum -s 0",
        f"  {program()} plot data/ddpg_Pendulum",
        f"  {program()} --algo sac --help",
        f"  {program()} eval --help",
    ]
    return "\n".join(lines) + "\n"


def _chosen(argv: list[str]) -> Command:
    """The command that `argv` begins with, taken from it; "train" where it begins with a flag."""
    if argv[0] in COMMANDS:
        return COMMANDS[argv.pop(0)]
    if argv[0].startswith("-"):
        return COMMANDS["train"]
    known = closest(argv[0], COMMANDS, 1)
    raise UserError(f"unknown command {argv[0]!r}, {known}? There are {', '.join(COMMANDS)}")


def _refuse(message: str) -> int:
    """Prints one line, whatever the message holds."""
    line = " ".join(message.splitlines())
    shown = line.encode(errors="backslashreplace").decode()
    if len(shown) > LONGEST:
        shown = shown[:LONGEST] + "..."
    print(f"{program().split()[-1]}: error: {shown}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(process())
