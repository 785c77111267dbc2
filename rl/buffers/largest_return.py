"""The largest discounted return of an episode, or of what was left of one, by task.

Nauman et al., 2025: https://arxiv.org/abs/2505.23150
Reference implementation: https://github.com/naumix/BiggerRegularizedCategorical
Differs from it:
1. what the entropy can add to a return is left out;
2. until a task's first episode has ended it is what no return exceeds, the largest reward over 1 -
   gamma; there updates begin later.
"""

from typing import Any

import numpy as np

from rl.config import UserError


class LargestReturn:
    """The largest size of a return so far, for each task.

    A return is the discounted sum of the rewards from a step on to its episode's end. Where that is
    a truncation, the mean reward of the episode counts for ever after.

    Args:
      batch_dims: `()` or `(num_tasks,)`. num_envs: in all.

    Raises:
      UserError: there is no discount.
    """

    def __init__(self, batch_dims: tuple[int, ...], num_envs: int, gamma: float) -> None:
        if gamma == 1:
            raise UserError("--rew_norm_by max needs a --gamma below 1")
        self.gamma = gamma
        self.of_return = np.zeros(batch_dims)  # 0: no episode has ended
        self.of_reward = np.zeros(batch_dims)
        self.length = np.zeros(num_envs, int)  # of each env's episode so far
        self.rewards = np.zeros((num_envs, 1))  # of each env's episode so far, and room for more

    def begin(self) -> None:
        """All envs begin episodes."""
        self.length[:] = 0

    def observe(self, rew: np.ndarray, terminated: Any, end: Any, task: Any = None) -> None:
        """Counts in a step of every env, all arrays `(num_envs,)`.

        Args:
          terminated: where the episode ended for good. end: where it ended. task: of each env's
            episode; None: the envs of a task are side by side.
        """
        envs = np.arange(len(rew))
        terminated = np.broadcast_to(terminated, len(rew))
        if task is None:
            task = envs * self.of_reward.size // len(rew)
        if self.length.max() == self.rewards.shape[1]:
            self.rewards = np.concatenate([self.rewards, np.zeros_like(self.rewards)], axis=1)
        self.rewards[envs, self.length] = rew
        self.length += 1
        largest = self.of_reward.reshape(-1)
        np.maximum.at(largest, task, np.abs(rew))
        of_return = self.of_return.reshape(-1)
        for env in np.flatnonzero(np.broadcast_to(end, len(rew))):
            size = self._largest(self.rewards[env, : self.length[env]], bool(terminated[env]))
            of_return[task[env]] = max(of_return[task[env]], size)
            self.length[env] = 0

    def _largest(self, rewards: np.ndarray, terminated: bool) -> float:
        """The largest size of a return in an episode with these rewards."""
        following = 0.0 if terminated else float(rewards.mean()) / (1 - self.gamma)
        largest = 0.0
        for reward in rewards[::-1].tolist():
            following = reward + self.gamma * following
            largest = max(largest, abs(following))
        return largest

    @property
    def size(self) -> np.ndarray:
        """`batch_dims`; 1 for tasks that have paid nothing yet."""
        bound = self.of_reward / (1 - self.gamma)
        size = np.where(self.of_return > 0, self.of_return, bound)
        return np.where(size > 0, size, 1.0)

    def pool(self, other: "LargestReturn") -> None:
        """Takes the largest that `other` has of all its tasks, for every task."""
        self.of_return = np.full_like(self.of_return, other.of_return.max())
        self.of_reward = np.full_like(self.of_reward, other.of_reward.max())

    def state(self) -> dict[str, Any]:
        """All that later sizes depend on."""
        return {
            "of_return": self.of_return.copy(),
            "of_reward": self.of_reward.copy(),
            "length": self.length.copy(),
            "rewards": self.rewards[:, : max(1, self.length.max())].copy(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        self.of_return = np.array(state["of_return"], float)
        self.of_reward = np.array(state["of_reward"], float)
        self.length = state["length"].copy()
        self.rewards = state["rewards"].copy()
