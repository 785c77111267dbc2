"""Small algorithms, and batches for them."""

import numpy as np
import tensorflow as tf

from rl.gradients.optimizer import Config as OptimizerConfig
from rl.networks import MLP
from rl.spec import EnvSpec
from rl.splitting.optimizers import optimizer_maker

HAND = {  # two transitions, the second of which terminated
    "obs": np.array([[1.0], [0.0]], np.float32),
    "act": np.array([[0.5], [-0.5]], np.float32),
    "rew": np.array([1.0, 2.0], np.float32),
    "obs2": np.array([[1.0], [5.0]], np.float32),
    "done": np.array([0.0, 1.0], np.float32),
    "gamma": np.array([0.5, 0.5], np.float32),
    "weight": np.array([1.0, 1.0], np.float32),
}
DISCRETE = EnvSpec("test", 3, 1, (), np.zeros(1, "f"), np.full(1, 3, "f"), num_actions=4)


def make_spec(num_tasks=None, obs_dim=3, low=(-1.0, 0.0), high=(1.0, 4.0)):
    """Of an env whose actions have the bounds `low` and `high`."""
    low = np.array(low, np.float32)
    high = np.array(high, np.float32)
    tasks = tuple(f"task{t}" for t in range(num_tasks or 0))
    return EnvSpec("test", obs_dim, len(low), (len(low),), low, high, tasks=tasks)


def make_algo(algorithm, num_tasks=None, sizes=(8,), seed=0, spec=None, opt=None, **flags):
    """`algorithm` with an MLP of hidden layers of `sizes` for each network."""
    tf.keras.utils.set_random_seed(seed)
    make_torso = lambda out, critic=False, **options: MLP([*sizes, out], **options)
    make_opt = optimizer_maker(OptimizerConfig(**(opt or {})))
    return algorithm(spec or make_spec(num_tasks), make_torso, make_opt, algorithm.flags(**flags))


def make_batches(count, batch=4, num_tasks=None, seed=0):
    """Random batches for `count` updates of an off-policy algorithm whose spec is `make_spec`'s."""
    rng = np.random.default_rng(seed)
    lead = (count, batch) if num_tasks is None else (count, num_tasks, batch)
    batches = {
        "obs": rng.normal(size=(*lead, 3)),
        "act": rng.normal(size=(*lead, 2)),
        "obs2": rng.normal(size=(*lead, 3)),
        "rew": rng.normal(size=lead),
        "done": rng.integers(0, 2, lead),
        "gamma": np.full(lead, 0.99),
        "weight": np.ones(lead),
        "lr": np.ones(count),
    }
    batches = {key: value.astype(np.float32) for key, value in batches.items()}
    batches["seed"] = rng.integers(0, 100, (count, 2), np.int32)
    batches["number"] = np.arange(count, dtype=np.int32)
    return batches


def task_batches(name, count=3, seed=0):
    """Those of three tasks, for the algorithm with this name, PPO included."""
    batches = make_batches(count, num_tasks=3, seed=seed)
    if name == "ppo":
        for key in ("adv", "ret", "out"):
            batches[key] = batches["rew"]
        batches["log_prob"] = -3 + 0.1 * batches["rew"]
    return batches


def one(batches, i=0):
    """The batch of update `i`."""
    return {key: tf.constant(value[i]) for key, value in batches.items()}


def set_weights(net, *values):
    net.set_weights([np.array(value, np.float32) for value in values])
