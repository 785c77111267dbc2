"""How far a run of a sweep is, as its directories say, and what is to be done next."""

import dataclasses
import os
from typing import Optional

from rl import lock
from rl.experiments.rundir import CONFIG, RunDir
from rl.experiments.sweeps.plan import Stage, SweepRun
from rl.files import read_bytes

# What a process that was killed may leave behind before there is a config.
LEFT_BEHIND = {
    lock.NAME,
    "checkpoints",
    "code.diff",
    "code.diff.tmp",
    "config.json.tmp",
    "progress.txt",
    "saved.txt",
    "saved.txt.tmp",
    "tb",
}
SHOWN = 5  # last lines of an output that are shown
TAIL = 4096  # bytes of it that are looked at
LONGEST_LINE = 300  # characters


@dataclasses.dataclass(frozen=True)
class Step:
    """What is to be done next for a run.

    Attributes:
      number: of the stage, from 0. argv: of the command; empty: to wait, since another process
        works there.
    """

    number: int
    argv: tuple[str, ...]


def next_step(run: SweepRun) -> Optional[Step]:
    """What is to be done next for a run; None: it is finished.

    Raises:
      UserError: a stage's directory can't be read.
    """
    for number, stage in enumerate(run.stages):
        status = stage.run.status
        if status == "running":
            return Step(number, ())
        if status == "unfinished":
            trust = ("--trust",) if stage.trust else ()
            return Step(number, ("resume", str(stage.run), *trust))
        if status == "new":
            overwrite = ("--overwrite",) if has_remains(stage.run) else ()
            return Step(number, (*stage.argv, *overwrite))
    return None


def has_remains(run: RunDir) -> bool:
    """Whether there is only what a process leaves behind that was killed before its run began."""
    if not run.path.is_dir():
        return False
    names = set(os.listdir(run.path)) - {lock.NAME}
    return bool(names) and names <= LEFT_BEHIND and run.step == 0


def state_of(run: SweepRun) -> str:
    """How far a run is: "waiting", "running", "stopped", "failed" or "finished"."""
    statuses = [stage.run.status for stage in run.stages]
    if all(status == "finished" for status in statuses):
        return "finished"
    if "running" in statuses:
        return "running"
    if os.path.lexists(run.failure):
        return "failed"
    return "waiting" if set(statuses) == {"new"} else "stopped"


def stage_at_work(run: SweepRun) -> Stage:
    """The stage that a run is in: the last that has begun, or the first."""
    begun = [stage for stage in run.stages if os.path.lexists(stage.run.path / CONFIG)]
    return begun[-1] if begun else run.stages[0]


def last_lines(run: SweepRun) -> list[str]:
    """The last lines of a run's output, printable."""
    try:
        text = read_bytes(run.log)[-TAIL:].decode(errors="replace")
    except OSError:
        return []
    lines = [line for line in text.splitlines() if line.strip()][-SHOWN:]
    return ["".join(filter(str.isprintable, line))[:LONGEST_LINE] for line in lines]
