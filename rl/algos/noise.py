"""Exploration noise for deterministic policies, drawn on the host from a generator that can be saved."""

from typing import Any

import numpy as np


class GaussianNoise:
    """Independent normal noise of standard deviation `std`."""

    def __init__(self, std: float, theta: float = 0.0) -> None:
        del theta
        self.std = std
        self.value = np.zeros(0, np.float32)  # no memory

    def __call__(self, shape: tuple[int, ...], start: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A draw of `shape` `(num_envs, act_dim)`; `start` `(num_envs,)` marks new episodes."""
        del start
        return self.std * rng.standard_normal(shape, np.float32)


class OrnsteinUhlenbeckNoise:
    """Noise that drifts: x <- x - theta * x + std * N(0, 1), from 0 in each episode.

    Uhlenbeck & Ornstein, 1930; for DDPG, Lillicrap et al., 2015 (theta 0.15, std 0.2, unit time step).
    """

    def __init__(self, std: float, theta: float = 0.15) -> None:
        self.std, self.theta = std, theta
        self.value = np.zeros(0, np.float32)

    def __call__(self, shape: tuple[int, ...], start: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """As for GaussianNoise."""
        if self.value.shape != shape:
            self.value = np.zeros(shape, np.float32)
        self.value = np.where(start[:, None], np.float32(0), self.value)
        drift = np.float32(self.theta) * self.value
        self.value = self.value - drift + np.float32(self.std) * rng.standard_normal(shape, np.float32)
        return self.value


NOISES: dict[str, Any] = {"gaussian": GaussianNoise, "ou": OrnsteinUhlenbeckNoise}
