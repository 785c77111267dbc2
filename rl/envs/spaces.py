"""From the spaces of a Gymnasium env to its spec."""

import math
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from rl.config import UserError
from rl.spec import EnvSpec, Field

MOST_CHOICES = 65_536  # outputs of a policy
IMAGE_RANK = 3


class Actions(NamedTuple):
    """What an action space is: bounds `act_shape`, and how many choices each number has."""

    low: np.ndarray
    high: np.ndarray
    choices: tuple[int, ...]


def spec_of(env_id: str, env: gym.Env) -> EnvSpec:
    """The spec of a Gymnasium env.

    Raises:
      UserError: the observation is no Box or has more than three axes, or the action is not
        Discrete, MultiDiscrete, MultiBinary or a Box with finite bounds.
    """
    # An env of one's own may lack them.
    space: Any = getattr(env, "action_space", None)
    obs_space: Any = getattr(env, "observation_space", None)
    obs = _observation(env_id, obs_space)
    actions = _actions(env_id, space)
    low = _rounded_inward(np.ravel(actions.low), np.inf)
    high = _rounded_inward(np.ravel(actions.high), -np.inf)
    registered = env.spec
    return EnvSpec(
        env_id=env_id,
        obs=obs,
        act=Field(low.shape),
        act_shape=space.shape,
        act_low=low,
        act_high=high,
        choices=actions.choices,
        reward_threshold=registered and registered.reward_threshold,
        act_dtype=space.dtype.name if actions.choices else "float32",
        obs_shape=obs_space.shape,
    )


def with_flat_numbers(env: gym.Env) -> gym.Env:
    """An env whose observations, if they are single numbers, are one-hot codes of them."""
    if isinstance(getattr(env, "observation_space", None), gym.spaces.Discrete):
        return gym.wrappers.FlattenObservation(env)
    return env


def _rounded_inward(bound: np.ndarray, inside: float) -> np.ndarray:
    """A bound in float32; where rounding would leave the space, the next number towards `inside`,
    an infinity."""
    with np.errstate(over="ignore"):
        rounded = bound.astype(np.float32)
    leaves = rounded < bound if inside > 0 else rounded > bound
    return np.where(leaves, np.nextafter(rounded, np.float32(inside)), rounded)


def _observation(env_id: str, space: gym.Space) -> Field:
    """What algorithms see: images as they are, all else flat and float32."""
    if not isinstance(space, gym.spaces.Box):
        raise UserError(
            f"{env_id}: observation space {space} is not supported, only Box and Discrete are"
        )
    if len(space.shape) > IMAGE_RANK:
        raise UserError(
            f"{env_id}: observations of shape {space.shape} have more axes than an image"
        )
    if len(space.shape) == IMAGE_RANK:
        return Field(space.shape, space.dtype.name)
    return Field((math.prod(space.shape),))


def _actions(env_id: str, space: gym.Space) -> Actions:
    if isinstance(space, gym.spaces.Discrete):
        return _choices(env_id, space, space.start, space.start + space.n - 1)
    if isinstance(space, gym.spaces.MultiDiscrete):
        return _choices(env_id, space, space.start, space.start + space.nvec - 1)
    if isinstance(space, gym.spaces.MultiBinary):
        return _choices(env_id, space, np.zeros(space.shape, int), np.ones(space.shape, int))
    if not isinstance(space, gym.spaces.Box):
        raise UserError(
            f"{env_id}: action space {space} is not supported, only Box, Discrete, MultiDiscrete "
            "and MultiBinary are"
        )
    if space.dtype.kind in "iub":
        return _choices(env_id, space, space.low, space.high)
    if not space.is_bounded():
        raise UserError(f"{env_id}: action space {space} is unbounded; actions need finite bounds")
    return Actions(space.low, space.high, ())


def _choices(env_id: str, space: gym.Space, low: np.ndarray, high: np.ndarray) -> Actions:
    """Whole numbers from `low` to `high`, each of them a choice.

    Raises:
      UserError: there are more of them than a policy can have outputs.
    """
    pairs = zip(np.ravel(low).tolist(), np.ravel(high).tolist())
    choices = tuple(int(last) - int(first) + 1 for first, last in pairs)
    if sum(choices) > MOST_CHOICES:
        raise UserError(
            f"{env_id}: action space {space} has {sum(choices)} choices, more than {MOST_CHOICES}"
        )
    return Actions(low, high, choices)
