"""How far a run of a sweep is, as its directories say, and what is to be done next."""

import dataclasses
import os
from typing import Optional

from rl import lock
from rl.config import MASKS, SPLITS
from rl.experiments.commands.eval import Config, asked_of
from rl.experiments.rundir import CONFIG
from rl.experiments.sweeps.runs import Stage, SweepRun
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
    # Of networks whose first checkpoint is saved before there is a config.
    SPLITS,
    f"{SPLITS}.tmp",
    MASKS,
    f"{MASKS}.tmp",
}
SHOWN = 5  # last lines of an output that are shown
TAIL = 4096  # bytes of it that are looked at
LONGEST_LINE = 300  # characters


@dataclasses.dataclass(frozen=True)
class Step:
    """What is to be done next for a run.

    Attributes:
      number: of the stage, from 0; after the last of them the run is evaluated. argv: of the
        command; empty: to wait, since another process works there.
    """

    number: int
    argv: tuple[str, ...]

    @property
    def is_first(self) -> bool:
        """Whether the run begins with it."""
        return self.number == 0 and self.argv[:1] != ("resume",)


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
            return Step(number, ("resume", str(stage.run), *trust_words(stage)))
        if status == "new":
            overwrite = ("--overwrite",) if has_remains(stage) else ()
            return Step(number, (*stage.argv, *overwrite))
    if is_evaluated(run):
        return None
    last = run.stages[-1]
    words = ("eval", str(last.run), f"--episodes={run.eval_episodes}", "--save")
    return Step(len(run.stages), (*words, *trust_words(last)))


def trust_words(stage: Stage) -> tuple[str, ...]:
    """What `resume` and `eval` need beside a stage's run directory."""
    return ("--trust",) if stage.trust else ()


def is_evaluated(run: SweepRun) -> bool:
    """Whether the last policy of a run has played its last episodes, if there are any to play.

    Raises:
      UserError: what it did can't be read.
    """
    if not run.eval_episodes:
        return True
    last = run.stages[-1].run
    found = last.evaluation
    asked = asked_of(Config(episodes=run.eval_episodes))
    return found.get("step") == last.step and found.get("asked") == asked


def has_remains(stage: Stage) -> bool:
    """Whether there is only what a process leaves behind that was killed before its run began."""
    run = stage.run
    if not run.path.is_dir():
        return False
    names = set(os.listdir(run.path)) - {lock.NAME}
    # The first checkpoint of training is at step 0; `meta-test` may try copies before it.
    is_first = run.step == 0 or stage.argv[0] == "meta-test"
    return bool(names) and names <= LEFT_BEHIND and is_first


def state_of(run: SweepRun) -> str:
    """How far a run is: "waiting", "running", "stopped", "failed" or "finished"."""
    statuses = [stage.run.status for stage in run.stages]
    if all(status == "finished" for status in statuses) and is_evaluated(run):
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
