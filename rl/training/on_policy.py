"""The on-policy loop: a rollout, many epochs of minibatches of it, the next rollout. It knows no
algorithm.

An algorithm has `act(obs)` and `policy(obs, rng)` to act, `evaluate(obs, obs2, act, time)` for what
a rollout is worth, `targets(ret, mask)` for a critic or else a `baseline` to `fit`, and
`update(batches, updates, count) -> info`. A `baseline` knows the time, so that its values are of
what an episode still brings, whatever ends it.
"""

import types
from typing import Any

import numpy as np

from rl.buffers.rollout import Rollout
from rl.buffers.visited_rollout import VisitedRollout
from rl.config import UserError
from rl.flags.on_policy import Config
from rl.spec import Update
from rl.training.config import check_rollouts
from rl.training.episodes import Episodes
from rl.training.finite import check_finite, check_obs, check_step
from rl.training.policy import from_tasks, to_tasks
from rl.training.session import Session


class OnPolicy:
    """One run of an on-policy algorithm on `env`, a VectorEnv, in the frame of a Session."""

    flags = Config

    def __init__(self, algo: Any, env: Any, config: Config, session: Session) -> None:
        self.algo = algo
        self.env = env
        self.config = config
        self.session = session
        spec = env.spec
        self.replay = types.SimpleNamespace(
            total=0, capacity=0
        )  # nothing is kept from one rollout to the next
        self.act_rng, self.sample_rng = (np.random.default_rng(session.seed_for(k)) for k in (3, 4))
        size = (spec, config.rollout_steps, env.num_envs)
        self.rollout = Rollout(*size) if env.task is None else VisitedRollout(*size, env.max_ep_len)
        self.minibatches = self.rollout.steps_per_task // config.batch_size
        if not self.minibatches:
            raise UserError(
                f"--batch_size {config.batch_size} is more than the steps of a task in a rollout"
            )
        check_rollouts(config.rollout_steps, env.num_envs, session.total_steps)
        self.step = 0
        self.updates = 0
        self.begin(env.reset(session.seed_for(0)))

    def begin(self, obs: np.ndarray) -> None:
        """Starts afresh in every env, from `obs`."""
        check_obs(obs, self.env, f"at env step {self.step}")
        self.obs = obs
        self.episodes = Episodes(len(obs), self.env.spec.tasks)
        self.session.normaliser.observe(obs)
        self.rollout.cut()

    def train(self, total_steps: int) -> None:
        """Goes on to `total_steps` env steps, or until the session is told to stop."""
        while self.step < total_steps:
            self.collect()
            if self.rollout.filled == self.config.rollout_steps:
                self.update()
            if self.step % self.session.config.steps_per_epoch == 0:
                self.session.end_epoch(self)
            elif self.session.stopping:
                self.session.stop(self)
            if self.session.stopped:
                return

    def collect(self) -> None:
        """One step of every env, into the rollout."""
        session = self.session
        spec = self.env.spec
        count = self.env.num_envs
        task = self.env.task
        with session.timer("act"):
            seen = session.normaliser.obs(self.obs)
            act = self.algo.policy(to_tasks(seen, spec, task), self.act_rng)
            act = from_tasks(act, spec, task)
            check_finite(self.step, action=act)
            act = act.reshape(count, -1)
        with session.timer("env"):
            step = self.env.step(spec.env_action(act))
        check_step(step, self.env, f"at env step {self.step + count}")
        end = step.terminated | step.truncated
        session.normaliser.observe(step.obs, step.rew, end, step.task)
        rew = session.normaliser.rew(to_tasks(step.rew, spec, task))
        row = {
            "obs": seen,
            "act": act,
            "obs2": session.normaliser.obs(step.obs2),
            "rew": from_tasks(rew, spec, task),
            "time": self.episodes.length,
        }
        if task is not None:
            row["task"] = task
        done = end if self.algo.baseline else step.terminated
        self.rollout.store(**row, done=done, end=end)
        self.obs = step.obs
        self.step = self.step + count
        self.episodes.step(step, end, session.logger)

    def update(self) -> None:
        """All epochs and minibatches of the rollout, in one call."""
        session = self.session
        config = self.config
        count = self.minibatches * self.config.update_epochs
        left = (session.total_steps - self.step) // (config.rollout_steps * self.env.num_envs)
        total = self.updates + (1 + left) * count
        with session.timer("update"):
            data, info = self.rollout.finish(self.algo)
            batches = self.rollout.minibatches(
                data, config.update_epochs, config.batch_size, self.sample_rng
            )
            updates = Update(
                lr=session.schedule(self.updates, count, total),
                seed=self.sample_rng.integers(0, 2**31, (count, 2), np.int32),
                number=np.arange(self.updates, self.updates + count, dtype=np.int32),
                present=self.rollout.presence(count),
            )
            learned = self.algo.update(batches, updates, count)
            info |= self.rollout.visited(learned, session.logger.tasks)
            self.algo.refresh()
        check_finite(self.step, **info)
        session.logger.store(**info, Updates=len(info["KL"]))
        self.updates += count
        if session.terminal:
            session.terminal.advance(self.step)

    def state(self) -> dict[str, Any]:
        """All that the next steps depend on, besides the algorithm and the envs."""
        rngs = [rng.bit_generator.state for rng in (self.act_rng, self.sample_rng)]
        state = {"step": self.step, "updates": self.updates, "obs": self.obs, "rngs": rngs}
        return state | {"rollout": self.rollout.state(), "episodes": self.episodes.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        self.step = state["step"]
        self.updates = state["updates"]
        self.obs = state["obs"]
        for rng, saved in zip((self.act_rng, self.sample_rng), state["rngs"]):
            rng.bit_generator.state = saved
        self.rollout.load_state(state["rollout"])
        self.episodes.load_state(state["episodes"])
