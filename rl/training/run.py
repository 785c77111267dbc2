"""Running a loop from wherever it was to its end, or until somebody stops it."""

import time
from typing import Any, Optional

from rl import signals
from rl.flags.binding import check_unchanged
from rl.logging import Terminal
from rl.training.files import TORN, load_tree

SAME = 1.0  # seconds in which several signals are one request


class Request:
    """What signals do to a run: the first asks its session to stop, a later one ends the process.

    One request may bring several: timeout(1) and batch systems signal a process and then its group,
    a terminal that closes and its shell both do. What comes within SAME seconds counts as the
    first.
    """

    def __init__(self, session: Any) -> None:
        self.session = session
        self.made: Optional[float] = None

    def __call__(self, number: int) -> None:
        now = time.monotonic()
        if self.made is None:
            self.made = now
            self.session.stopping = True
        elif now - self.made > SAME:
            signals.leave(number)


def run(loop: Any, name: str = "run", from_checkpoint: bool = True) -> bool:
    """Trains to the end, from the newest checkpoint if there is one.

    SIGINT, SIGTERM and SIGHUP end it after the step in hand, of training or of a test, with a row
    and a checkpoint; a second one ends the process at once.

    Args:
      loop: a loop with its session. name: shown on the terminal.
      from_checkpoint: whether to restore the newest checkpoint first; False where that was done.

    Returns:
      Whether it reached the end.
    """
    with signals.handled(Request(loop.session)):
        return _run(loop, name, from_checkpoint)


def _run(loop: Any, name: str, from_checkpoint: bool) -> bool:
    session = loop.session
    total = session.total_steps
    if from_checkpoint:
        restore(loop)
    shown = ("AverageEpRet", "AverageTestEpRet", *session.algo.columns)
    session.terminal = Terminal(name, total, loop.step, shown, session.table)
    try:
        if session.test_due:
            session.end_epoch(loop)
        if not session.stopped:
            loop.train(total)
    finally:
        session.terminal.close()
        if session.board:
            session.board.close()
    return loop.step >= total and not session.test_due


def ended(session: Any) -> bool:
    """Whether the newest checkpoint is from the run's end, and no test is due there."""
    done = max(session.checkpoints.steps(), default=0)
    if done < session.total_steps:
        return False
    try:
        state = load_tree(session.checkpoints.path(done))
    except TORN:  # the one before it counts
        return False
    return not state.get("test_due", False)


def restore(loop: Any) -> None:
    """Puts `loop` and its session back to the newest sound checkpoint, or clears the log of a run
    that has none."""
    session = loop.session
    state = session.checkpoints.load(loop.replay)
    if state is None:
        session.logger.path.unlink(missing_ok=True)
        return
    place = f"config.json of {session.directory}"
    check_unchanged(session.flags, state["flags"], session.changed, place)
    session.algo.load_state(state["algo"])
    session.logger.load_state(state["logger"])
    session.normaliser.load_state(state["normaliser"])
    session.schedule.load_state(state["schedule"])
    session.best, session.began = state["best"], time.perf_counter() - state["time"]
    session.test_due = state.get("test_due", False)
    loop.load_state(state["loop"])
    if loop.step <= session.schedule_from:
        session.schedule.begin(loop.updates)
    if state["envs"] is None:
        loop.env.rebuild(session.seed_for(2, session.logger.epoch))
    else:
        loop.env.load_state(state["envs"], loop.obs)
