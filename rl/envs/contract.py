"""What an env owes to who steps it, and what is said where it breaks that."""

import sys
import traceback
from typing import Sequence

import gymnasium as gym
import numpy as np

from rl.config import UserError

LONGEST = 300  # characters of an env's own message
NUMBERS = "biuf"  # kinds of NumPy's types
EXPECTED = {
    "reset": "reset(*, seed=None, options=None) returns an observation and a dict",
    "step": "step(action) returns an observation, a reward, terminated, truncated and a dict",
}


class EnvError(UserError):
    """An env broke its contract. `details` is the env's own traceback, which --debug shows."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


def broken(env_id: str, call: str, error: Exception) -> EnvError:
    """What to raise where method `call` of an env raised `error`, while it is handled."""
    expected = f"; {EXPECTED[call]}" if call in EXPECTED else ""
    said = f"{env_id}: {call} raised {described(error)}{expected}"
    return EnvError(said, traceback.format_exc())


def described(error: Exception) -> str:
    """An exception's type and message, on one line."""
    text = " ".join(str(error).split())[:LONGEST]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def stacked(env_id: str, call: str, obs: Sequence, shape: tuple[int, ...]) -> np.ndarray:
    """Observations that method `call` of some envs gave, as one new array `(num_envs, *shape)`.

    Raises:
      EnvError: one of them has another shape, or is no array of numbers.
    """
    try:
        array = np.array(obs)
    except ValueError:  # of unequal shapes
        array = np.empty(0, object)
    if array.shape[1:] != shape or array.dtype.kind not in NUMBERS:
        raise EnvError(f"{env_id}: {call} gave {_odd(obs, shape)}; its space has shape {shape}")
    return array


def _odd(obs: Sequence, shape: tuple[int, ...]) -> str:
    """The first observation that is not of `shape`, in words."""
    for value in obs:
        try:
            array = np.asarray(value)
        except ValueError:
            return "an observation of unequal rows"
        if array.dtype.kind not in NUMBERS:
            return f"an observation that is no array of numbers but {type(value).__name__}"
        if array.shape != shape:
            return f"an observation of shape {array.shape}"
    return "observations that make no array"


class SpaceWatch:
    """Says on stderr, once for each env id, that observations leave the env's space.

    Only the first STEPS calls look: that costs microseconds, and envs that leave it do so early.

    Args:
      space: of observations. It isn't looked at where it has no bounds.
    """

    STEPS = 10_000
    told: set[str] = set()

    def __init__(self, env_id: str, space: gym.spaces.Box) -> None:
        self.env_id = env_id
        with np.errstate(over="ignore"):  # what is too large for float32 is no bound
            self.low = np.ravel(space.low).astype(np.float32)
            self.high = np.ravel(space.high).astype(np.float32)
        bounded = bool(np.isfinite(self.low).any() or np.isfinite(self.high).any())
        self.left = self.STEPS if bounded else 0

    def look(self, obs: np.ndarray) -> None:
        """At the observations `(num_envs, ...)` of a step, while any looks are `left`."""
        self.left -= 1
        rows = obs.reshape(len(obs), -1)
        outside = (rows < self.low) | (rows > self.high)
        if not outside.any():
            return
        self.left = 0
        if self.env_id in self.told:
            return
        self.told.add(self.env_id)
        row, place = np.argwhere(outside)[0]
        print(
            f"warning: {self.env_id}: number {place} of an observation is {rows[row, place]:g}, "
            f"outside its space's [{self.low[place]:g}, {self.high[place]:g}]",
            file=sys.stderr,
        )


def number(env_id: str, rew: object) -> float:
    """A reward that may be an array of one number.

    Raises:
      EnvError: it isn't one number.
    """
    if isinstance(rew, float):
        return float(rew)
    try:
        if np.size(rew) == 1:  # type: ignore[arg-type]
            return float(np.reshape(rew, ()))  # type: ignore[call-overload]
    except (TypeError, ValueError):
        pass
    what = f"{np.size(rew)} numbers" if isinstance(rew, np.ndarray) else type(rew).__name__
    raise EnvError(f"{env_id}: step gave a reward of {what}; it takes one number")
