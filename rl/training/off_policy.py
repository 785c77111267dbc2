"""The off-policy loop: act, store, and now and then many updates at once.

With `overlap` a burst runs in a thread while the envs go on; the policy that acts meanwhile is the
one from before the burst, whatever the timing, so runs still repeat exactly.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from rl.envs.interface import VectorEnv
from rl.flags.off_policy import Config
from rl.spec import Step
from rl.training import feed
from rl.training.contracts import Arrays, Learner
from rl.training.finite import check_finite
from rl.training.loop import Loop
from rl.training.session import Session, Stream


class PendingUpdates(NamedTuple):
    """Updates under way.

    step: the env step at which they began. numbers: of their transitions in replay. infos: what
    `Learner.update` will return.
    """

    step: int
    numbers: np.ndarray
    infos: Future


class OffPolicy(Loop):
    """A Loop with replay."""

    flags = Config

    def __init__(self, algo: Learner, env: VectorEnv, config: Config, session: Session) -> None:
        super().__init__(algo, env, session)
        self.config = config
        self.burst_size = max(1, round(config.update_every * config.updates_per_step))
        self.feed = feed.Feed(env, algo.config.gamma, config, session)
        self.replay = self.feed.replay
        self.worker = ThreadPoolExecutor(1)
        self.pending: list[PendingUpdates] = []  # one at most
        self.begin(env.reset(session.seed_for(Stream.TRAIN_ENVS)))

    def choose(self) -> np.ndarray:
        """Uniform actions for `start_steps`, then the policy's."""
        if self.step >= self.config.start_steps:
            return super().choose()
        shape = (self.env.num_envs, self.env.spec.act_dim)
        return self.act_rng.uniform(-1, 1, shape).astype(np.float32)

    def store(self, act: np.ndarray, step: Step) -> None:
        self.feed.store(self.obs, act, step, step.terminated | step.truncated)

    def cut(self) -> None:
        if self.step:
            self.replay.cut()

    def learn(self, ended: bool) -> None:
        # Whether the envs' step went to or past a multiple of update_every.
        every = self.config.update_every
        before = self.step - self.env.num_envs
        due = self.step // every > before // every
        if self.config.update_at == "episode":
            due = ended
        if due and self.updates_behind > 0:
            self.update()

    @property
    def updates_behind(self) -> int:
        """How many updates should have begun by now, and haven't."""
        return self.updates_due_by(self.step) - self.feed.updates

    def updates_due_by(self, step: int) -> int:
        """How many updates should have begun by env step `step`, over the whole run.

        None until `update_after`, and until replay can be sampled; from there on
        `updates_per_step` for each env step, rounded down.
        """
        last_idle_step = max(self.config.update_after, self.replay.since)
        if step <= last_idle_step:
            return 0
        # All envs step together, so that both ends are counted in steps of all of them.
        num_envs = self.env.num_envs
        env_steps = (step // num_envs - int(last_idle_step) // num_envs) * num_envs
        # A rate such as 0.29 is stored as a little less, which would lose an update.
        return int(self.config.updates_per_step * env_steps + 1e-6)

    def update(self) -> None:
        """Makes the updates that are due, in bursts of one size so that one compiled program serves
        all."""
        while self.updates_behind > 0:
            count = min(self.updates_behind, self.burst_size)
            with self.session.timer("update"):
                numbers, batches, updates = self.feed.draw(
                    self.burst_size, count, self.total_updates()
                )
            done = self.wait()
            infos = self.worker.submit(self.algo.update, batches, updates, count)
            self.pending.append(PendingUpdates(self.step, numbers, infos))
            self.log(done)  # while the next burst is under way
            self.feed.learn()
            if not self.config.overlap or self.config.update_at == "episode":
                self.finish_updates()
        if self.session.terminal:
            self.session.terminal.advance(self.step)

    @property
    def updates(self) -> int:
        return self.feed.updates

    def total_updates(self) -> int:
        """Updates of the whole run, the last of which ends the schedule.

        With `update_at` episode it is the most there can be: steps after the last episode's end ask
        for some that never come.
        """
        num_envs = self.env.num_envs
        last = _round_up(self.session.total_steps, num_envs)
        if self.config.update_at == "steps":
            last = _round_up(last - last % self.config.update_every, num_envs)
        return self.updates_due_by(last)

    def finish_updates(self, refresh_policy: bool = True) -> None:
        """Waits for the burst under way, if any, and logs it. With `refresh_policy` the policy then
        takes the new weights, and priorities the new errors."""
        self.log(self.wait(refresh_policy))
        if refresh_policy:
            self.feed.learn()

    def wait(self, refresh_policy: bool = True) -> list[PendingUpdates]:
        """The burst under way, if any, once it is done."""
        with self.session.timer("update"):
            done = list(self.pending)
            for burst in done:
                burst.infos.result()
        self.pending.clear()
        if refresh_policy:
            self.algo.refresh()
        return done

    def log(self, done: list[PendingUpdates]) -> None:
        """Logs what `wait` returned, and keeps the TD errors for replay to learn."""
        for burst in done:
            infos: Arrays = burst.infos.result()
            check_finite(burst.step, **infos)
            self.feed.keep(burst.numbers, infos.pop("TDError"))
            self.session.logger.store(**infos)

    def state(self) -> dict[str, Any]:
        return super().state() | {"feed": self.feed.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.feed.load_state(state["feed"])


def _round_up(number: int, step: int) -> int:
    """The first multiple of `step` that is not below `number`."""
    return -(-number // step) * step
