"""Running a loop from wherever it was to its end, or until somebody stops it."""

import signal
import time
from typing import Any

from rl.flags.binding import check_unchanged
from rl.logging import Terminal


def run(loop: Any, name: str = "run") -> bool:
    """Trains to the end, from the newest checkpoint if there is one.

    SIGINT and SIGTERM end it after the step in hand, with a row and a checkpoint; a second one at
    once.

    Args:
      loop: a loop with its session. name: shown on the terminal.

    Returns:
      Whether it reached the end.
    """
    session = loop.session
    restore(loop)
    total = session.total_steps
    shown = ("AverageEpRet", "AverageTestEpRet", *session.algo.columns)
    session.terminal = Terminal(name, total, loop.step, shown, session.table)

    def on_signal(*_: Any) -> None:
        if session.stopping:
            raise KeyboardInterrupt
        session.stopping = True

    previous = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        loop.train(total)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        session.terminal.close()
        if session.board:
            session.board.close()
    return loop.step >= total


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
    loop.load_state(state["loop"])
    if loop.step <= session.schedule_from:
        session.schedule.begin(loop.updates)
    if state["envs"] is None:
        loop.env.rebuild(session.seed_for(2, session.logger.epoch))
    else:
        loop.env.load_state(state["envs"], loop.obs)
