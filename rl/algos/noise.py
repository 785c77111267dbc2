"""Exploration noise for deterministic policies, drawn on the host from a generator that can be
saved."""

import numpy as np


class Noise:
    """x <- (1 - theta) * x + std * N(0, 1), from 0 at the start of each episode.

    theta 1 is Gaussian noise without memory. A smaller theta is Ornstein-Uhlenbeck noise (1930),
    which
    drifts: for DDPG, Lillicrap et al., 2015, use theta 0.15 and std 0.2 with a unit time step.
    """

    def __init__(self, std: float, theta: float = 1.0) -> None:
        self.std = np.float32(std)
        self.theta = np.float32(theta)
        self.value = np.zeros((1, 1), np.float32)

    def __call__(
        self, shape: tuple[int, int], start: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """A draw of `shape` `(num_envs, act_dim)`; `start` `(num_envs,)` marks first steps of
        episodes."""
        kept = np.where(start[:, None], 0, (1 - self.theta) * self.value)
        self.value = kept + self.std * rng.standard_normal(shape, np.float32)
        return self.value

    def state(self) -> dict[str, np.ndarray]:
        """The noise of the last step, on which the next depends."""
        return {"value": self.value}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Goes back to `state`."""
        self.value = state["value"]
