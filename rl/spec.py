"""What flows from envs to gradients, and what an algorithm may know of an env."""

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional, TypeAlias, TypeVar, Union

import numpy as np

from rl.config import UserError

if TYPE_CHECKING:
    import tensorflow as tf

# On the host a NumPy array, in an update a tensor.
Array: TypeAlias = Union[np.ndarray, "tf.Tensor"]
# Of a policy, of every env: an array whose leading axes are `(*batch_dims, envs)`; `()` without.
Memory: TypeAlias = Union[np.ndarray, tuple[()]]


@dataclasses.dataclass(frozen=True)
class Field:
    """The shape and the type of one value, such as an observation of one env.

    Attributes:
      shape: without the axes of envs, tasks and batches. dtype: its name in NumPy.
    """

    shape: tuple[int, ...] = ()
    dtype: str = "float32"

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes it has."""
        return self.size * np.dtype(self.dtype).itemsize

    def fits(self, array: np.ndarray) -> bool:
        """Whether an array is of this shape and type."""
        return array.shape == self.shape and array.dtype == np.dtype(self.dtype)

    def zeros(self, *lead: int) -> np.ndarray:
        """An array of zeros `(*lead, *shape)`."""
        return np.zeros((*lead, *self.shape), self.dtype)


@dataclasses.dataclass(frozen=True)
class EnvSpec:
    """What the observations and actions of an env are.

    Attributes:
      env_id: the full id.
      obs: an observation: flat and float32, but images `(height, width, channels)`, or any other
        order of axes, as the env gives them.
      act: an algorithm's action, float32 `(act_dim,)`: in units, or numbers of choices.
      act_shape: shape of the env's own action.
      act_low, act_high: float32 `(act_dim,)` bounds of the env's own action, finite.
      choices: how many there are for each number of an action; empty where actions are continuous.
      tasks: names of the tasks; none for a single task, whose batches have no task axis.
      reward_threshold: the return at which Gymnasium calls the env solved, or None.
      act_dtype: type of the env's own action.
      obs_shape: shape of the env's own observation; None: that of `obs`.
    """

    env_id: str
    obs: Field
    act: Field
    act_shape: tuple[int, ...]
    act_low: np.ndarray
    act_high: np.ndarray
    choices: tuple[int, ...] = ()
    tasks: tuple[str, ...] = ()
    reward_threshold: float | None = None
    act_dtype: str = "float32"
    obs_shape: tuple[int, ...] | None = None

    @property
    def has_images(self) -> bool:
        """Whether observations are images, which aren't flattened."""
        return len(self.obs.shape) == 3

    @property
    def obs_dim(self) -> int:
        """Size of a flat observation.

        Raises:
          UserError: observations are images.
        """
        if self.has_images:
            raise UserError(
                f"{self.env_id}: observations of shape {self.obs.shape} are images, and flat ones "
                "are needed here"
            )
        return self.obs.size

    @property
    def act_dim(self) -> int:
        """Size of an action."""
        return self.act.size

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
        the end itself. Where there are `choices` they give the number of each, from 0.
        `rl.networks.actor_critic.env_action` does the same in TensorFlow.
        """
        if self.choices:
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


class Batch(NamedTuple):
    """Transitions that an off-policy update learns from, float32.

    `...` is `()` or `(num_tasks,)`. Of an n-step return rew is the discounted sum of rewards, and
    obs2 and done belong to its last step. done is 1 where that terminated, never at a time limit.
    gamma is the discount of what follows, weight the transition's in the critics' loss.
    """

    obs: Array  # (..., batch, obs_dim)
    act: Array  # (..., batch, act_dim), in units
    rew: Array  # (..., batch)
    obs2: Array  # (..., batch, obs_dim)
    done: Array  # (..., batch)
    gamma: Array  # (..., batch)
    weight: Array  # (..., batch)


class RolloutBatch(NamedTuple):
    """Steps of a rollout that an on-policy update learns from, float32; `...` as in Batch.

    ret and out are what the critic's output should be, and what it was when the rollout ended; None
    where no network predicts values. For networks with memory the steps are whole sequences, one
    after another; memory is theirs before each, and start is 1 where it is reset.
    """

    obs: Array  # (..., batch, obs_dim)
    act: Array  # (..., batch, act_dim), as the policy drew it
    log_prob: Array  # (..., batch), density of act when it was drawn
    adv: Array  # (..., batch), its advantage
    ret: Optional[Array] = None  # (..., batch)
    out: Optional[Array] = None  # (..., batch)
    memory: Optional[Array] = None  # (..., sequences, *memory_shape)
    start: Optional[Array] = None  # (..., batch)


class Update(NamedTuple):
    """What one update is told beside its batch.

    lr is the fraction of each learning rate, seed two int32 for its random draws, number how many
    updates came before it. present `(num_tasks,)` is 0 for tasks that have no samples in the batch;
    None: all have. repeats `(num_tasks,)` is 1 for tasks that have a sample in the batch more than
    once; None: none has.
    """

    lr: Array
    seed: Array
    number: Array
    present: Optional[Array] = None
    repeats: Optional[Array] = None


Fields = TypeVar("Fields", bound=Union[Batch, RolloutBatch, Update])


def map_fields(function: Callable[[Array], Any], fields: Fields) -> Fields:
    """The same tuple of what `function` makes of each field; what is None stays None."""
    changed = {
        name: None if value is None else function(value) for name, value in fields._asdict().items()
    }
    return type(fields)(**changed)
