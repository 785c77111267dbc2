"""What every loop does: it collects a step of every env, lets the algorithm learn, tests, saves,
stops and goes on from where it was. It knows no algorithm."""

from typing import Any

import numpy as np

from rl.envs.interface import VectorEnv
from rl.spec import Step
from rl.training.contracts import Learner, Policy
from rl.training.episodes import Episodes
from rl.training.finite import check_finite, check_obs, check_step
from rl.training.policy import EnvPolicy
from rl.training.session import Session, Stream


class Loop:
    """One run of an algorithm on `env`, a VectorEnv, in the frame of a Session.

    Subclasses have `store`, `cut`, `learn` and `updates`, and call `begin` when they are ready.

    Attributes:
      step: env steps so far, of all envs together. obs: `(num_envs, ...)`, what to act on next.
      normalised_obs: `obs` as it was normalised when the policy last acted. The statistics move on
        before the step is stored.
      memory: the policy's. replay: what checkpoints write row by row.
    """

    replay: Any
    normalised_obs: np.ndarray

    def __init__(self, algo: Learner, env: VectorEnv, session: Session) -> None:
        self.algo = algo
        self.env = env
        self.session = session
        self.act_rng = np.random.default_rng(session.seed_for(Stream.EXPLORATION))
        self.step = 0
        self.memory = self.env_policy().initial_memory(env.num_envs)

    def begin(self, obs: np.ndarray) -> None:
        """Starts afresh in every env, from `obs`."""
        check_obs(obs, self.env, f"at env step {self.step}")
        self.obs = obs
        self.episodes = Episodes(len(obs), self.env.spec.tasks)
        self.session.normaliser.observe(obs)
        self.cut()

    def train(self, total_steps: int) -> None:
        """Goes on to `total_steps` env steps, or until the session is told to stop."""
        while self.step < total_steps:
            ended = self.collect()
            self.learn(ended)
            if self.step % self.session.config.steps_per_epoch == 0:
                self.finish_updates()
                self.session.end_epoch(self)
            elif self.session.stopping:
                # A run that goes on would act by the policy from before the burst under way until
                # the next. That is what its checkpoint must hold, beside what the burst changed.
                self.finish_updates(refresh_policy=False)
                self.session.stop(self)
            if self.session.stopped:
                return

    def collect(self) -> bool:
        """One step of every env. Returns whether an episode ended."""
        session = self.session
        with session.timer("act"):
            act = self.choose()
            check_finite(self.step, action=act)
        with session.timer("env"):
            step = self.env.step(self.env.spec.env_action(act))
        check_step(step, self.env, f"at env step {self.step + self.env.num_envs}")
        end = step.terminated | step.truncated
        session.normaliser.observe(step.obs, step.rew, end, step.task, step.terminated)
        self.store(act, step)
        self.step += self.env.num_envs
        self.obs = step.obs
        return self.episodes.step(step, end, session.logger)

    def env_policy(self) -> EnvPolicy:
        """What acts in the envs of training."""
        return EnvPolicy(self.policy_to_collect(), self.env, self.session.normaliser)

    def choose(self) -> np.ndarray:
        """Unit actions `(num_envs, act_dim)`, exploring."""
        self.normalised_obs = self.session.normaliser.obs(self.obs)
        act, self.memory = self.env_policy().act_on(
            self.normalised_obs, self.memory, self.episodes.start, self.act_rng
        )
        return act

    # What a kind of loop has, or does otherwise ---------------------------

    @property
    def updates(self) -> int:
        """How many there were so far."""
        raise NotImplementedError

    def policy_to_collect(self) -> Policy:
        """What acts while the run learns, on normalised observations by task."""
        return self.algo.policy

    def policy_to_test(self) -> Policy:
        """What plays the test episodes; a loop may let it adapt first."""
        return self.algo.policy

    def store(self, act: np.ndarray, step: Step) -> None:
        """Keeps the transitions from `self.obs` by the unit actions `act` to `step`."""
        raise NotImplementedError

    def cut(self) -> None:
        """Ends every env's trajectory at its newest step, as a truncation does."""
        raise NotImplementedError

    def learn(self, ended: bool) -> None:
        """Makes the updates that are due after a step of every env; `ended`: whether an episode
        did."""
        raise NotImplementedError

    def finish_updates(self, refresh_policy: bool = True) -> None:
        """Waits for updates that go on beside the loop. With `refresh_policy` the policy then takes
        the new weights."""

    # State ----------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All that the next steps depend on, besides the algorithm, the replay's rows and the
        envs."""
        return {
            "step": self.step,
            "obs": self.obs,
            "memory": self.memory,
            "episodes": self.episodes.state(),
            "rng": self.act_rng.bit_generator.state,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        self.step = state["step"]
        self.obs = state["obs"]
        if isinstance(self.memory, np.ndarray):
            self.memory = state["memory"]
        self.episodes.load_state(state["episodes"])
        self.act_rng.bit_generator.state = state["rng"]
