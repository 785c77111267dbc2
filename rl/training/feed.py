"""What a burst of updates is fed: batches from replay, normalised, and all else an update needs."""

from typing import Any

import numpy as np

from rl.buffers.prioritised import PrioritisedReplay
from rl.buffers.replay import ReplayBuffer
from rl.buffers.visited import VisitedReplay
from rl.config import UserError
from rl.envs.interface import VectorEnv
from rl.flags.replay import Config
from rl.spec import Batch, Step, Update
from rl.training.session import Session, Stream


class Feed:
    """The replay of a run, its normaliser and schedule, and the generators behind its batches."""

    def __init__(self, env: VectorEnv, gamma: float, config: Config, session: Session) -> None:
        self.config = config
        self.session = session
        self.replay = self._make_replay(env, gamma)
        self.batch_rng = np.random.default_rng(session.seed_for(Stream.BATCHES))
        self.update_rng = np.random.default_rng(session.seed_for(Stream.UPDATES))
        self.updates = 0  # whose batches were drawn
        # Of bursts: their transitions' numbers in replay, and TD errors.
        self.errors: list[list[np.ndarray]] = []

    def _make_replay(self, env: VectorEnv, gamma: float) -> ReplayBuffer:
        config = self.config
        spec = env.spec
        kind: Any = ReplayBuffer
        options: dict[str, Any] = {
            "num_envs": env.num_envs // (spec.num_tasks or 1),
            "gamma": gamma,
            "n_step": config.n_step,
        }
        if env.task is not None:
            kind = VisitedReplay
            options["num_envs"] = env.num_envs
        elif config.replay == "prioritised":
            kind = PrioritisedReplay
            options |= {"alpha": config.per_alpha, "beta0": config.per_beta}
        try:
            return kind(spec, config.replay_size, **options)
        except MemoryError as error:
            raise UserError(f"--replay_size {config.replay_size}: {error}") from None

    def store(self, obs: np.ndarray, act: np.ndarray, step: Step, end: np.ndarray) -> None:
        """Adds the transitions from `obs` by `act` to a Step; `end` where it ended an episode."""
        row = {
            "obs": obs,
            "act": act,
            "rew": step.rew,
            "obs2": step.obs2,
            "done": step.terminated,
            "end": end,
        }
        if step.task is not None:
            row["task"] = step.task
        self.replay.store(**row)

    def draw(self, size: int, count: int, total: int) -> tuple[np.ndarray, Batch, Update]:
        """`size` batches, and as many Updates, of which `count` will be used in a run of `total`
        updates; before them the numbers in replay of those transitions, for `keep`."""
        normaliser = self.session.normaliser
        self.replay.progress(min(1.0, self.updates / max(1, total)))
        batches, rows = self.replay.sample(
            size, self.config.batch_size, self.batch_rng, normaliser.rew
        )
        batches = batches._replace(
            obs=normaliser.obs(batches.obs), obs2=normaliser.obs(batches.obs2)
        )
        updates = Update(
            lr=self.session.schedule(self.updates, size, total),
            seed=self.update_rng.integers(0, 2**31, (size, 2), np.int32),
            number=np.arange(self.updates, self.updates + size, dtype=np.int32),
        )
        self.updates += count
        return self.replay.numbers(rows[:count]), batches, updates

    def keep(self, numbers: np.ndarray, error: np.ndarray) -> None:
        """Keeps until `learn` the absolute TD errors of the transitions that `draw` numbered."""
        if self.config.replay == "prioritised":
            self.errors.append([numbers, error])

    def learn(self) -> None:
        """Tells replay what was kept.

        It waits for this moment, a fixed one in the order of draws, so that a burst which ended
        early because the run was stopped changes no batch.
        """
        for numbers, error in self.errors:
            self.replay.learn(numbers, error)
        self.errors = []

    def state(self) -> dict[str, Any]:
        """All that later batches depend on, besides the replay's rows."""
        return {
            "rngs": [self.batch_rng.bit_generator.state, self.update_rng.bit_generator.state],
            "updates": self.updates,
            "replay": self.replay.state(),
            "errors": self.errors,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        for rng, saved in zip((self.batch_rng, self.update_rng), state["rngs"]):
            rng.bit_generator.state = saved
        self.updates = state["updates"]
        self.errors = state["errors"]
        self.replay.load_state(state["replay"])
