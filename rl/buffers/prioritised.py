"""Prioritised replay: transitions with a large TD error are sampled more often.

Schaul et al., 2015: https://arxiv.org/abs/1511.05952 (the proportional variant).
Differs from the paper: a burst's batches are all drawn before its first update, so priorities
change between bursts, not between updates. Where bursts run while the envs go on, the batches of a
burst are drawn before the one before it has ended, and so without its errors; an epoch's first
burst has all. Errors of transitions that were overwritten meanwhile are dropped.
"""

from typing import Any

import numpy as np

from rl.buffers.replay import ReplayBuffer


class SumTree:
    """Nonnegative values of `capacity` leaves, with draws in proportion to them in O(log
    capacity)."""

    def __init__(self, capacity: int) -> None:
        self.size = 1 << max(1, (capacity - 1).bit_length())
        # Node i has the children 2i and 2i + 1; leaves are the second half.
        self.tree = np.zeros(2 * self.size)

    @property
    def leaves(self) -> np.ndarray:
        """The values, `(size,)`."""
        return self.tree[self.size :]

    def set(self, index: np.ndarray, values: np.ndarray) -> None:
        """Sets some leaves; where `index` repeats, the last value counts."""
        self.leaves[index] = values
        nodes = np.unique((index + self.size) // 2)
        while len(nodes) and nodes[0] > 0:
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

    p is the absolute TD error of the last update with it; a new transition has the largest p of its
    task so far.

    Args:
      alpha: 0 is uniform, 1 fully by priority.
      beta0: beta at the start; 1, its end, corrects all the bias.
    """

    def __init__(self, *args: Any, alpha: float = 0.6, beta0: float = 0.4, **options: Any) -> None:
        super().__init__(*args, **options)
        self.alpha = alpha
        self.beta0 = beta0
        self.beta = beta0
        self.trees = [SumTree(self.capacity) for _ in range(self.num_tasks)]
        self.largest = np.ones(self.num_tasks)  # p^alpha of a new transition
        self.known = 0  # how many transitions have had a priority

    def _draw(
        self, count: int, batch_size: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        self._enter()
        offset = rng.random((self.num_tasks, count, batch_size))
        strata = (np.arange(batch_size) + offset) / batch_size
        rows = np.empty(strata.shape, int)
        share = np.empty(strata.shape)
        for task, tree in enumerate(self.trees):
            total = tree.tree[1]
            rows[task] = tree.find(strata[task] * total)
            share[task] = tree.leaves[rows[task]] / total
        weight = (len(self) * share) ** -self.beta
        weight /= weight.max(axis=-1, keepdims=True)
        lead = (self.num_tasks, count * batch_size)
        return rows.reshape(lead), weight.reshape(lead).astype(np.float32)

    def _enter(self) -> None:
        """Gives the transitions stored since the last draw the largest priority."""
        first = max(self.known, self.total - self.capacity)
        new = np.arange(first, self.total) % self.capacity
        for tree, largest in zip(self.trees, self.largest):
            tree.set(new, np.full(len(new), largest))
        self.known = self.total

    def progress(self, done: float) -> None:
        """Told which share of the run's updates is done."""
        self.beta = self.beta0 + (1 - self.beta0) * done

    def learn(self, number: np.ndarray, error: np.ndarray) -> None:
        """Priorities from absolute TD errors; both `(count, *batch_dims, batch_size)`.

        `number` has the transitions' `numbers` when they were drawn. Those that were overwritten
        since are passed over: their rows belong to others now.
        """
        priority = (np.asarray(error, float) + 1e-6) ** self.alpha
        is_stored = number >= self.total - self.capacity
        for task, tree in enumerate(self.trees):
            of_task = (slice(None), task) if self.batch_dims else slice(None)
            self.largest[task] = max(self.largest[task], priority[of_task].max())
            there = is_stored[of_task]
            tree.set(number[of_task][there] % self.capacity, priority[of_task][there])

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs besides the rows."""
        leaves = [tree.leaves[: len(self)].copy() for tree in self.trees]
        return {"leaves": leaves, "largest": self.largest.copy(), "known": self.known}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        self.largest = state["largest"].copy()
        self.known = state["known"]
        for tree, leaves in zip(self.trees, state["leaves"]):
            tree.set(np.arange(len(leaves)), leaves)
