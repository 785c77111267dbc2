"""The runs of a sweep, as every part of it knows them: where each is, and the command lines that
make it."""

import dataclasses
from pathlib import Path

from rl.experiments.rundir import RunDir


@dataclasses.dataclass(frozen=True)
class Stage:
    """A run directory of a sweep, and the command that trains it.

    Attributes:
      argv: of `main.py`. steps: env steps of the whole of it. trust: whether `resume` needs
        `--trust`, since the definition names an env that runs code. epoch_steps: env steps of an
        epoch, where that is known.
    """

    run: RunDir
    argv: tuple[str, ...]
    steps: int
    trust: bool
    epoch_steps: int = 1


@dataclasses.dataclass(frozen=True)
class SweepRun:
    """A method with a seed: a run, or several stages one after another.

    Attributes:
      folder: of the method, which has run directories, outputs and marks of failures.
      eval_episodes: of each task, that its last policy plays when all stages are finished.
      sources: names of runs of the sweep that have to be finished before it begins.
    """

    method: str
    seed: int
    folder: Path
    stages: tuple[Stage, ...]
    eval_episodes: int = 0
    sources: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Such as "ddpg_s0"."""
        return f"{self.method}_s{self.seed}"

    @property
    def log(self) -> Path:
        """The file with the output of its processes."""
        return self.folder / f"{self.name}.log"

    @property
    def failure(self) -> Path:
        """The file that is there while the run is one that failed; it holds the reason."""
        return self.folder / f"{self.name}.failed"
