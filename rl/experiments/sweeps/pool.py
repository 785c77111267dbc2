"""Runs of a sweep side by side: which goes on next, what its end means, and signals to all."""

import dataclasses
import errno
import os
import shutil
import signal
import time
from typing import Callable, Optional, Sequence

from rl import signals
from rl.config import UserError
from rl.experiments.sweeps.launcher import LOST, Command, Launcher, Process
from rl.experiments.sweeps.runs import SweepRun
from rl.experiments.sweeps.stages import Step, next_step
from rl.files import remove, write_atomically

POLL = 0.1  # seconds between two looks at the processes
BUSY = 2.0  # seconds between two looks at a run that another process works on
FULL = 2**20  # bytes; with less left, a disk counts as full
FAILED = 1  # exit code of a sweep of which a run failed
MOST_LOST = 3  # machines that a run may be lost with before it gets on; it may be what ends them


@dataclasses.dataclass
class Job:
    """A run, and how it stands with it.

    Attributes:
      state: "waiting", "running", "stopped", "failed" or "finished".
      note: what there is to say of the state, such as the reason of a failure.
      stage: number of the stage that its process was started for, from 0.
      look_again: when a run that another process works on, or may, is looked at next.
      lost: how many machines one after another it was gone with, without getting on.
      lost_at: the env step that it had saved when it was last gone with one.
    """

    run: SweepRun
    state: str = "waiting"
    note: str = ""
    process: Optional[Process] = None
    stage: int = -1
    look_again: float = 0.0
    lost: int = 0
    lost_at: int = -1

    def become(self, state: str, note: str = "") -> None:
        """Takes note of a change."""
        self.state = state
        self.note = note


Show = Callable[[Sequence[Job]], None]


class Pool:
    """Goes on with runs, at most `jobs` side by side, until each is finished or has failed.

    One that fails doesn't stop the others. What was finished before isn't begun again. One that
    failed before is left alone, unless `retry`.

    Args:
      show: called every now and then, to tell of all jobs.
    """

    def __init__(
        self, runs: Sequence[SweepRun], launcher: Launcher, jobs: int, retry: bool, show: Show
    ) -> None:
        self.launcher = launcher
        self.most = jobs
        self.show = show
        self.jobs = [Job(run) for run in runs]
        self.asked: list[int] = []  # signals so far
        self._passed_on = 0
        for job in self.jobs:
            self._begin(job, retry)

    def _begin(self, job: Job, retry: bool) -> None:
        """The state of a run before anything is started: finished, failed before, or waiting."""
        try:
            if next_step(job.run) is None:
                job.state = "finished"
            elif os.path.lexists(job.run.failure) and not retry:
                job.become("failed", "before; --retry tries again")
        except (UserError, OSError) as error:
            self._fail(job, str(error))

    def work(self) -> int:
        """Does it all.

        SIGINT, SIGTERM and SIGHUP are passed on to the processes, which save; none begins after
        one.

        Returns:
          0: all are finished. FAILED: some failed. signals.STOPPED: a signal ended some.
        """
        with signals.handled(self.asked.append):
            try:
                self.refill()
                while self._goes_on():
                    self._pass_on()
                    self._collect()
                    self.refill()
                    self._start()
                    self.show(self.jobs)
                    time.sleep(POLL)
            finally:
                self._end_all()  # none are left, but for an error here
        self.show(self.jobs)
        return self.exit_code()

    def refill(self) -> None:
        """Adds to `jobs`, called every now and then; a sweep has all its runs from the beginning,
        a search chooses them as it goes on."""

    def exit_code(self) -> int:
        """That of the sweep."""
        states = {job.state for job in self.jobs}
        if states == {"finished"}:
            return 0
        if "failed" in states and not self.asked:
            return FAILED
        return signals.STOPPED

    def _goes_on(self) -> bool:
        if any(job.state == "running" for job in self.jobs):
            return True
        return not self.asked and any(job.state == "waiting" for job in self.jobs)

    def _pass_on(self) -> None:
        """Sends the processes the signals that have come since the last time."""
        asked = self.asked[self._passed_on :]
        self._passed_on += len(asked)
        for job in self.jobs:
            if job.process is not None:
                for number in asked:
                    job.process.signal(number)

    def _start(self) -> None:
        """Starts processes for runs that wait, as many as may be; runs that are under way come
        first."""
        waiting = [job for job in self.jobs if job.state == "waiting"]
        waiting.sort(key=lambda job: job.stage < 0)
        for job in waiting:
            running = [other for other in self.jobs if other.process is not None]
            if self.asked or len(running) >= self.most:
                return
            if time.monotonic() >= job.look_again:
                self._go_on(job)

    def _go_on(self, job: Job) -> None:
        """Starts the process of what is next for a run, if there is something that may be
        started."""
        try:
            step = next_step(job.run)
            if step is None:
                job.become("finished")
            elif not step.argv:
                job.note = "another process works on it"
                job.look_again = time.monotonic() + BUSY
            elif not (step.is_first and self._waits_for_sources(job)):
                job.process = self.launcher.start(Command(step.argv, job.run.log))
                job.stage = step.number
                remove(job.run.failure)
                job.become("running", _describe(step, len(job.run.stages)))
        except UserError as error:
            self._fail(job, str(error))
        except OSError as error:
            self._fail(job, _not_started(error))

    def _waits_for_sources(self, job: Job) -> bool:
        """Whether a run that a run begins with isn't finished. It fails or stops as that one does,
        without a mark: the next sweep may find that one finished."""
        for source in self.jobs:
            if source.run.name in job.run.sources and source.state != "finished":
                if source.state in ("failed", "stopped"):
                    job.become(source.state, f"it needs {source.run.name}")
                else:
                    job.note = f"for {source.run.name}"
                return True
        return False

    def _collect(self) -> None:
        """Takes note of the processes that have ended."""
        for job in self.jobs:
            if job.process is None:
                continue
            try:
                code = job.process.poll()
            except OSError as error:
                job.process = None
                self._fail(job, _not_started(error))
                continue
            if code is not None:
                job.process = None
                self._ended(job, code)

    def _ended(self, job: Job, code: int) -> None:
        """What the end of a run's process means for the run."""
        try:
            step = next_step(job.run)
        except (UserError, OSError) as error:
            self._fail(job, str(error))
            return
        if step is None:
            job.become("finished")
        elif code == signals.STOPPED:
            job.become("stopped")
        elif not step.argv:  # who came first works on it: this process was refused
            job.become("waiting", "another process works on it")
            job.look_again = time.monotonic() + BUSY
        elif code == 0 and step.number > job.stage:
            job.become("waiting")
        elif code == LOST:
            self._lost(job)
        else:
            self._fail(job, _reason(job.run, code))

    def _lost(self, job: Job) -> None:
        """A run whose machine is gone goes on on another, unless it never gets anywhere."""
        saved = sum(stage.run.step for stage in job.run.stages)
        job.lost = job.lost + 1 if saved == job.lost_at else 1
        job.lost_at = saved
        if job.lost < MOST_LOST:
            job.become("waiting", "its machine was lost")
            job.look_again = time.monotonic() + BUSY  # its process may still be there, and save
        else:
            self._fail(job, f"its machine was lost {MOST_LOST} times, and it got no further")

    def _fail(self, job: Job, reason: str) -> None:
        """Marks a run as one that failed, for later sweeps too, where the disk takes the mark."""
        job.become("failed", reason)
        text = reason.encode(errors="replace") + b"\n"
        try:
            job.run.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(job.run.failure, lambda file: file.write(text))
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
                raise

    def _end_all(self) -> None:
        """Has the processes that still go on stop, and waits for them."""
        left = [job.process for job in self.jobs if job.process is not None]
        for process in left:
            process.signal(signal.SIGTERM)
        while any(process.poll() is None for process in left):
            time.sleep(POLL)


def _describe(step: Step, stages: int) -> str:
    """What a process was started for, in words."""
    if step.number == stages:
        return "plays its last episodes"
    verb = "resumed" if step.argv[0] == "resume" else "started"
    return f"{verb}, stage {step.number + 1} of {stages}" if stages > 1 else verb


def _not_started(error: OSError) -> str:
    """Why there is no process."""
    place = f"{error.filename}: " if error.filename else ""
    return f"cannot start it: {place}{error.strerror}"


def _reason(run: SweepRun, code: int) -> str:
    """Why a process failed, as far as its exit code and the disk tell."""
    reason = f"exit code {code}"
    if code > 128:
        reason += f", ended by signal {code - 128}"
    if _is_full(run):
        reason += ", and the disk is full"
    return reason


def _is_full(run: SweepRun) -> bool:
    """Whether the disk that a run is on has no room left."""
    try:
        return shutil.disk_usage(run.folder).free < FULL
    except OSError:
        return False
