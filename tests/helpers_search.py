"""Small searches, and processes that are none: they write rows, and end."""

import os
import signal

from rl import signals
from rl.experiments.searches.definition import Search
from rl.experiments.searches.spaces import LogUniform, Uniform
from tests.helpers_compare import make_task_run

ROWS = 3
RATES = {"pi_lr": LogUniform(1e-4, 1e-2, points=3), "gamma": Uniform(0.9, 0.98, points=3)}
COMMON = {"algo": "ddpg", "env": "Pendulum", "epochs": 2, "steps_per_epoch": 50}


def make_search(**arguments):
    """A small search by random draws, with other `arguments`."""
    usual = {"name": "x", "space": RATES, "common": COMMON, "strategy": "random", "trials": 4}
    return Search(**{**usual, **arguments})


class TrainingProcess:
    """Writes a row each time it is looked at, of which the last is its score."""

    def __init__(self, launcher, folder, name, score):
        self.launcher = launcher
        self.folder = folder
        self.name = name
        self.score = score
        self.rows = 0
        self.got = []

    @property
    def is_alive(self):
        return self.rows <= ROWS and not self.got

    def poll(self):
        if self.launcher.stop_at == self.name:
            self.launcher.stop_at = ""
            os.kill(os.getpid(), signal.SIGTERM)
        if self.got:
            return signals.STOPPED
        if self.launcher.codes.get(self.name):
            self.rows = ROWS + 1
            return self.launcher.codes[self.name]
        self.rows += 1
        if self.rows <= ROWS:
            rates = {task: [self.score] * self.rows for task in self.launcher.tasks}
            started = len(self.launcher.started)
            written = self.folder / f"{self.name}_row_{self.rows}_{started}"
            make_task_run(written, rates, self.name)
            run = self.folder / self.name
            run.mkdir(exist_ok=True)
            (written / "progress.txt").rename(run / "progress.txt")
            return None
        self.launcher.finished.add(self.name)
        return 0

    def signal(self, number):
        self.got.append(number)


class TrainingLauncher:
    """Starts such processes: a run's score is that of its trial, and a hundredth of its seed.

    Attributes:
      finished: names of runs. codes: exit code by name of run. stop_at: the run at which this
        process gets a SIGTERM. at_once: how many were alive after each start.
    """

    def __init__(self, scores):
        self.scores = scores
        self.tasks = ("reach",)
        self.codes = {}
        self.stop_at = ""
        self.forget()

    def forget(self):
        self.finished = set()
        self.started = []
        self.processes = []
        self.at_once = []

    def start(self, command):
        name = command.log.stem
        trial, seed = name.removeprefix("trial_").split("_s")
        score = self.scores[int(trial)] + 0.01 * int(seed)
        self.started.append(name)
        self.processes.append(TrainingProcess(self, command.log.parent, name, score))
        self.at_once.append(sum(process.is_alive for process in self.processes))
        return self.processes[-1]
