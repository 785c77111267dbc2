"""What an algorithm may know of an env: sizes and bounds, never the env itself."""

import dataclasses
import functools

import gymnasium as gym
import numpy as np

from rl.config import UserError


@dataclasses.dataclass(frozen=True)
class EnvSpec:
    """Sizes and bounds of an env whose observations and actions are flattened.

    Attributes:
      env_id: the full id.
      obs_dim, act_dim: sizes of a flat observation and a flat action.
      act_shape: shape of the env's own action.
      act_low, act_high: float32 `(act_dim,)` bounds of an action, finite.
      num_actions: None, or the number of choices; an action is then a whole number in the bounds,
        as float32 `(1,)`.
      tasks: names of the tasks; none for a single task, whose batches have no task axis.
      reward_threshold: the return at which Gymnasium calls the env solved, or None.
    """

    env_id: str
    obs_dim: int
    act_dim: int
    act_shape: tuple[int, ...]
    act_low: np.ndarray
    act_high: np.ndarray
    num_actions: int | None = None
    tasks: tuple[str, ...] = ()
    reward_threshold: float | None = None

    @property
    def num_tasks(self) -> int | None:
        """Length of the task axis, None without one."""
        return len(self.tasks) or None

    @property
    def batch_dims(self) -> tuple[int, ...]:
        """Leading axes of every batch: `()` or `(num_tasks,)`."""
        return (len(self.tasks),) if self.tasks else ()

    @functools.cached_property
    def act_center(self) -> np.ndarray:
        """Middle of the action range, float64 `(act_dim,)`."""
        return (self.act_high.astype(float) + self.act_low) / 2

    @functools.cached_property
    def act_limit(self) -> np.ndarray:
        """Half the width of the action range, float64 `(act_dim,)`."""
        return (self.act_high.astype(float) - self.act_low) / 2

    @functools.cached_property
    def act_reach(self) -> np.ndarray:
        """`act_limit` and a hair more, by which -1 and 1 get past all rounding to the bounds."""
        return self.act_limit * (1 + 2**-50)

    @functools.cached_property
    def acts_in_units(self) -> bool:
        """Whether the bounds are -1 and 1, so that there is nothing to scale."""
        return bool((self.act_low == -1).all() and (self.act_high == 1).all())

    def env_action(self, act: np.ndarray) -> np.ndarray:
        """The env's own actions for those of an algorithm, `(..., act_dim)`: a new float32 array.

        Algorithms act in units: -1 is `act_low`, 1 is `act_high`, and what lies beyond counts as
        the end itself. Where there is a choice among `num_actions` they give its number, from 0.
        `rl.networks.actor_critic.env_action` does the same in TensorFlow.
        """
        if self.num_actions:
            return act + self.act_low
        if self.acts_in_units:
            within = np.minimum(np.maximum(act, self.act_low), self.act_high)
            return within.astype(np.float32, copy=False)
        wide = self.act_center + self.act_reach * act  # float64: to float32 it rounds once
        return np.clip(wide, self.act_low, self.act_high).astype(np.float32)

    def by_task(self, obs: np.ndarray) -> np.ndarray:
        """Observations `(num_envs, obs_dim)` with the task axis in front, if there is one."""
        return obs.reshape(*self.batch_dims, -1, self.obs_dim)


def spec_of(env_id: str, env: gym.Env) -> EnvSpec:
    """The spec of a Gymnasium env.

    Raises:
      UserError: the observation is no Box, or the action no Discrete and no Box with finite bounds.
    """
    obs_space = env.observation_space
    act_space = env.action_space
    registered = env.spec
    if not isinstance(obs_space, gym.spaces.Box):
        raise UserError(f"{env_id}: observation space {obs_space} is not supported, only Box is")
    if len(obs_space.shape) > 2:
        raise UserError(
            f"{env_id}: observations of shape {obs_space.shape} are images, which need networks "
            "that there are none of yet"
        )
    if not isinstance(act_space, (gym.spaces.Box, gym.spaces.Discrete)):
        raise UserError(
            f"{env_id}: action space {act_space} is not supported, only Box and Discrete are"
        )
    if isinstance(act_space, gym.spaces.Discrete):
        low = np.array([act_space.start], np.float32)
        actions = {"act_low": low, "act_high": low + np.float32(act_space.n - 1)}
        actions |= {"act_shape": (), "num_actions": int(act_space.n)}
    elif act_space.is_bounded():
        actions = {
            key: getattr(act_space, key[4:]).astype(np.float32).reshape(-1)
            for key in ("act_low", "act_high")
        }
        actions |= {"act_shape": act_space.shape}
    else:
        raise UserError(
            f"{env_id}: action space {act_space} is unbounded; actions need finite bounds"
        )
    return EnvSpec(
        env_id=env_id,
        obs_dim=int(np.prod(obs_space.shape)),
        act_dim=len(actions["act_low"]),
        reward_threshold=registered and registered.reward_threshold,
        **actions,
    )
