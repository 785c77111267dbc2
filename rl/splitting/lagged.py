"""When a region should split, by how gradients of one block of updates agree with those of earlier
blocks.

Ours. A block is some updates, all of a rollout or more, whose samples no other block draws. Within
it gradients are averaged, since updates from the same samples aren't independent. Of each region:

    G_i: task i's mean gradient in this block; S_i = .96 S_i + G_i, of the blocks before it
    L_ij = (<S_i, G_j> + <S_j, G_i>) / 2                                                     (1)

Given the past, the noise of G has mean 0, so that E L_ij = W <m_i, m_j> for all i and j, with W =
.96 W + 1: noise adds no bias, and no halves of batches are needed. M_ij is the running sum of L_ij
over that of W. With v a contrast of the tasks of a copy, 1 / |a| on one side a and -1 / |b| on the
other, chosen before the block,

    x = v' L v;  A = .98 A + x;  V = .98^2 V + x^2                                           (2)

Where all tasks of the copy have the same mean gradient v'G has mean 0 whatever the past, so x is a
martingale difference, and A / sqrt(V) exceeds z at a look with a chance of about exp(-z^2 / 2).
Sides are those of the two tasks that are farthest apart by

    D_ij = M_ii + M_jj - 2 M_ij                                                              (3)

and the others join the nearer of the two. A step of normalised length, as Adam's, gains

    P(s) = sum_{i, j in s} M_ij / sqrt(sum_{i, j in s} K_ij)                                 (4)

for the tasks s that share it, K_ij the mean inner product of an update's gradients. A copy splits
where A / sqrt(V) > z and P(a) + P(b) > max(P(a + b), 0), a + b being all tasks that share it.
"""

from typing import Any, Iterator, NamedTuple, Sequence

import numpy as np
import tensorflow as tf

from rl.flags.splitting import Config
from rl.gradients.per_task import Products, inner
from rl.splitting.criterion import ratio
from rl.splitting.proposal import Proposal

STATISTICS = ("products", "weights", "contrast", "evidence", "squares", "blocks")


class Agreement(NamedTuple):
    """How a block agrees with those before it.

    products: L of (1), `(regions, num_tasks, num_tasks)`. weights: W, `(num_tasks, num_tasks)`, the
    mean of two tasks'. known: bool `(num_tasks,)`, the tasks that were in this block and in one
    before; what the others have is 0.
    """

    products: np.ndarray
    weights: np.ndarray
    known: np.ndarray


class BlockMemory:
    """Sums of the tasks' gradients in this block, and a decaying sum of earlier blocks' means.

    Args:
      regions: of each layer its banks. decay: of earlier blocks, with each block.

    Attributes:
      variables: all state, two numbers for each task and parameter of a copy.
    """

    def __init__(self, regions: Sequence[Sequence[Any]], num_tasks: int, decay: float) -> None:
        self.decay = decay
        self.regions: list[list[tuple[Any, tf.Variable, tf.Variable]]] = []
        for banks in regions:
            layer = []
            for bank in banks:
                shape = list(bank.variable.shape)
                shape[bank.axis] = num_tasks
                layer.append((bank, zeros(shape), zeros(shape)))
            self.regions.append(layer)
        self.updates = zeros((num_tasks,))  # of this block, that each task was present in
        self.weight = zeros((num_tasks,))  # W
        self._compiled = tf.function(self._end_block, autograph=False)

    @property
    def variables(self) -> list[tf.Variable]:
        found = [self.updates, self.weight]
        for layer in self.regions:
            for _, current, earlier in layer:
                found += [current, earlier]
        return found

    def observe(self, regions: list[Any], present: tf.Tensor) -> None:
        """Adds an update's gradients; arguments as Evidence's."""
        self.updates.assign_add(present)
        for layer, gradients in zip(self.regions, regions, strict=True):
            for (bank, current, _), (_, gradient) in zip(layer, gradients, strict=True):
                flag = by_task(present, bank, current)
                current.assign_add(flag * tf.cast(gradient, tf.float32))

    def end_block(self) -> Agreement:
        """Compares the block with those before it, and adds it to them."""
        products, weights, known = self._compiled()
        return Agreement(np.array(products, float), np.array(weights, float), np.array(known))

    def _end_block(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        present = tf.minimum(self.updates, 1.0)
        known = present * tf.cast(self.weight > 0, tf.float32)
        both = known[:, None] * known
        products = []
        for layer in self.regions:
            bank_products = []
            for bank, current, earlier in layer:
                mean = current / by_task(tf.maximum(self.updates, 1.0), bank, current)
                bank_products.append(inner(bank.rows(earlier), bank.rows(mean)))
                decay = by_task(1 - present * (1 - self.decay), bank, current)
                earlier.assign(decay * earlier + mean)
                current.assign(tf.zeros_like(current))
            products.append(tf.add_n(bank_products))
        product = tf.concat(products, axis=0)
        product = both * (product + tf.linalg.matrix_transpose(product)) / 2
        weights = both * (self.weight[:, None] + self.weight) / 2
        self.weight.assign((1 - present * (1 - self.decay)) * self.weight + present)
        self.updates.assign(tf.zeros_like(self.updates))
        return product, weights, known > 0


class LaggedEvidence:
    """Evidence by blocks of updates, on each copy of a region as a whole.

    Args:
      regions: of each layer its banks.
    """

    halves = False
    several = True

    def __init__(self, config: Config, regions: Sequence[Sequence[Any]], num_tasks: int) -> None:
        self.config = config
        self.memory = BlockMemory(regions, num_tasks, config.split_lag)
        count = sum(banks[0].count for banks in regions)
        # Statistics of blocks are few and used outside compiled functions, hence plain arrays.
        self.products = np.zeros((count, num_tasks, num_tasks))  # the running sum of L
        self.weights = np.zeros((num_tasks, num_tasks))  # that of its W
        self.contrast = np.zeros((count, num_tasks))  # v, of all copies of a region
        # A, V and the number of blocks in them, of the copy that a task uses
        self.evidence = np.zeros((count, num_tasks))
        self.squares = np.zeros((count, num_tasks))
        self.blocks = np.zeros((count, num_tasks))

    @property
    def variables(self) -> list[tf.Variable]:
        return self.memory.variables

    def state(self) -> dict[str, np.ndarray]:
        """As Evidence's."""
        return {name: getattr(self, name).copy() for name in STATISTICS}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """As Evidence's."""
        for name in STATISTICS:
            setattr(self, name, np.array(state[name]))

    def observe(self, regions: list[Any], products: Products, present: tf.Tensor) -> None:
        """As Evidence's."""
        del products
        self.memory.observe(regions, present)

    def end_block(self, maps: np.ndarray) -> None:
        """As Evidence's."""
        self.count_in(self.memory.end_block(), maps)

    def count_in(self, block: Agreement, maps: np.ndarray) -> None:
        """Adds a block to the evidence, and chooses the contrasts of the next."""
        decay = self.config.split_memory
        together = maps[:, :, None] == maps[:, None]
        v = restricted(self.contrast, block.known, together)
        task_agreements = v * np.einsum("rij,rj->ri", block.products * together, v)
        # (2), of the task's copy.
        x = np.einsum("rij,rj->ri", together.astype(float), task_agreements)
        counted = (together & (v != 0)[:, None]).any(axis=2)
        self.evidence = np.where(counted, decay, 1) * self.evidence + x
        self.squares = np.where(counted, decay**2, 1) * self.squares + x**2
        self.blocks = self.blocks + counted
        self.products = decay * self.products + block.products
        self.weights = decay * self.weights + block.weights
        self.contrast = contrasts(self.means(), self.weights > 0, maps)

    def means(self) -> np.ndarray:
        """M, `(regions, num_tasks, num_tasks)`; 0 of tasks that were never seen together."""
        return self.products / np.where(self.weights > 0, self.weights, np.inf)

    def proposals(self, maps: np.ndarray, gram: np.ndarray) -> Iterator[Proposal]:
        """As Evidence's; at most one of each copy."""
        means = self.means()
        z = ratio(self.evidence, np.sqrt(self.squares))
        sure = (z > self.config.split_z) & (self.blocks >= self.config.split_min_blocks)
        sure &= self.contrast != 0
        found = []
        for region in np.flatnonzero(sure.any(axis=1)):
            for copy in np.unique(maps[region, sure[region]]):
                tasks = maps[region] == copy
                first = tasks & (self.contrast[region] > 0)
                second = tasks & (self.contrast[region] < 0)
                apart = gain(means[region], gram[region], first)
                apart += gain(means[region], gram[region], second)
                if apart > max(gain(means[region], gram[region], tasks), 0):
                    pair = farthest(means[region], first, second)
                    score = float(z[region, pair[0]])
                    found.append(Proposal(int(region), pair, second, score))
        yield from sorted(found, key=lambda proposal: -proposal.score)

    def forget(self, region: int, tasks: np.ndarray) -> None:
        """As Evidence's: what tells the two sides apart starts over, the means M stay."""
        for value in (self.contrast, self.evidence, self.squares, self.blocks):
            value[region, tasks] = 0


def gain(means: np.ndarray, gram: np.ndarray, tasks: np.ndarray) -> float:
    """P of (4), of a region whose M and K are `(num_tasks, num_tasks)`, for tasks bool
    `(num_tasks,)`."""
    shared = np.ix_(tasks, tasks)
    length = np.sqrt(max(float(gram[shared].sum()), 0.0))
    return float(means[shared].sum()) / length if length > 0 else 0.0


def squared_distances(means: np.ndarray) -> np.ndarray:
    """D of (3), of M `(..., num_tasks, num_tasks)`."""
    norms = np.diagonal(means, axis1=-2, axis2=-1)
    return norms[..., :, None] + norms[..., None, :] - 2 * means


def farthest(means: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[int, int]:
    """The tasks of two sides, bool `(num_tasks,)`, that are farthest apart."""
    distance = np.where(first[:, None] & second, squared_distances(means), -np.inf)
    i, j = divmod(int(distance.argmax()), len(means))
    return i, j


def contrasts(means: np.ndarray, seen: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """v, `(regions, num_tasks)`, by the sides of each copy; 0 for copies of one task.

    Args:
      means: M. seen: bool `(num_tasks, num_tasks)`, the tasks that M compares. maps: `(regions,
        num_tasks)`, the copy that each task uses.
    """
    distance = squared_distances(means)
    comparable = np.triu(seen, 1)
    rows = np.arange(len(maps))
    v = np.zeros(maps.shape)
    for copy in range(maps.max() + 1):
        tasks = maps == copy
        may = comparable & tasks[:, :, None] & tasks[:, None]
        choice = np.where(may, distance, -np.inf).reshape(len(maps), -1)
        first, second = np.divmod(choice.argmax(axis=1), maps.shape[1])
        with_second = distance[rows, first] >= distance[rows, second]
        with_second[rows, first] = False
        with_second[rows, second] = True
        splits = may.any(axis=(1, 2))[:, None]
        firsts = tasks & splits & ~with_second
        seconds = tasks & splits & with_second
        v += firsts / np.maximum(firsts.sum(axis=1, keepdims=True), 1)
        v -= seconds / np.maximum(seconds.sum(axis=1, keepdims=True), 1)
    return v


def restricted(v: np.ndarray, known: np.ndarray, together: np.ndarray) -> np.ndarray:
    """Contrasts `(regions, num_tasks)` of the tasks that are known, bool `(num_tasks,)`; 0 for
    copies of which a side has none of them.

    Args:
      together: bool `(regions, num_tasks, num_tasks)`, tasks that use the same copy.
    """
    first = (v > 0) & known
    second = (v < 0) & known
    firsts = (together & first[:, None]).sum(axis=2)
    seconds = (together & second[:, None]).sum(axis=2)
    value = first / np.maximum(firsts, 1) - second / np.maximum(seconds, 1)
    return np.where((firsts > 0) & (seconds > 0), value, 0)


def by_task(values: tf.Tensor, bank: Any, like: Any) -> tf.Tensor:
    """`(num_tasks,)` values in a shape that broadcasts to a gradient of a bank."""
    after = [1] * (len(like.shape) - bank.axis - 1)
    return tf.reshape(values, (-1, *after))


def zeros(shape: Sequence[int]) -> tf.Variable:
    """State that begins at 0."""
    return tf.Variable(tf.zeros(shape), trainable=False)
