"""Running a loop from wherever it was to its end, or until somebody stops it."""

import time
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional

from rl import signals
from rl.config import UserError
from rl.files import Damaged, check_tree
from rl.flags.binding import check_unchanged, ends_alike
from rl.logging import Terminal
from rl.training.loop import Loop
from rl.training.session import Session, Stream

SAME = 1.0  # seconds in which several signals are one request


class Request:
    """What signals do to a run: the first asks its session to stop, a later one ends the process.

    One request may bring several: timeout(1) and batch systems signal a process and then its group,
    a terminal that closes and its shell both do. What comes within SAME seconds counts as the
    first.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.made: Optional[float] = None

    def __call__(self, number: int) -> None:
        now = time.monotonic()
        if self.made is None:
            self.made = now
            self.session.stopping = True
        elif now - self.made > SAME:
            signals.leave(number)


def run(loop: Loop, name: str = "run", restored: bool = False) -> bool:
    """Trains to the end, from the newest checkpoint if there is one.

    SIGINT, SIGTERM and SIGHUP end it after the step in hand, of training or of a test, with a row
    and a checkpoint; a second one ends the process at once.

    Args:
      loop: a loop with its session. name: shown on the terminal.
      restored: whether `restore` was called already.

    Returns:
      Whether it reached the end, the last epoch's or an early one.
    """
    with signals.handled(Request(loop.session)):
        return _run(loop, name, restored)


def _run(loop: Loop, name: str, restored: bool) -> bool:
    session = loop.session
    total = session.total_steps
    if not restored:
        restore(loop)
    shown = ("AverageEpRet", "AverageTestEpRet", *session.algo.columns)
    session.terminal = Terminal(name, total, loop.step, shown, session.table)
    try:
        if session.test_due:
            session.end_epoch(loop)
        if not (session.stopped or session.at_end(loop.step)):
            loop.train(total)
    finally:
        session.terminal.close()
        for sink in session.sinks:
            sink.close()
    return session.at_end(loop.step)


# Places in a run's state where lengths change: what episodes, rollouts and epochs have so far, what
# replay and splits hold. Statistics of all tasks are numbers until tasks are told apart.
VARYING = (
    "state/algo/host",
    "state/flags",
    "state/envs",
    "state/logger/hidden",
    "state/logger/past",
    "state/logger/values",
    "state/loop/feed/errors",
    "state/loop/feed/replay",
    "state/loop/rollout",
    "state/normaliser/earned/count",
    "state/normaliser/largest/rewards",
)


def saved_state(loop: Loop) -> Optional[dict[str, Any]]:
    """The newest sound state on disk, None if there is none; fills the replay of `loop`.

    A state of which any part is not of the shape or type that `loop` has is not sound, so that
    nothing is ever put back by halves.

    Raises:
      UserError: none is sound, or the run's flags contradict it.
    """
    session = loop.session
    expected = session.state(loop)

    def check(state: dict[str, Any]) -> None:
        check_flags(state, session.flags, session.changed, session.directory)
        check_tree(state, expected, VARYING)

    return session.checkpoints.load(loop.replay, check)


def check_flags(
    state: dict[str, Any], flags: Mapping[str, Any], changed: Iterable[str], directory: Path
) -> None:
    """Compares flags with those that a state was saved with.

    Args:
      flags: of the run in `directory`. changed: names of those that it was given anew since.

    Raises:
      UserError: they contradict each other. Damaged: the state has none.
    """
    saved = state.get("flags")
    if not isinstance(saved, dict):
        raise Damaged("its flags are missing")
    check_unchanged(flags, saved, changed, f"config.json of {directory}")


def restore(loop: Loop) -> None:
    """Puts `loop` and its session back to the newest sound checkpoint, or clears the log of a run
    that never had one. Raises a UserError if it had."""
    session = loop.session
    state = saved_state(loop)
    if state is None:
        session.logger.table.clear()
        return
    session.logger.load_state(state["logger"])
    try:
        _put_back(loop, state)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        place = session.checkpoints.path(state["loop"]["step"])
        raise UserError(f"{place} can't be put back: {type(error).__name__}: {error}") from error


def _put_back(loop: Loop, state: dict[str, Any]) -> None:
    session = loop.session
    session.algo.load_state(state["algo"])
    session.normaliser.load_state(state["normaliser"])
    session.schedule.load_state(state["schedule"])
    session.early_stop.load_state(state["early_stop"])
    if session.early_stop.reason and not ends_alike(session.flags, state["flags"]):
        session.early_stop.begin()  # it goes on
    session.best = state["best"]
    session.began = time.perf_counter() - state["time"]
    session.test_due = state["test_due"]
    loop.load_state(state["loop"])
    if loop.step <= session.schedule_from:
        session.schedule.begin(loop.updates)
    if state["envs"] is None:
        loop.env.rebuild(session.seed_for(Stream.REBUILT_ENVS, session.logger.epoch))
    else:
        loop.env.load_state(state["envs"], loop.obs)
