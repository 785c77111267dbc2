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
from rl.training.session import Session


class Burst(NamedTuple):
    """Updates under way: the env step they began at, their transitions' numbers in replay."""

    step: int
    numbers: np.ndarray
    result: Future


class OffPolicy(Loop):
    """A Loop with replay."""

    flags = Config

    def __init__(self, algo: Learner, env: VectorEnv, config: Config, session: Session) -> None:
        super().__init__(algo, env, session)
        self.config = config
        self.burst = max(1, round(config.update_every * config.updates_per_step))
        self.feed = feed.Feed(env, algo.config.gamma, config, session)
        self.replay = self.feed.replay
        self.worker = ThreadPoolExecutor(1)
        self.pending: list[Burst] = []  # one at most
        self.begin(env.reset(session.seed_for(0)))

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
        every = self.config.update_every
        before = self.step - self.env.num_envs
        due = self.step // every > before // every
        if self.config.update_at == "episode":
            due = ended
        if due and self.owed > 0:
            self.update()

    @property
    def owed(self) -> int:
        """Updates that the steps so far ask for and that no burst has begun."""
        return self.updates_by(self.step) - self.feed.updates

    def updates_by(self, step: int) -> int:
        """Updates that a run's first `step` env steps ask for: whole ones of `updates_per_step` for
        each step after `update_after`, and after replay can be sampled."""
        idle = max(self.config.update_after, self.replay.since)
        if step <= idle:
            return 0
        num_envs = self.env.num_envs
        counted = (step // num_envs - int(idle) // num_envs) * num_envs
        # Rates such as 0.29 are a little less in binary than they say.
        return int(self.config.updates_per_step * counted + 1e-6)

    def update(self) -> None:
        """Pays the updates owed, in bursts of one size so that one compiled program serves all."""
        while self.owed > 0:
            count = min(self.owed, self.burst)
            with self.session.timer("update"):
                numbers, batches, updates = self.feed.draw(self.burst, count, self.total_updates())
            done = self.wait()
            result = self.worker.submit(self.algo.update, batches, updates, count)
            self.pending.append(Burst(self.step, numbers, result))
            self.log(done)  # while the next burst is under way
            self.feed.learn()
            if not self.config.overlap or self.config.update_at == "episode":
                self.finish()
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
        return self.updates_by(last)

    def finish(self, follow: bool = True) -> None:
        """Waits for the burst under way, if any, and logs it; `follow` lets the policy follow the
        updates, and priorities the errors."""
        self.log(self.wait(follow))
        if follow:
            self.feed.learn()

    def wait(self, follow: bool = True) -> list[Burst]:
        """The burst under way, if any, once it is done."""
        with self.session.timer("update"):
            done = list(self.pending)
            for burst in done:
                burst.result.result()
        self.pending.clear()
        if follow:
            self.algo.refresh()
        return done

    def log(self, done: list[Burst]) -> None:
        """Logs what `wait` returned, and keeps the TD errors for replay to learn."""
        for burst in done:
            info: Arrays = burst.result.result()
            check_finite(burst.step, **info)
            self.feed.keep(burst.numbers, info.pop("TDError"))
            self.session.logger.store(**info)

    def state(self) -> dict[str, Any]:
        return super().state() | {"feed": self.feed.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.feed.load_state(state["feed"])


def _round_up(number: int, step: int) -> int:
    """The first multiple of `step` that is not below `number`."""
    return -(-number // step) * step
