"""The off-policy loop: act, store, and now and then many updates at once. It knows no algorithm.

An algorithm has `act(obs)`, `explore(obs, start, rng)`, `update(batches, updates, count) -> info`,
`refresh()`. With `overlap` a burst runs in a thread while the envs go on; the policy that acts
meanwhile is the one from before the burst, whatever the timing, so runs still repeat exactly.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from rl.flags.off_policy import Config
from rl.training import feed
from rl.training.episodes import Episodes
from rl.training.finite import check_finite, check_obs, check_step
from rl.training.policy import policy, visiting
from rl.training.session import Session


class OffPolicy:
    """One run of an off-policy algorithm on `env`, a VectorEnv, in the frame of a Session."""

    flags = Config

    def __init__(self, algo: Any, env: Any, config: Config, session: Session) -> None:
        self.algo = algo
        self.env = env
        self.config = config
        self.session = session
        self.burst = max(1, round(config.update_every * config.updates_per_step))
        self.feed = feed.Feed(env, algo.config.gamma, config, session)
        self.replay = self.feed.replay
        self.act_rng = np.random.default_rng(session.seed_for(3))
        self.explore = visiting(policy(algo, env.spec, session.normaliser, self.act_rng), env)
        self.worker = ThreadPoolExecutor(1)
        # The burst under way, if any: the env step it began at, what it was drawn from, its future.
        self.pending: list[Any] = []
        self.step = 0
        self.begin(env.reset(session.seed_for(0)))

    def begin(self, obs: np.ndarray) -> None:
        """Starts afresh in every env, from `obs`."""
        check_obs(obs, self.env, f"at env step {self.step}")
        self.obs = obs
        self.episodes = Episodes(len(obs), self.env.spec.tasks)
        self.session.normaliser.observe(obs)
        if self.step:
            self.replay.cut()

    def train(self, total_steps: int) -> None:
        """Goes on to `total_steps` env steps, or until the session is told to stop."""
        while self.step < total_steps:
            ended = self.collect()
            before = self.step - self.env.num_envs
            every = self.config.update_every
            due = self.step // every > before // every
            if self.config.update_at == "episode":
                due = ended
            if due and self.owed > 0:
                self.update()
            if self.step % self.session.config.steps_per_epoch == 0:
                self.finish()
                self.session.end_epoch(self)
            elif self.session.stopping:
                # As the uninterrupted run, which now acts on with the older policy.
                self.finish(follow=False)
                self.session.stop(self)
            if self.session.stopped:
                return

    def collect(self) -> bool:
        """One step of every env, stored with its unit action. Returns whether an episode ended."""
        timer = self.session.timer
        spec = self.env.spec
        with timer("act"):
            if self.step < self.config.start_steps:
                act = self.act_rng.uniform(-1, 1, (len(self.obs), spec.act_dim)).astype("f")
            else:
                act = self.explore(self.obs, self.episodes.start)
            check_finite(self.step, action=act)
        with timer("env"):
            step = self.env.step(spec.env_action(act))
        check_step(step, self.env, f"at env step {self.step + self.env.num_envs}")
        end = step.terminated | step.truncated
        self.feed.store(self.obs, act, step, end)
        self.session.normaliser.observe(step.obs, step.rew, end, step.task)
        self.step += self.env.num_envs
        self.obs = step.obs
        return self.episodes.step(step, end, self.session.logger)

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
            burst = self.worker.submit(self.algo.update, batches, updates, count)
            self.pending.append((self.step, numbers, burst))
            self.log(done)  # while the next burst is under way
            self.feed.learn()
            if not self.config.overlap or self.config.update_at == "episode":
                self.finish()
        if self.session.terminal:
            self.session.terminal.advance(self.step)

    @property
    def updates(self) -> int:
        """How many there were so far."""
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

    def wait(self, follow: bool = True) -> list[Any]:
        """The burst under way, if any, once it is done: the env step it began at, its
        transitions' numbers, its info."""
        with self.session.timer("update"):
            done = [(step, numbers, burst.result()) for step, numbers, burst in self.pending]
        self.pending.clear()
        if follow:
            self.algo.refresh()
        return done

    def log(self, done: list[Any]) -> None:
        """Logs what `wait` returned, and keeps the TD errors for replay to learn."""
        for step, numbers, info in done:
            check_finite(step, **info)
            self.feed.keep(numbers, info.pop("TDError"))
            self.session.logger.store(**info)

    def state(self) -> dict[str, Any]:
        """All that the next steps depend on, besides the algorithm, the replay's rows and the
        envs."""
        state = {
            "step": self.step,
            "obs": self.obs,
            "episodes": self.episodes.state(),
        }
        return state | {"rng": self.act_rng.bit_generator.state, "feed": self.feed.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        self.step = state["step"]
        self.obs = state["obs"]
        self.episodes.load_state(state["episodes"])
        self.act_rng.bit_generator.state = state["rng"]
        self.feed.load_state(state["feed"])


def _round_up(number: int, step: int) -> int:
    """The first multiple of `step` that is not below `number`."""
    return -(-number // step) * step
