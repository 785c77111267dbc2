"""What a loop does besides training: seeds, test episodes, rows, checkpoints, a clean stop."""

import enum
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Sequence

import numpy as np

from rl.buffers.normaliser import Normaliser
from rl.config import MASKS, SPLITS
from rl.envs.interface import VectorEnv
from rl.files import save_tree, write_json
from rl.flags.training import Config
from rl.logging import EpochLogger, Resources, Sink, Terminal, Timer
from rl.logging.resources import MB
from rl.training.checkpoint import Checkpoints
from rl.training.contracts import Learner
from rl.training.early_stop import EarlyStop
from rl.training.evaluate import Stopped, evaluate
from rl.training.policy import EnvPolicy
from rl.training.schedule import Schedule

if TYPE_CHECKING:
    from rl.training.loop import Loop


class Stream(enum.IntEnum):
    """What a seed is for. Results depend on these numbers, so that none may ever change."""

    TRAIN_ENVS = 0
    TEST_ENVS = 1
    REBUILT_ENVS = 2
    EXPLORATION = 3
    BATCHES = 4  # and all random numbers of on-policy updates
    UPDATES = 5  # random numbers of off-policy updates
    META_START = 6  # episodes by which `meta-test --start best` chooses


class Session:
    """The frame of one run.

    Args:
      directory: the run's. algo: what learns. test_env: None: without tests.
      config: flags of training. seed: every stream of random numbers derives from it.
      normaliser, schedule: the run's. sinks: also get the rows.
    """

    parts = ("env", "act", "update", "test", "log", "checkpoint")

    def __init__(
        self,
        directory: Path,
        algo: Learner,
        test_env: Optional[VectorEnv],
        config: Config,
        seed: int,
        normaliser: Normaliser,
        schedule: Schedule,
        sinks: Sequence[Sink] = (),
    ) -> None:
        self.algo = algo
        self.test_env = test_env
        self.config = config
        self.seed = seed
        self.sinks = list(sinks)
        self.normaliser = normaliser
        self.schedule = schedule
        self.directory = Path(directory)
        self.total_steps = config.epochs * config.steps_per_epoch
        self.timer = Timer(*self.parts)
        self.resources = Resources()
        self.terminal: Optional[Terminal] = None  # also gets the rows, once there is one
        self.table = False  # whether the terminal shows every column
        self.flags: dict[str, Any] = {}  # the run's, which its checkpoints bind
        self.changed: set[str] = set()  # names of those that were given anew when it was resumed
        self.schedule_from = 0  # env step at which the schedule began
        self.logger = self._make_logger()
        self.checkpoints = Checkpoints(directory, config.keep)
        self.early_stop = EarlyStop(config, algo.spec.reward_threshold)
        self.best = -np.inf
        self.stopping = False  # whether a signal asked to stop
        self.stopped = False  # whether that was done, or the run ended early
        self.test_due = False  # whether an epoch has ended, but its test, and with it its row, not
        self.began = time.perf_counter()  # of a resumed run, as if it had never stopped

    def _make_logger(self) -> EpochLogger:
        """With every column of the run: its name and the kind of its statistics."""
        tasks = self.algo.spec.tasks
        columns = {
            "Epoch": "value",
            "EpRet": "episode",
            "TestEpRet": "episode",
            "EpLen": "mean",
            "TestEpLen": "mean",
            "TotalEnvInteracts": "value",
            **self.algo.columns,
        }
        if tasks:
            columns["Parameters"] = "value"
        columns["Time"] = "value"
        for part in self.parts:
            columns[f"Time{part.capitalize()}"] = "value"
        columns["CPU"] = "value"
        columns["MemoryMB"] = "value"
        columns["GPUMemoryMB"] = "mean"
        columns["Success"] = "rate"
        columns["TestSuccess"] = "rate"
        for score in ("EpRet", "Success", "TestEpRet", "TestSuccess"):
            for task in tasks:
                columns[f"{score}/{task}"] = "mean"
        if not self.test_env:
            for name in list(columns):
                if name.startswith("Test"):
                    del columns[name]
        maybe = ["GPUMemoryMB"]
        if not tasks:  # envs of several tasks always tell
            maybe += ["Success", "TestSuccess"]
        window = self.config.window
        return EpochLogger(self.directory, columns, window, tasks=tasks, optional=tuple(maybe))

    def seed_for(self, stream: Stream, epoch: int = 0) -> int:
        """A seed that depends on the run's, the stream and the epoch alone."""
        return int(np.random.SeedSequence([self.seed, stream, epoch]).generate_state(1)[0])

    def end_epoch(self, loop: "Loop", save: bool = False) -> None:
        """Tests the policy, writes the row; saves where that is due or asked for, as at the start
        of `meta-test`. Ends the run where that test is a reason to.

        Asked to stop during the test, it writes the row without one, and a checkpoint from which
        the run goes on with the whole test.
        """
        self.test_due = True
        if self.test_env:
            try:
                self._test(loop, self.test_env)
            except Stopped:
                self.stop(loop)
                return
        self.test_due = False
        row = self._write(loop.step, complete=True)
        score = row.get("AverageTestEpRet", row["AverageEpRet"])
        self.schedule.observe(score)
        ends = bool(self.early_stop.reason) or loop.step == self.total_steps
        due = save or ends or self.logger.epoch % self.config.save_freq == 0
        self.stopped = self.stopping or bool(self.early_stop.reason)
        if due or (self.stopped and not self.config.reset_at_checkpoint):
            best = due and score > self.best
            self.best = score if best else self.best
            self.save(loop, best)

    def save(self, loop: "Loop", best: bool = False) -> None:
        """Writes a checkpoint, between two episodes where envs must begin anew for it.

        Args:
          best: whether it is also kept as the best one.
        """
        if self.config.reset_at_checkpoint:
            loop.begin(loop.env.rebuild(self.seed_for(Stream.REBUILT_ENVS, self.logger.epoch)))
        self._save(loop, best)

    def stop(self, loop: "Loop") -> None:
        """Writes the row of the epoch so far and a checkpoint from which the run goes on
        exactly."""
        self.stopped = True
        self._write(loop.step, complete=False)
        if not self.config.reset_at_checkpoint:
            self._save(loop, best=False)

    def at_end(self, step: int) -> bool:
        """Whether a run at env step `step` has nothing left to do."""
        reached = step >= self.total_steps or bool(self.early_stop.reason)
        return reached and not self.test_due

    def close(self, loop: "Loop") -> None:
        """Ends the envs of training and of tests."""
        loop.env.close()
        if self.test_env:
            self.test_env.close()

    def _test(self, loop: "Loop", env: VectorEnv) -> None:
        """Plays the test episodes and stores their scores. Raises Stopped, with nothing stored."""
        policy = EnvPolicy(loop.policy_to_test(), env, self.normaliser)
        episodes = self.config.num_test_episodes
        seed = self.seed_for(Stream.TEST_ENVS, self.logger.epoch)
        if self.config.reset_at_checkpoint:
            env.rebuild(seed)  # such an env's episodes depend on those that it played before
        title = f"the test after env step {loop.step}"
        with self.timer("test"):
            played = evaluate(
                policy, env, episodes, seed, stopping=lambda: self.stopping, title=title
            )
        self.logger.store(TestEpLen=played.pop("EpLen"))
        if self.logger.shows("TestSuccess"):  # who tells nothing this time has failed
            played.setdefault("Success", np.zeros_like(played["EpRet"]))
        for score, values in played.items():
            self.logger.store(**{f"Test{score}": values})
            for task, of_task in zip(self.algo.spec.tasks, values):
                self.logger.store(**{f"Test{score}/{task}": of_task})
        self.early_stop.observe(played)

    def _write(self, step: int, complete: bool) -> dict[str, float]:
        epoch = math.ceil(step / self.config.steps_per_epoch)
        seconds = time.perf_counter() - self.began
        values = {"Epoch": epoch, "TotalEnvInteracts": step, "Time": seconds}
        if self.algo.spec.tasks:
            values["Parameters"] = self.algo.parameters()
        values |= self.timer.drain()
        with self.timer("log"):
            values |= self.resources.drain()
            if self.resources.gpu_bytes:
                self.logger.store(GPUMemoryMB=self.resources.gpu_bytes() / MB)
            row = self.logger.dump(complete, **values)
            for sink in self.sinks:
                if complete or sink.takes_partial_rows:
                    sink.write(step, row)
            if self.terminal:
                self.terminal.epoch(step, row)
        return row

    def state(self, loop: "Loop") -> dict[str, Any]:
        """All that the run goes on from, besides the replay's rows."""
        return {
            "algo": self.algo.state(),
            "loop": loop.state(),
            "envs": None if self.config.reset_at_checkpoint else loop.env.state(),
            "logger": self.logger.state(),
            "normaliser": self.normaliser.state(),
            "schedule": self.schedule.state(),
            "early_stop": self.early_stop.state(),
            "best": float(self.best),
            "time": time.perf_counter() - self.began,
            "test_due": self.test_due,
            "flags": self.flags,
        }

    def _save(self, loop: "Loop", best: bool) -> None:
        with self.timer("checkpoint"):
            # Before the checkpoint: with that a run may be finished, and is not written again.
            if splits := self.algo.splits():
                write_json(self.directory / SPLITS, splits)
            if masks := self.algo.masks():
                save_tree(self.directory / MASKS, masks)
            self.checkpoints.save(loop.step, self.state(loop), loop.replay, best)
            self.logger.saved()
