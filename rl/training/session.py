"""What every training loop does besides training: seeds, test episodes, rows, checkpoints, a clean stop."""

import dataclasses
import signal
import time
from typing import Any, Optional

import numpy as np

from rl.config import UserError, flag
from rl.logging import EpochLogger, Terminal, Timer
from rl.training.checkpoint import Checkpoints
from rl.training.evaluate import evaluate


@dataclasses.dataclass(frozen=True)
class Config:
    """Flags of every loop."""

    epochs: int = flag(100, "length of the run, in epochs", low=1)
    steps_per_epoch: int = flag(4000, "env steps between two rows of the log, all envs together", low=1)
    num_envs: int = flag(1, "envs stepped side by side", low=1)
    env_backend: str = flag("sync", "envs in this process, or in one worker each", choices=("sync", "async"))
    max_ep_len: int = flag(0, "time limit of an episode, in steps; 0: the env's own", low=0)
    num_test_episodes: int = flag(10, "deterministic episodes at the end of each epoch; 0: none", low=0)
    window: int = flag(10, "epochs in the moving averages of returns", low=1)
    save_freq: int = flag(1, "epochs between two checkpoints", low=1)
    keep: int = flag(2, "newest checkpoints kept, besides the best", low=1)
    reset_at_checkpoint: bool = flag(
        False, "rebuild the envs at each checkpoint: for envs that can't repeat an episode"
    )


class Session:
    """The frame of one run.

    Args:
      directory: the run's. name: shown on the terminal.
      algo: has `act`, `columns`, `state` and `load_state`. test_env: a VectorEnv, or None.
      config: Config. seed: of the run; every stream of random numbers derives from it.
      tensorboard: write event files.
    """

    parts = ("env", "act", "update", "test", "log", "checkpoint")

    def __init__(
        self, directory: Any, name: str, algo: Any, test_env: Any, config: Config, seed: int, tensorboard: bool = True
    ) -> None:
        self.directory, self.name, self.algo, self.test_env, self.config = directory, name, algo, test_env, config
        self.timer, self.seed = Timer(*self.parts), seed
        test = ({"TestEpRet": "episode"}, {"TestEpLen": "mean"}) if test_env else ({}, {})
        times = {"Time": "value", **{f"Time{part.capitalize()}": "value" for part in self.parts}}
        columns = {"Epoch": "value", "EpRet": "episode", **test[0], "EpLen": "mean", **test[1]}
        columns |= {"TotalEnvInteracts": "value", **algo.columns, **times}
        self.logger = EpochLogger(directory, columns, config.window, tensorboard=tensorboard)
        self.checkpoints = Checkpoints(directory, config.keep)
        self.best, self.stopping = -np.inf, False
        self.terminal: Optional[Terminal] = None
        self._before, self._since = 0.0, time.perf_counter()

    def seed_for(self, stream: int, epoch: int = 0) -> int:
        """A seed that depends on the run's, the stream and the epoch alone."""
        return int(np.random.SeedSequence([self.seed, stream, epoch]).generate_state(1)[0])

    def run(self, loop: Any) -> bool:
        """Trains to the end, from the newest checkpoint if there is one. False if a signal stopped it first."""
        self.load(loop)
        total = self.config.epochs * self.config.steps_per_epoch
        shown = ("AverageEpRet", "AverageTestEpRet", *self.algo.columns)
        self.terminal = Terminal(self.name, total, loop.step, shown)
        previous = {s: signal.signal(s, self._on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            loop.train(total)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            self.terminal.close()
            self.logger.close()
        return loop.step >= total

    def _on_signal(self, number: int, frame: Any) -> None:
        del number, frame
        if self.stopping:
            raise KeyboardInterrupt
        self.stopping = True

    def end_epoch(self, loop: Any) -> None:
        """Tests the policy, writes the row, saves."""
        if self.test_env:
            with self.timer("test"):
                act = lambda obs, start: self.algo.act(loop.shaped(obs)).reshape(len(start), -1)
                seed = self.seed_for(1, self.logger.epoch)
                returns, lengths = evaluate(act, self.test_env, self.config.num_test_episodes, seed)
            self.logger.store(TestEpRet=returns, TestEpLen=lengths)
        row = self._dump(loop.step, complete=True)
        due = self.logger.epoch % self.config.save_freq == 0 or self.logger.epoch == self.config.epochs
        if due or (self.stopping and not self.config.reset_at_checkpoint):
            score = row.get("AverageTestEpRet", row["AverageEpRet"])
            best = due and score > self.best
            self.best = score if best else self.best
            if self.config.reset_at_checkpoint:
                loop.begin(loop.env.rebuild(self.seed_for(2, self.logger.epoch)))
            self._save(loop, best)

    def stop(self, loop: Any) -> None:
        """Writes the row of the epoch so far and a checkpoint from which the run goes on exactly."""
        self._dump(loop.step, complete=False)
        if not self.config.reset_at_checkpoint:
            self._save(loop, best=False)

    def _dump(self, step: int, complete: bool) -> dict[str, float]:
        values = {"Epoch": self.logger.epoch + 1, "TotalEnvInteracts": step, "Time": self._elapsed()}
        values |= self.timer.drain()
        with self.timer("log"):
            row = self.logger.dump(step, complete, **values)
            if self.terminal:
                self.terminal.epoch(step, row)
        return row

    def _save(self, loop: Any, best: bool) -> None:
        with self.timer("checkpoint"):
            envs = None if self.config.reset_at_checkpoint else loop.env.state()
            state = {"algo": self.algo.state(), "loop": loop.state(), "envs": envs, "logger": self.logger.state()}
            state |= {"best": float(self.best), "time": self._elapsed()}
            self.checkpoints.save(loop.step, state, loop.replay, best)

    def load(self, loop: Any) -> None:
        """Goes on from the newest sound checkpoint, or from the start."""
        state = self.checkpoints.load(loop.replay)
        if state is None:
            self.logger.path.unlink(missing_ok=True)
            return
        self.algo.load_state(state["algo"])
        self.logger.load_state(state["logger"])
        self.best, self._before = state["best"], state["time"]
        loop.load_state(state["loop"])
        if state["envs"] is None:
            loop.env.rebuild(self.seed_for(2, self.logger.epoch))
        else:
            loop.env.load_state(state["envs"], loop.obs)

    def _elapsed(self) -> float:
        """Seconds of all the run's parts together."""
        return self._before + time.perf_counter() - self._since


def check_finite(step: int, **values: Any) -> None:
    """Raises a UserError naming the first of `values` that is nan or inf, and the env step."""
    for name, value in values.items():
        if not np.isfinite(value).all():
            raise UserError(f"{name} became nan or inf by env step {step}; what was saved before is sound")
