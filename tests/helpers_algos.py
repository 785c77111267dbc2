"""Small algorithms, and batches for them."""

import numpy as np
import tensorflow as tf

from rl.experiments.build import make_torsos
from rl.gradients.optimizer import Config as OptimizerConfig
from rl.gradients.optimizer import Optimizers
from rl.spec import Batch, EnvSpec, Field, RolloutBatch, Update, map_fields

HAND = Batch(  # two transitions, the second of which terminated
    obs=np.array([[1.0], [0.0]], np.float32),
    act=np.array([[0.5], [-0.5]], np.float32),
    rew=np.array([1.0, 2.0], np.float32),
    obs2=np.array([[1.0], [5.0]], np.float32),
    done=np.array([0.0, 1.0], np.float32),
    gamma=np.array([0.5, 0.5], np.float32),
    weight=np.array([1.0, 1.0], np.float32),
)
# Of an optimiser's step by its whole rate, and of one that doesn't move.
FULL = Update(lr=np.float32(1), seed=np.array([1, 2], np.int32), number=np.int32(0))
STILL = FULL._replace(lr=np.float32(0))
DISCRETE = EnvSpec(
    "test", Field((3,)), Field((1,)), (), np.zeros(1, "f"), np.full(1, 3, "f"), choices=(4,)
)


def make_spec(num_tasks=None, obs_dim=3, low=(-1.0, 0.0), high=(1.0, 4.0)):
    """Of an env whose actions have the bounds `low` and `high`."""
    low = np.array(low, np.float32)
    high = np.array(high, np.float32)
    tasks = tuple(f"task{t}" for t in range(num_tasks or 0))
    return EnvSpec("test", Field((obs_dim,)), Field(low.shape), low.shape, low, high, tasks=tasks)


def make_algo(algorithm, num_tasks=None, sizes=(8,), seed=0, spec=None, opt=None, **flags):
    """`algorithm` with an MLP of hidden layers of `sizes` for each network."""
    tf.keras.utils.set_random_seed(seed)
    torsos = make_torsos({"hidden_sizes": sizes}, make_spec())  # of MLPs, whatever num_tasks
    optimizers = Optimizers(OptimizerConfig(**(opt or {})))
    return algorithm(spec or make_spec(num_tasks), torsos, optimizers, algorithm.flags(**flags))


def make_batches(count, batch=4, num_tasks=None, seed=0):
    """Random batches, and Updates, for `count` updates of an off-policy algorithm with the spec of
    `make_spec`."""
    rng = np.random.default_rng(seed)
    lead = (count, batch) if num_tasks is None else (count, num_tasks, batch)
    batches = Batch(
        obs=rng.normal(size=(*lead, 3)),
        act=rng.normal(size=(*lead, 2)),
        obs2=rng.normal(size=(*lead, 3)),
        rew=rng.normal(size=lead),
        done=rng.integers(0, 2, lead),
        gamma=np.full(lead, 0.99),
        weight=np.ones(lead),
    )
    return map_fields(lambda field: field.astype(np.float32), batches), make_updates(count, rng)


def make_updates(count, rng):
    """`count` Updates by the whole rate."""
    return Update(
        lr=np.ones(count, np.float32),
        seed=rng.integers(0, 100, (count, 2), np.int32),
        number=np.arange(count, dtype=np.int32),
    )


def task_batches(name, count=3, seed=0):
    """Those of three tasks, for the algorithm with this name, PPO included."""
    batches, updates = make_batches(count, num_tasks=3, seed=seed)
    if name == "ppo":
        number = batches.rew
        batches = RolloutBatch(
            obs=batches.obs,
            act=batches.act,
            log_prob=-3 + 0.1 * number,
            adv=number,
            ret=number,
            out=number,
        )
    return batches, updates


def one(batches_and_updates, i=0):
    """The batch and the Update `i`, as tensors."""
    batches, updates = batches_and_updates
    at_i = lambda field: tf.constant(field[i])
    return map_fields(at_i, batches), map_fields(at_i, updates)


def splitters_of(algo):
    """What splits the networks of an algorithm, by group."""
    found = {}
    for optimizer in algo.optimizers:
        found |= getattr(optimizer, "watches", {})
    return found


def act(policy, obs, rng=None):
    """What a policy does at `obs` `(*batch_dims, envs, obs_dim)`, at the start of episodes."""
    start = np.ones(obs.shape[:-1], bool)
    return policy.act(obs, policy.initial_memory(start.size), start, rng)[0]


def set_weights(net, *values):
    net.set_weights([np.array(value, np.float32) for value in values])
