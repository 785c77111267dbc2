"""The exact state of any deterministic env: how its episode began, and the actions since.

Simulators keep state that no attribute shows (solver warm starts, contact caches), so a saved copy
of the visible state steps on slightly differently. Replaying the episode rebuilds all of it, for
every env whose steps depend only on its own generator and its actions, at no cost while training
and at most one episode's steps on restore.
"""

from typing import Any, Optional, Sequence

import gymnasium as gym
import numpy as np


class Replayable(gym.Wrapper):
    """Records the current episode so that it can be rebuilt. `index` is the env's place in a
    vector."""

    def __init__(self, env: gym.Env, index: int = 0) -> None:
        super().__init__(env)
        self.index = index
        self._start: dict[str, Any] = {}
        self._actions: list[np.ndarray] = []
        self._rewards: list[Any] = []
        self._options: Optional[dict[str, Any]] = None

    def set_options(self, options: Optional[Sequence[dict[str, Any]]]) -> None:
        """Gives `options[index]`, JSON values, to every later reset; None: nothing."""
        self._options = options[self.index] if options else None

    def reset(self, *, seed: Optional[int] = None, options: Optional[dict[str, Any]] = None) -> Any:
        self._start = {"seed": seed} if seed is not None else {"rng": self._generator.state}
        self._start["options"] = options or self._options
        self._actions = []
        self._rewards = []
        return self.env.reset(seed=seed, options=self._start["options"])

    def step(self, action: Any) -> Any:
        self._actions.append(np.array(action))
        result = self.env.step(action)
        self._rewards.append(result[1])
        return result

    def episode_state(self) -> dict[str, Any]:
        """How the episode began (a seed or a generator state, options), its actions, `(steps,
        ...)`, and rewards, `(steps,)`, by which one tells whether it is repeated."""
        shape = (0, *self.action_space.shape) if self.action_space.shape else (0,)
        actions = (
            np.stack(self._actions) if self._actions else np.zeros(shape, self.action_space.dtype)
        )
        rewards = np.array([float(np.reshape(reward, ())) for reward in self._rewards])
        return {**self._start, "actions": actions, "rewards": rewards}

    def replay_episode(self, states: list[dict[str, Any]]) -> tuple[np.ndarray, bool]:
        """Rebuilds the episode in `states[index]`. Returns the observation it ends with, and
        whether its rewards are those of then and no step ended it."""
        state = states[self.index]
        if "rng" in state:
            self._generator.state = state["rng"]
        self._options = state.get("options")
        obs, _ = self.reset(seed=state.get("seed"))
        ended = False
        for action in state["actions"]:
            obs, _, terminated, truncated, _ = self.step(action)
            ended = ended or terminated or truncated
        rewards = self.episode_state()["rewards"]
        return obs, not ended and np.array_equal(rewards, state["rewards"], equal_nan=True)

    @property
    def _generator(self) -> Any:
        return self.env.unwrapped.np_random.bit_generator
