"""The on-policy loop: a rollout, many epochs of minibatches of it, the next rollout."""

import types
from typing import Any

import numpy as np

from rl.buffers.rollout import Rollout
from rl.buffers.sequences import SequenceRollout
from rl.buffers.visited_rollout import VisitedRollout
from rl.config import UserError
from rl.envs.interface import VectorEnv
from rl.flags.on_policy import Config
from rl.spec import Step, Update
from rl.training.config import check_rollouts
from rl.training.contracts import OnPolicyLearner
from rl.training.finite import check_finite
from rl.training.loop import Loop
from rl.training.policy import from_tasks, to_tasks
from rl.training.session import Session, Stream


class OnPolicy(Loop):
    """A Loop whose every update is of the steps since the one before."""

    flags = Config
    algo: OnPolicyLearner

    def __init__(
        self, algo: OnPolicyLearner, env: VectorEnv, config: Config, session: Session
    ) -> None:
        super().__init__(algo, env, session)
        self.config = config
        self.replay = types.SimpleNamespace(total=0, capacity=0)  # none outlives its rollout
        self.sample_rng = np.random.default_rng(session.seed_for(Stream.BATCHES))
        self.rollout = self._make_rollout()
        self.rollout.memory = self.memory
        self.minibatches = self.rollout.steps_per_task // config.batch_size
        if not self.minibatches:
            raise UserError(
                f"--batch_size {config.batch_size} is more than the steps of a task in a rollout"
            )
        check_rollouts(config.rollout_steps, env.num_envs, session.total_steps)
        self._updates = 0
        self.begin(env.reset(session.seed_for(Stream.TRAIN_ENVS)))

    def _make_rollout(self) -> Rollout:
        env = self.env
        steps = self.config.rollout_steps
        if isinstance(self.memory, np.ndarray):
            self._check_sequences()
            return SequenceRollout(env.spec, steps, env.num_envs)
        if env.task is not None:
            return VisitedRollout(env.spec, steps, env.num_envs, env.max_ep_len)
        return Rollout(env.spec, steps, env.num_envs)

    def _check_sequences(self) -> None:
        """Raises a UserError if a network with memory can't be given whole sequences."""
        config = self.config
        if self.env.task is not None:
            raise UserError("networks with memory need --visit all")
        if config.batch_size % config.rollout_steps:
            raise UserError(
                f"--batch_size {config.batch_size} must be a multiple of --rollout_steps "
                f"{config.rollout_steps}: networks with memory learn from whole rollouts of envs"
            )

    def choose(self) -> np.ndarray:
        if self.rollout.filled == 0:
            self.rollout.memory = self.memory
        return super().choose()

    def store(self, act: np.ndarray, step: Step) -> None:
        spec = self.env.spec
        normaliser = self.session.normaliser
        rew = normaliser.rew(to_tasks(step.rew, spec, step.task))
        row = {
            "obs": self.normalised_obs,
            "act": act,
            "obs2": normaliser.obs(step.obs2),
            "rew": from_tasks(rew, spec, step.task),
            "done": step.terminated,
            "truncated": step.truncated,
            "end": step.terminated | step.truncated,
            "time": self.episodes.length,
        }
        if step.task is not None:
            row["task"] = step.task
        self.rollout.store(**row)

    def cut(self) -> None:
        self.rollout.cut()

    def learn(self, ended: bool) -> None:
        if self.rollout.full:
            self.update()

    @property
    def updates(self) -> int:
        return self._updates

    def update(self) -> None:
        """All epochs and minibatches of the rollout, in one call."""
        session = self.session
        config = self.config
        rollout = self.rollout
        count = self.minibatches * config.update_epochs
        left = (session.total_steps - self.step) // (config.rollout_steps * self.env.num_envs)
        total = self._updates + (1 + left) * count
        with session.timer("update"):
            data, info = self.algo.prepare(rollout)
            order = rollout.minibatch_order(
                config.update_epochs, config.batch_size, self.sample_rng
            )
            batches = rollout.batches(data, order)
            updates = Update(
                lr=session.schedule(self._updates, count, total),
                seed=self.sample_rng.integers(0, 2**31, (count, 2), np.int32),
                number=np.arange(self._updates, self._updates + count, dtype=np.int32),
                present=rollout.presence(count),
                repeats=rollout.repeats(order),
            )
            info |= rollout.visited(self.algo.update(batches, updates, count), session.logger.tasks)
            rollout.clear()
            self.algo.refresh()
        check_finite(self.step, **info)
        session.logger.store(**info, Updates=len(info["KL"]))
        self._updates += count
        if session.terminal:
            session.terminal.advance(self.step)

    def state(self) -> dict[str, Any]:
        return super().state() | {
            "updates": self._updates,
            "sample_rng": self.sample_rng.bit_generator.state,
            "rollout": self.rollout.state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self._updates = state["updates"]
        self.sample_rng.bit_generator.state = state["sample_rng"]
        self.rollout.load_state(state["rollout"])
