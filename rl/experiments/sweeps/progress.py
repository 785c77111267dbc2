"""What an overview tells of a run: read from its directories, so that any process can."""

import dataclasses
import math

from rl import lock
from rl.config import UserError
from rl.experiments.rundir import RunDir
from rl.experiments.sweeps.runs import SweepRun
from rl.experiments.sweeps.stages import stage_at_work
from rl.logging.resources import MB

RETURNS = ("AverageTestEpRet", "AverageEpRet")  # the first that a run has is its return


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
      steps, total: env steps that its rows tell of, and of the whole run, of all stages together.
      last_return: of the newest row, nan where there is none yet.
      speed: env steps per second in the newest epoch, nan where there is none.
      memory: bytes that its process and its env workers had in memory at the newest row, nan where
        there is none.
      is_running: whether a process works on it.
    """

    steps: int
    total: int
    last_return: float
    speed: float
    memory: float
    is_running: bool

    @property
    def seconds_left(self) -> float:
        """At the speed of the newest epoch; nan where there is none."""
        return (self.total - self.steps) / self.speed if self.speed > 0 else math.nan


def read_progress(run: SweepRun) -> Progress:
    """How far a run is, as far as its directories can be read."""
    at_work = stage_at_work(run)
    steps = 0
    last_return = math.nan
    speed = math.nan
    memory = math.nan
    for stage in run.stages:
        rows = _rows(stage.run)
        if rows.get("TotalEnvInteracts") and math.isfinite(rows["TotalEnvInteracts"][-1]):
            steps += int(rows["TotalEnvInteracts"][-1])
        if stage is at_work:
            last_return = _last_return(rows)
            speed = _speed(rows)
            memory = (rows.get("MemoryMB") or [math.nan])[-1] * MB
    total = max(steps, sum(stage.steps for stage in run.stages))  # it may have been lengthened
    return Progress(steps, total, last_return, speed, memory, _is_running(at_work.run))


def _rows(run: RunDir) -> dict[str, list[float]]:
    """The columns of a run's newest rows; none where they can't be read."""
    try:
        return run.newest_rows(2)
    except (UserError, OSError):
        return {}


def _last_return(rows: dict[str, list[float]]) -> float:
    for name in RETURNS:
        if rows.get(name):
            return rows[name][-1]
    return math.nan


def _speed(rows: dict[str, list[float]]) -> float:
    """Env steps per second between the last two rows, or until the first."""
    steps = [0.0, *rows.get("TotalEnvInteracts", [])]  # of two rows, the 0 is never used
    seconds = [0.0, *rows.get("Time", [])]
    if len(steps) < 2 or len(seconds) != len(steps) or seconds[-1] <= seconds[-2]:
        return math.nan
    return (steps[-1] - steps[-2]) / (seconds[-1] - seconds[-2])


def _is_running(run: RunDir) -> bool:
    try:
        return lock.is_held(run.path)
    except (OSError, UserError):
        return False
