"""What a burst of updates is fed: batches from replay, normalised, and all else an update needs."""

from typing import Any

import numpy as np

from rl.buffers import ReplayBuffer
from rl.flags.replay import Config
from rl.prioritised import PrioritisedReplay
from rl.visited import VisitedReplay


class Feed:
    """The replay of a run, its normaliser and schedule, and the generators behind its batches."""

    def __init__(self, env: Any, gamma: float, config: Config, session: Any) -> None:
        self.config, self.session, spec = config, session, env.spec
        shape = (spec.obs_dim, spec.act_dim, config.replay_size, spec.batch_dims)
        options: dict[str, Any] = {
            "num_envs": env.num_envs // (spec.num_tasks or 1),
            "gamma": gamma,
        }
        kind: Any = {"uniform": ReplayBuffer, "prioritised": PrioritisedReplay}[config.replay]
        if env.task is not None:
            kind, options["num_envs"] = VisitedReplay, env.num_envs
        if config.replay == "prioritised":
            options |= {"alpha": config.per_alpha, "beta0": config.per_beta}
        self.replay = kind(*shape, n_step=config.n_step, **options)
        self.rngs = [np.random.default_rng(session.seed_for(stream)) for stream in (4, 5)]
        self.updates = 0
        self.kept: list[Any] = []

    def store(self, obs: np.ndarray, act: np.ndarray, step: Any, end: np.ndarray) -> None:
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

    def draw(self, size: int, count: int, total: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """`size` batches, of which `count` will be used, of a run of `total` updates; and the rows
        of those.

        Beside a batch's transitions an update gets `lr`, the fraction of its learning rates,
        `seed`, two whole numbers for its random draws, and `number`, how many updates came before
        it.
        """
        self.replay.progress(min(1.0, self.updates / max(1, total)))
        batches = self.replay.sample(size, self.config.batch_size, self.rngs[0])
        batches |= {key: self.session.normaliser.obs(batches[key]) for key in ("obs", "obs2")}
        batches["rew"] = self.session.normaliser.rew(batches["rew"])
        batches["lr"] = self.session.schedule(self.updates, size, total)
        batches["seed"] = self.rngs[1].integers(0, 2**31, (size, 2), np.int32)
        batches["number"] = np.arange(self.updates, self.updates + size, dtype=np.int32)
        self.updates += count
        return batches.pop("row")[:count], batches

    def keep(self, rows: np.ndarray, error: np.ndarray) -> None:
        """Keeps the absolute TD errors of the rows of `draw` until `learn`."""
        if self.config.replay == "prioritised":
            self.kept.append([rows, error])

    def learn(self) -> None:
        """Tells replay what was kept.

        It waits for this moment, a fixed one in the order of draws, so that a burst which ended
        early because the run was stopped changes no batch.
        """
        for rows, error in self.kept:
            self.replay.learn(rows, error)
        self.kept = []

    def state(self) -> dict[str, Any]:
        """All that later batches depend on, besides the replay's rows."""
        rngs = [rng.bit_generator.state for rng in self.rngs]
        return {
            "rngs": rngs,
            "updates": self.updates,
            "replay": self.replay.state(),
            "kept": self.kept,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        for rng, saved in zip(self.rngs, state["rngs"]):
            rng.bit_generator.state = saved
        self.updates, self.kept = state["updates"], state["kept"]
        self.replay.load_state(state["replay"])
