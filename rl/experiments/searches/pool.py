"""Runs of a search's trials side by side: which begins next, and what their ends mean for a
trial."""

import dataclasses
import math
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from rl import signals
from rl.config import UserError
from rl.experiments.searches.definition import Search
from rl.experiments.searches.fitness import Fitness, curve_of, fitness_of
from rl.experiments.sweeps.definition import Sweep
from rl.experiments.sweeps.launcher import Launcher
from rl.experiments.sweeps.plan import make_plan
from rl.experiments.sweeps.pool import FAILED, Job, Pool, Show
from rl.experiments.sweeps.runs import SweepRun
from rl.experiments.sweeps.stages import stage_at_work

if TYPE_CHECKING:
    from rl.experiments.searches.study import Searcher

MOST_FAILURES = 3  # trials that fail one after another, before the search gives up
ACTIVE = ("waiting", "running")


@dataclasses.dataclass
class OpenTrial:
    """A trial that isn't ended.

    Attributes:
      left: its runs that haven't begun. jobs: those that have.
      fitnesses: of finished runs, by the seed.
      epoch_steps: env steps of an epoch of its runs.
      rows: how many rows of its first run "curves" pruning has seen.
      failure: why a run failed; "": none did.
      given_up: whether the pruner says that it is worse.
    """

    number: int
    left: list[SweepRun]
    jobs: list[Job] = dataclasses.field(default_factory=list)
    fitnesses: dict[int, Fitness] = dataclasses.field(default_factory=dict)
    epoch_steps: int = 1
    rows: int = 0
    failure: str = ""
    given_up: bool = False
    is_stopping: bool = False

    @property
    def active(self) -> int:
        """How many of its runs wait for a process, or have one."""
        return sum(job.state in ACTIVE for job in self.jobs)


class SearchPool(Pool):
    """Goes on with the trials of a search, and asks for new ones while there is room.

    A free place takes the next run of the oldest trial that has one left, so that a trial's runs
    are done one after another where there is one place.

    Args:
      told: called with the number of each trial that has begun or ended.
    """

    def __init__(
        self,
        search: Search,
        searcher: "Searcher",
        data_dir: Path,
        launcher: Launcher,
        jobs: int,
        show: Show,
        told: Callable[[int], None],
    ) -> None:
        super().__init__([], launcher, jobs, False, show)
        self.search = search
        self.searcher = searcher
        self.data_dir = data_dir
        self.told = told
        self.trials: list[OpenTrial] = []
        self.failures = 0  # trials that failed since the last that didn't

    def refill(self) -> None:
        """Ends the trials that are at their end, and begins runs and trials."""
        if not self.trials and not self.jobs:
            for number in self.searcher.take_up():
                self._open(number)
        self.show(self.jobs)  # how the runs of a trial ended, before how the trial did
        self.jobs = [job for trial in self.trials for job in trial.jobs]
        self.searcher.beat()
        self._settle()
        while not self.asked and self._active() < self.most and self._begin_one():
            self._settle()

    def exit_code(self) -> int:
        """That of the search: 0 if it is at its end and has a best trial."""
        if self.asked or self.trials:
            return signals.STOPPED
        if self.has_given_up or self.searcher.best() is None:
            return FAILED
        return 0

    @property
    def has_given_up(self) -> bool:
        """Whether too many trials failed one after another."""
        return self.failures >= MOST_FAILURES

    def _active(self) -> int:
        return sum(trial.active for trial in self.trials)

    def _begin_one(self) -> bool:
        """Begins a run. Returns False where there is none to begin."""
        for trial in self.trials:
            if trial.left and not trial.is_stopping:
                job = Job(trial.left.pop(0))
                self._begin(job, retry=False)
                trial.jobs.append(job)
                self.jobs.append(job)
                return True
        number = None if self.has_given_up else self.searcher.ask()
        if number is None:
            return False
        self._open(number)
        return True

    def _open(self, number: int) -> None:
        """Plans the runs of a trial."""
        name = trial_name(number)
        flags = self.search.flags(self.searcher.params(number))
        sweep = Sweep(self.search.name, {name: flags}, self.search.seeds)
        trial = OpenTrial(number, [])
        try:
            trial.left = make_plan(sweep, self.data_dir)
            trial.epoch_steps = trial.left[0].stages[-1].epoch_steps
        except UserError as error:
            trial.failure = str(error)
        self.trials.append(trial)
        self.told(number)

    def _settle(self) -> None:
        """Takes note of runs that have ended, gives trials up, and ends those that are done."""
        for trial in list(self.trials):
            for job in trial.jobs:
                self._look_at(trial, job)
            if self.search.pruning == "curves" and trial.jobs and not trial.failure:
                self._look_at_curve(trial)
            if trial.failure or trial.given_up:
                self._stop(trial)
            is_whole = len(trial.fitnesses) == len(self.search.seeds)
            if not trial.active and (trial.is_stopping or is_whole):
                self.trials.remove(trial)
                self._end(trial)

    def _look_at(self, trial: OpenTrial, job: Job) -> None:
        """What the state of a run means for its trial."""
        seed = job.run.seed
        if job.state == "failed":
            trial.failure = trial.failure or f"seed {seed}: {job.note}"
        if job.state != "finished" or seed in trial.fitnesses:
            return
        fitness = fitness_of(job.run.stages[-1].run, self.search)
        if fitness is None:
            trial.failure = trial.failure or f"seed {seed}: no finite {self.search.fitness}"
            return
        trial.fitnesses[seed] = fitness
        if self.search.pruning == "seeds":
            first = list(self.search.seeds).index(seed) * len(fitness.by_task)
            values = {}
            for task, value in enumerate(fitness.by_task):
                if math.isfinite(value):
                    values[first + task] = value
            trial.given_up = self.searcher.report(trial.number, values) or trial.given_up

    def _look_at_curve(self, trial: OpenTrial) -> None:
        """Reports new rows of a trial's first run."""
        run = stage_at_work(trial.jobs[0].run).run
        curve = curve_of(run, self.search, trial.epoch_steps)
        if len(curve) > trial.rows:
            trial.rows = len(curve)
            trial.given_up = self.searcher.report(trial.number, curve) or trial.given_up

    def _stop(self, trial: OpenTrial) -> None:
        """Has the runs of a trial stop that go on, and begins no other."""
        for job in trial.jobs:
            if job.process is None and job.state == "waiting":
                job.become("stopped")
            elif job.process is not None and not trial.is_stopping:
                job.process.signal(signal.SIGTERM)
        trial.is_stopping = True

    def _end(self, trial: OpenTrial) -> None:
        """Tells the study what became of a trial."""
        totals = [fitness.total for fitness in trial.fitnesses.values()]
        is_whole = len(totals) == len(self.search.seeds)
        if trial.failure:
            self.searcher.fail(trial.number, trial.failure)
            self.failures += 1
        elif trial.given_up and self.search.pruning == "curves":
            self.searcher.give_up(trial.number)
            self.failures = 0
        else:
            mean = sum(totals) / len(totals)
            self.searcher.complete(trial.number, mean, len(totals), pruned=not is_whole)
            self.failures = 0
        self.told(trial.number)


def trial_name(number: int) -> str:
    """Of a trial's folder and its runs, such as "trial_3"."""
    return f"trial_{number}"
