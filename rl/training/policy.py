"""How an algorithm acts in a vector env."""

from typing import Any, Callable, Optional

import numpy as np


def policy(
    algo: Any, spec: Any, normaliser: Any, rng: Optional[np.random.Generator] = None
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A function from obs `(num_envs, obs_dim)` and start `(num_envs,)`, true at first steps, to actions.

    Deterministic, or exploring if there is an `rng`. Actions are `(num_envs, act_dim)`.
    """

    def act(obs: np.ndarray, start: np.ndarray) -> np.ndarray:
        seen = normaliser.obs(spec.by_task(obs))
        return (algo.act(seen) if rng is None else algo.explore(seen, start, rng)).reshape(len(obs), -1)

    return act
