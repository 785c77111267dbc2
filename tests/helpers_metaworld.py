"""Steps of Meta-World's simulators, and comparing them."""

import numpy as np

TWO = "MT:reach,push"


def random_steps(env, count, seed=0):
    """`count` steps of random actions that press downwards, where things can be touched."""
    rng = np.random.default_rng(seed)
    low = np.array([-1, -1, -1.5, -1])
    high = np.array([1, 1, 0.5, 1])
    steps = []
    for _ in range(count):
        act = rng.uniform(low, high, (env.num_envs, 4)).astype(np.float32)
        steps.append(env.step(act))
    return steps


def assert_same(ours, theirs):
    """Every field of every step, exactly."""
    for got, want in zip(ours, theirs, strict=True):
        for field, other in zip(got, want, strict=True):
            np.testing.assert_array_equal(field, other)
