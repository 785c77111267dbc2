"""Prioritised replay: transitions with a large TD error are sampled more often.

Schaul et al., 2015: https://arxiv.org/abs/1511.05952 (the proportional variant).
Differs from the paper: a burst's batches are all drawn before its first update, so priorities
change between bursts, not between updates.
"""

from typing import Any

import numpy as np

from rl.buffers import ReplayBuffer


class SumTree:
    """Nonnegative values of `capacity` leaves, with draws in proportion to them in O(log
    capacity)."""

    def __init__(self, capacity: int) -> None:
        self.size = 1 << max(1, (capacity - 1).bit_length())
        self.tree = np.zeros(
            2 * self.size
        )  # node i has the children 2i and 2i + 1; leaves are the second half

    @property
    def leaves(self) -> np.ndarray:
        """The values, `(size,)`."""
        return self.tree[self.size :]

    def set(self, index: np.ndarray, values: np.ndarray) -> None:
        """Sets some leaves; where `index` repeats, the last value counts."""
        self.leaves[index] = values
        nodes = np.unique((index + self.size) // 2)
        while nodes[0] > 0:
            self.tree[nodes] = self.tree[2 * nodes] + self.tree[2 * nodes + 1]
            nodes = np.unique(nodes // 2)

    def find(self, mass: np.ndarray) -> np.ndarray:
        """The leaves at which the running sum of all values passes `mass`, each in [0, total)."""
        nodes = np.ones(mass.shape, int)
        while nodes.flat[0] < self.size:
            nodes *= 2
            left = self.tree[nodes]
            right = (mass >= left) & (self.tree[nodes + 1] > 0)
            mass = np.where(right, mass - left, mass)
            nodes += right
        return nodes - self.size


class PrioritisedReplay(ReplayBuffer):
    """Draws transition i with probability p_i^alpha / sum, and weighs it by (N P(i))^-beta / the
    batch's largest.

    p is the absolute TD error of the last update with it; a new transition has the largest p so
    far.

    Args:
      alpha: 0 is uniform, 1 fully by priority. beta0: beta at the start; 1, its end, corrects all
        the bias.
    """

    def __init__(self, *args: Any, alpha: float = 0.6, beta0: float = 0.4, **options: Any) -> None:
        super().__init__(*args, **options)
        self.alpha, self.beta0, self.beta = alpha, beta0, beta0
        self.trees = [SumTree(self.capacity) for _ in range(self.num_tasks)]
        self.largest, self.known = 1.0, 0  # p^alpha of a new transition; how many have had one

    def _draw(
        self, count: int, batch_size: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        if self.known < self.total:
            new = np.arange(max(self.known, self.total - self.capacity), self.total) % self.capacity
            for tree in self.trees:
                tree.set(new, np.full(len(new), self.largest))
            self.known = self.total
        strata = (
            np.arange(batch_size) + rng.random((self.num_tasks, count, batch_size))
        ) / batch_size
        rows = np.stack([tree.find(part * tree.tree[1]) for tree, part in zip(self.trees, strata)])
        share = np.stack([tree.leaves[part] / tree.tree[1] for tree, part in zip(self.trees, rows)])
        weight = (len(self) * share) ** -self.beta
        weight /= weight.max(axis=-1, keepdims=True)
        return rows.reshape(self.num_tasks, -1), weight.reshape(self.num_tasks, -1).astype(
            np.float32
        )

    def progress(self, done: float) -> None:
        """Told which share of the run's updates is done."""
        self.beta = self.beta0 + (1 - self.beta0) * done

    def learn(self, row: np.ndarray, error: np.ndarray) -> None:
        """Priorities from absolute TD errors, both `(count, *batch_dims, batch_size)`."""
        priority = (np.asarray(error, float) + 1e-6) ** self.alpha
        self.largest = max(self.largest, float(priority.max()))
        for task, tree in enumerate(self.trees):
            index = (slice(None), task) if self.batch_dims else slice(None)
            tree.set(row[index].reshape(-1), priority[index].reshape(-1))

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs besides the rows."""
        leaves = [tree.leaves[: len(self)].copy() for tree in self.trees]
        return {"leaves": leaves, "largest": self.largest, "known": self.known}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        self.largest, self.known = state["largest"], state["known"]
        for tree, leaves in zip(self.trees, state["leaves"]):
            if len(leaves):
                tree.set(np.arange(len(leaves)), leaves)
