"""What training, tests and films know of envs, whatever their family."""

from typing import Any, Optional, Protocol

import numpy as np

from rl.spec import EnvSpec, Step


class VectorEnv(Protocol):
    """`num_envs` envs of one spec, which reset themselves in the step that ends an episode.

    Attributes:
      num_envs: of all tasks together; those of a task are side by side.
      task: `(num_envs,)`, the task of each, where envs go from task to task; else None.
      keeps_state: whether `state` and `load_state` can be called.
      max_ep_len: steps after which an episode is truncated.
      fps: pictures of `render` that make a second.
    """

    spec: EnvSpec
    num_envs: int
    task: Optional[np.ndarray]
    keeps_state: bool
    max_ep_len: int
    fps: int

    def reset(self, seed: Optional[int] = None) -> np.ndarray:
        """Starts an episode in every env; the same seed starts the same episodes. Returns
        observations `(num_envs, *spec.obs.shape)`."""

    def step(self, act: np.ndarray) -> Step:
        """Steps every env with its own action, `(num_envs, act_dim)`, see
        `EnvSpec.env_action`."""

    def state(self) -> Any:
        """All that later steps depend on, as a tree of arrays and JSON values."""

    def load_state(self, state: Any, obs: np.ndarray) -> None:
        """Goes back to `state`, in which the envs show `obs`. Raises a UserError if they
        don't."""

    def rebuild(self, seed: int) -> np.ndarray:
        """Starts over: a state that depends on `seed` alone. Returns observations as `reset`
        does."""

    def render(self) -> np.ndarray:
        """A picture of env 0, `(height, width, 3)` uint8."""

    def close(self) -> None:
        """Ends the envs."""
