"""What a loop does besides training: seeds, test episodes, rows, checkpoints, a clean stop."""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from rl.config import SPLITS, UserError
from rl.logging import EpochLogger, Timer
from rl.training.checkpoint import Checkpoints
from rl.training.evaluate import evaluate
from rl.training.files import write_json
from rl.training.policy import policy


class Session:
    """The frame of one run.

    Args:
      directory: the run's. algo: has `act`, `columns`, `splits` and `state`. test_env: a VectorEnv,
        or None.
      config: an rl.training.config.Config. seed: every stream of random numbers derives from it.
      normaliser, schedule: the run's. board: also gets the rows, if given.
    """

    parts = ("env", "act", "update", "test", "log", "checkpoint")

    def __init__(
        self,
        directory: Any,
        algo: Any,
        test_env: Any,
        config: Any,
        seed: int,
        normaliser: Any,
        schedule: Any,
        board: Any = None,
    ) -> None:
        self.algo, self.test_env, self.config, self.seed, self.board = (
            algo,
            test_env,
            config,
            seed,
            board,
        )
        self.normaliser, self.schedule, self.directory = normaliser, schedule, Path(directory)
        self.total_steps = config.epochs * config.steps_per_epoch
        self.timer = Timer(*self.parts)
        self.terminal: Any = None  # also gets the rows, once there is one
        columns = {
            "Epoch": "value",
            "EpRet": "episode",
            "TestEpRet": "episode",
            "EpLen": "mean",
            "TestEpLen": "mean",
        }
        columns |= {"TotalEnvInteracts": "value", **algo.columns, "Time": "value"}
        columns |= {f"Time{part.capitalize()}": "value" for part in self.parts}
        columns |= {"Success": "rate", "TestSuccess": "rate"}
        if algo.spec.tasks:
            scores = ("EpRet", "Success", "TestEpRet", "TestSuccess")
            columns |= {f"{score}/{task}": "mean" for score in scores for task in algo.spec.tasks}
        columns = {
            name: kind for name, kind in columns.items() if test_env or not name.startswith("Test")
        }
        tasks = algo.spec.tasks
        maybe = () if tasks else ("Success", "TestSuccess")  # envs of several tasks always tell
        self.logger = EpochLogger(directory, columns, config.window, tasks=tasks, optional=maybe)
        self.checkpoints = Checkpoints(directory, config.keep)
        self.best, self.stopping = -np.inf, False
        self.began = time.perf_counter()  # of a resumed run, as if it had never stopped

    def seed_for(self, stream: int, epoch: int = 0) -> int:
        """A seed that depends on the run's, the stream and the epoch alone."""
        return int(np.random.SeedSequence([self.seed, stream, epoch]).generate_state(1)[0])

    def end_epoch(self, loop: Any, save: bool = False) -> None:
        """Tests the policy, writes the row; saves where that is due or asked for, as at the start
        of `meta-test`."""
        if self.test_env:
            with self.timer("test"):
                act = policy(self.algo, loop.env.spec, self.normaliser)
                seed = self.seed_for(1, self.logger.epoch)
                played = evaluate(act, self.test_env, self.config.num_test_episodes, seed)
            self.logger.store(TestEpLen=played.pop("EpLen"))
            if self.logger.shows("TestSuccess"):  # who tells nothing this time has failed
                played.setdefault("Success", np.zeros_like(played["EpRet"]))
            for name, values in played.items():
                self.logger.store(**{f"Test{name}": values})
                self.logger.store(
                    **{f"Test{name}/{task}": own for task, own in zip(self.algo.spec.tasks, values)}
                )
        row = self._write(loop.step, complete=True)
        score = row.get("AverageTestEpRet", row["AverageEpRet"])
        self.schedule.observe(score)
        due = (
            save or self.logger.epoch % self.config.save_freq == 0 or loop.step == self.total_steps
        )
        if due or (self.stopping and not self.config.reset_at_checkpoint):
            best = due and score > self.best
            self.best = score if best else self.best
            if self.config.reset_at_checkpoint:
                loop.begin(loop.env.rebuild(self.seed_for(2, self.logger.epoch)))
            self._save(loop, best)

    def stop(self, loop: Any) -> None:
        """Writes the row of the epoch so far and a checkpoint from which the run goes on
        exactly."""
        self._write(loop.step, complete=False)
        if not self.config.reset_at_checkpoint:
            self._save(loop, best=False)

    def _write(self, step: int, complete: bool) -> dict[str, float]:
        epoch, seconds = (
            math.ceil(step / self.config.steps_per_epoch),
            time.perf_counter() - self.began,
        )
        values = {"Epoch": epoch, "TotalEnvInteracts": step, "Time": seconds, **self.timer.drain()}
        with self.timer("log"):
            row = self.logger.dump(complete, **values)
            if self.board:
                self.board.write(step, row)
            if self.terminal:
                self.terminal.epoch(step, row)
        return row

    def _save(self, loop: Any, best: bool) -> None:
        with self.timer("checkpoint"):
            envs = None if self.config.reset_at_checkpoint else loop.env.state()
            state = {
                "algo": self.algo.state(),
                "loop": loop.state(),
                "envs": envs,
                "logger": self.logger.state(),
            }
            state |= {"normaliser": self.normaliser.state(), "schedule": self.schedule.state()}
            state |= {"best": float(self.best), "time": time.perf_counter() - self.began}
            self.checkpoints.save(loop.step, state, loop.replay, best)
            if splits := self.algo.splits():
                write_json(self.directory / SPLITS, splits)


def check_finite(step: int, **values: Any) -> None:
    """Raises a UserError naming the first of `values` that is nan or inf, and the env step."""
    for name, value in values.items():
        if not np.isfinite(value).all():
            raise UserError(
                f"{name} became nan or inf by env step {step}; what was saved before is sound"
            )
