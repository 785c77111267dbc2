"""The off-policy loop: act, store, and now and then many updates at once. It knows no algorithm.

An algorithm has `act(obs)`, `explore(obs, start, rng)`, `update(batches, count) -> info`,
`refresh()`. With `overlap` a burst runs in a thread while the envs go on; the policy that acts
meanwhile is the one from before the burst, whatever the timing, so runs still repeat exactly.
"""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from rl.config import flag
from rl.training import feed
from rl.training.episodes import Episodes
from rl.training.policy import policy, visiting
from rl.training.session import Session, check_finite


@dataclasses.dataclass(frozen=True)
class Config(feed.Config):
    """The off-policy loop's flags."""

    start_steps: int = flag(10_000, "env steps of uniform random actions at the start", low=0)
    update_after: int = flag(1000, "env steps before the first update", low=0)
    update_every: int = flag(50, "env steps between two bursts of updates", low=1)
    updates_per_step: float = flag(
        1.0, "updates per env step after update_after, on average", low=0
    )
    update_at: str = flag(
        "steps",
        "burst every update_every steps, or at each episode's end",
        choices=("steps", "episode"),
    )
    overlap: bool = flag(
        True, "collect while a burst runs, with the policy before it (bursts at update_every only)"
    )


class OffPolicy:
    """One run of an off-policy algorithm on `env`, a VectorEnv, in the frame of a Session."""

    flags = Config

    def __init__(self, algo: Any, env: Any, config: Config, session: Session) -> None:
        self.algo, self.env, self.config, self.session = algo, env, config, session
        self.burst = max(1, round(config.update_every * config.updates_per_step))
        self.feed = feed.Feed(env, algo.config.gamma, config, session)
        self.replay = self.feed.replay
        self.act_rng = np.random.default_rng(session.seed_for(3))
        self.explore = visiting(policy(algo, env.spec, session.normaliser, self.act_rng), env)
        self.worker = ThreadPoolExecutor(1)
        self.pending: list[Any] = (
            []
        )  # the burst under way, if any: the env step it began at, its rows, its future
        self.step, self.owed = 0, 0.0
        self.begin(env.reset(session.seed_for(0)))

    def begin(self, obs: np.ndarray) -> None:
        """Starts afresh in every env, from `obs`."""
        self.obs, self.episodes = obs, Episodes(len(obs), self.env.spec.tasks)
        self.session.normaliser.observe(obs)
        if self.step:
            self.replay.cut()

    def train(self, total_steps: int) -> None:
        """Goes on to `total_steps` env steps, or until the session is told to stop."""
        while self.step < total_steps:
            ended = self.collect()
            before, every = self.step - self.env.num_envs, self.config.update_every
            due = (
                ended
                if self.config.update_at == "episode"
                else self.step // every > before // every
            )
            if due and self.owed >= 1:
                self.update()
            if self.step % self.session.config.steps_per_epoch == 0:
                self.finish()
                self.session.end_epoch(self)
            elif self.session.stopping:
                self.finish(
                    follow=False
                )  # as the uninterrupted run, which now acts on with the older policy
                self.session.stop(self)
            if self.session.stopping:
                return

    def collect(self) -> bool:
        """One step of every env, stored with its unit action. Returns whether an episode ended."""
        timer, spec = self.session.timer, self.env.spec
        with timer("act"):
            if self.step < self.config.start_steps:
                act = self.act_rng.uniform(-1, 1, (len(self.obs), spec.act_dim)).astype("f")
            else:
                act = self.explore(self.obs, self.episodes.start)
            check_finite(self.step, action=act)
        with timer("env"):
            step = self.env.step(spec.env_action(act))
        end = step.terminated | step.truncated
        self.feed.store(self.obs, act, step, end)
        self.session.normaliser.observe(step.obs, step.rew, end, step.task)
        self.step += self.env.num_envs
        if self.step > max(self.config.update_after, self.replay.since):
            self.owed += self.config.updates_per_step * self.env.num_envs
        self.obs = step.obs
        return self.episodes.step(step, end, self.session.logger)

    def update(self) -> None:
        """Pays the updates owed, in bursts of one size so that one compiled program serves all."""
        while self.owed >= 1:
            count = min(int(self.owed), self.burst)
            with self.session.timer("update"):
                rows, batches = self.feed.draw(self.burst, count, self.total_updates())
            done = self.wait()
            self.pending.append(
                (self.step, rows, self.worker.submit(self.algo.update, batches, count))
            )
            self.log(done)  # while the next burst is under way
            self.feed.learn()
            self.owed -= count
        if not self.config.overlap or self.config.update_at == "episode":
            self.finish()
            self.feed.learn()
        if self.session.terminal:
            self.session.terminal.advance(self.step)

    def total_updates(self) -> int:
        """Updates of the whole run, the last of which ends the schedule."""
        config, envs = self.config, self.env.num_envs
        last = -(-(self.session.total_steps // config.update_every * config.update_every) // envs)
        return int(
            (last - max(config.update_after, self.replay.since) // envs)
            * envs
            * config.updates_per_step
        )

    def finish(self, follow: bool = True) -> None:
        """Waits for the burst under way, if any, and logs it; `follow` lets the policy follow the
        updates."""
        self.log(self.wait(follow))

    def wait(self, follow: bool = True) -> list[Any]:
        """The burst under way, if any, once it is done: the env step it began at, its rows, its
        info."""
        with self.session.timer("update"):
            done = [(step, rows, burst.result()) for step, rows, burst in self.pending]
        self.pending.clear()
        if follow:
            self.algo.refresh()
        return done

    def log(self, done: list[Any]) -> None:
        """Logs what `wait` returned, and keeps the TD errors until the next burst's batches are
        drawn."""
        for step, rows, info in done:
            check_finite(step, **info)
            self.feed.keep(rows, info.pop("TDError"))
            self.session.logger.store(**info)

    def state(self) -> dict[str, Any]:
        """All that the next steps depend on, besides the algorithm, the replay's rows and the
        envs."""
        state = {
            "step": self.step,
            "owed": self.owed,
            "obs": self.obs,
            "episodes": self.episodes.state(),
        }
        return state | {"rng": self.act_rng.bit_generator.state, "feed": self.feed.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        self.step, self.owed, self.obs = state["step"], state["owed"], state["obs"]
        self.episodes.load_state(state["episodes"])
        self.act_rng.bit_generator.state = state["rng"]
        self.feed.load_state(state["feed"])
