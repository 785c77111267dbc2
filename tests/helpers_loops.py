"""Loops on the toy envs, and an algorithm for them that learns nothing."""

import types

import numpy as np

from rl import envs, training
from rl.algos.ddpg import Config as DDPGConfig
from rl.buffers.normaliser import Normaliser
from rl.training.off_policy import Config as OffPolicyConfig
from rl.training.off_policy import OffPolicy
from rl.training.on_policy import Config as OnPolicyConfig
from rl.training.on_policy import OnPolicy
from rl.training.schedule import Config as ScheduleConfig
from rl.training.schedule import Schedule

TOYS = "tests.toy_envs:"
OFF_POLICY = {
    "start_steps": 10,
    "update_after": 20,
    "update_every": 10,
    "batch_size": 4,
    "replay_size": 1000,
}
ON_POLICY = {"rollout_steps": 50, "batch_size": 25, "update_epochs": 2}


class Acting:
    """A policy without memory, by a function of obs and start."""

    def __init__(self, function):
        self.function = function

    def initial_memory(self, num_envs):
        return ()

    def act(self, obs, memory, start, rng=None):
        return self.function(obs, start), memory


class Fake:
    """Acts `acted`, explores `explored`, and remembers what it was asked to do."""

    columns = {"Loss": "mean"}
    spec = types.SimpleNamespace(tasks=(), reward_threshold=None)
    config = DDPGConfig(gamma=0.9)

    def __init__(self, loss=0.0, explored=0.25, acted=0.5):
        self.loss = loss
        self.acted = acted
        self.explored = explored
        self.counts = []
        self.batches = []
        self.updates = []
        self.starts = []
        self.policy = self

    def initial_memory(self, num_envs):
        return ()

    def act(self, obs, memory, start, rng=None):
        if rng is None:
            return np.full((len(obs), 1), self.acted, np.float32), memory
        self.starts.append(start.copy())
        return np.full((len(obs), 1), self.explored, np.float32), memory

    def update(self, batches, updates, count):
        self.counts.append(count)
        self.batches.append(batches)
        self.updates.append(updates)
        return {"Loss": np.full(count, self.loss, np.float32), "TDError": np.zeros((count, 4))}

    def refresh(self):
        pass

    def splits(self):
        return {}

    def masks(self):
        return {}

    def state(self):
        return {}

    def load_state(self, state):
        pass


def make_session(
    directory, algo, env, num_envs=1, epochs=2, steps_per_epoch=100, seed=0, limit=0, frame=None
):
    """The envs of training, and the session of a run in `directory` that two other envs test.

    env: the name of a toy env. limit: steps an episode, 0: any. frame: more of the session's flags.
    """
    vector = envs.make(TOYS + env, num_envs, max_ep_len=limit)
    tests = envs.make(TOYS + env, 2, max_ep_len=limit)
    config = training.Config(
        **{
            "epochs": epochs,
            "steps_per_epoch": steps_per_epoch,
            "num_envs": num_envs,
            **(frame or {}),
        }
    )
    session = training.Session(
        directory, algo, tests, config, seed, Normaliser(vector.spec), Schedule(ScheduleConfig())
    )
    return vector, session


def make_off_policy(
    directory,
    algo,
    env="Count",
    num_envs=1,
    epochs=2,
    steps_per_epoch=100,
    seed=0,
    limit=0,
    frame=None,
    **flags,
):
    """A loop with replay; arguments are those of `make_session`, and `flags` the loop's own."""
    vector, session = make_session(
        directory, algo, env, num_envs, epochs, steps_per_epoch, seed, limit, frame
    )
    return OffPolicy(algo, vector, OffPolicyConfig(**(OFF_POLICY | flags)), session)


def make_on_policy(
    directory,
    algo,
    env,
    num_envs=1,
    epochs=2,
    steps_per_epoch=100,
    limit=0,
    frame=None,
    **flags,
):
    """A loop with rollouts; arguments are those of `make_session`, and `flags` the loop's own."""
    vector, session = make_session(
        directory, algo, env, num_envs, epochs, steps_per_epoch, limit=limit, frame=frame
    )
    return OnPolicy(algo, vector, OnPolicyConfig(**(ON_POLICY | flags)), session)
