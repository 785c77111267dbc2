"""What flows from envs to gradients, and what an algorithm may know of an env."""

import dataclasses
import functools
from typing import NamedTuple, Optional, Union

import numpy as np

# Of a policy, of every env: an array whose leading axes are `(*batch_dims, envs)`; `()` without.
Memory = Union[np.ndarray, tuple[()]]


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


class Step(NamedTuple):
    """Result of one step of every env; all arrays have the leading axis `num_envs`.

    obs2 is the observation the step led to, even where the episode ended. obs is the one to act on
    next: the reset observation where it ended, obs2 elsewhere. A step that both terminates and
    truncates counts as terminated. success tells whether an env's goal is met now; it is False for
    envs that tell nothing, and None if none of them tells.
    """

    obs2: np.ndarray
    rew: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    obs: np.ndarray
    success: Optional[np.ndarray] = None
    task: Optional[np.ndarray] = None  # the episode's, where envs go from task to task
