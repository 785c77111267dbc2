"""What tells a splitter where to split: evidence gathered from the gradients of updates, and the
splits that it proposes."""

from typing import Any, Iterator, Protocol, Sequence

import numpy as np
import tensorflow as tf

from rl.flags.splitting import Config
from rl.gradients.per_task import Products
from rl.splitting.criteria import CRITERIA
from rl.splitting.criterion import Criterion
from rl.splitting.lagged import LaggedEvidence
from rl.splitting.maps import nearer_to_second
from rl.splitting.proposal import Proposal


class Evidence(Protocol):
    """What a splitter asks.

    Attributes:
      halves: whether gradients of the halves of batches are needed.
      several: whether all proposals of a check are to be followed, and not a few.
      variables: what updates change.
    """

    halves: bool
    several: bool

    @property
    def variables(self) -> list[tf.Variable]:
        """What updates change."""

    def state(self) -> dict[str, np.ndarray]:
        """All there is, besides the variables."""

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Goes back to `state`."""

    def observe(self, regions: list[Any], products: Products, present: tf.Tensor) -> None:
        """Counts in an update; runs inside compiled ones.

        Args:
          regions: of each region its banks, each with the tasks' gradients of it.
          present: `(num_tasks,)`, 0 for tasks without samples in the update.
        """

    def end_block(self, maps: np.ndarray) -> None:
        """To be told that the updates so far make up a block, independent of the next; `maps` as
        for `proposals`."""

    def proposals(self, maps: np.ndarray, gram: np.ndarray) -> Iterator[Proposal]:
        """The splits that are called for, most urgent first.

        Args:
          maps: `(regions, num_tasks)`, the copy that each task uses.
          gram: `(regions, num_tasks, num_tasks)`, mean inner products of the tasks' gradients.
        """

    def forget(self, region: int, tasks: np.ndarray) -> None:
        """Starts over with the tasks, bool `(num_tasks,)`, of a copy that has split."""


class PairEvidence:
    """Evidence by a criterion of pairs of tasks: those over its threshold should part, and the
    other tasks of their copy go with the nearer one."""

    def __init__(self, criterion: Criterion, sizes: np.ndarray, num_tasks: int) -> None:
        self.criterion = criterion
        self.halves = criterion.halves
        self.several = criterion.several
        self.sizes = sizes
        self.num_tasks = num_tasks
        gram = tf.zeros((len(sizes), num_tasks, num_tasks))
        norms = tf.zeros((len(sizes), num_tasks))
        self.moments = {}
        for name, value in criterion.measure(Products(gram, norms, gram, norms), sizes).items():
            flags = (num_tasks, num_tasks) if len(value.shape) == 3 else (num_tasks,)
            self.moments[name] = criterion.moments(tuple(value.shape), flags)
        self._end_block = tf.function(self._end_blocks, autograph=False)

    @property
    def variables(self) -> list[tf.Variable]:
        found = []
        for moments in self.moments.values():
            found.extend(moments.variables)
        return found

    def state(self) -> dict[str, np.ndarray]:
        """As Evidence's: there is nothing else."""
        return {}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """As Evidence's."""

    def observe(self, regions: list[Any], products: Products, present: tf.Tensor) -> None:
        """As Evidence's."""
        del regions
        for name, value in self.criterion.measure(products, self.sizes).items():
            by_pair = len(value.shape) == 3
            flag = present[:, None] * present if by_pair else present
            self.moments[name].update(value, flag)

    def end_block(self, maps: np.ndarray) -> None:
        """As Evidence's."""
        del maps
        self._end_block()

    def _end_blocks(self) -> None:
        for moments in self.moments.values():
            moments.end_block()

    def proposals(self, maps: np.ndarray, gram: np.ndarray) -> Iterator[Proposal]:
        """As Evidence's; those of one copy exclude each other."""
        del gram
        stats = {name: moments.stat() for name, moments in self.moments.items()}
        verdict = self.criterion.judge(stats, self.sizes)
        count = list(stats.values())[0].count
        pairs = np.triu(np.ones((self.num_tasks, self.num_tasks), bool), 1)
        may = (maps[:, :, None] == maps[:, None]) & pairs
        may &= count >= self.criterion.least_samples
        may &= verdict.score > self.criterion.threshold()
        places = [(int(region), int(i), int(j)) for region, i, j in np.argwhere(may)]
        if self.several:
            places.sort(key=lambda place: (*place[1:], place[0]))
        else:
            places.sort(key=lambda place: -verdict.score[place])
        for region, first, second in places:
            with_second = nearer_to_second(verdict.distance[region], first, second)
            score = float(verdict.score[region, first, second])
            yield Proposal(region, (first, second), with_second, score)

    def forget(self, region: int, tasks: np.ndarray) -> None:
        """As Evidence's."""
        chosen = np.flatnonzero(tasks)
        for moments in self.moments.values():
            dimensions = len(moments.mean.shape)
            if dimensions == 3:
                moments.forget((region, *np.ix_(chosen, chosen)))
            elif dimensions == 2:
                moments.forget((region, chosen))


def make_evidence(
    config: Config, sizes: np.ndarray, num_tasks: int, regions: Sequence[Sequence[Any]]
) -> Evidence:
    """The evidence of the flag `split_criterion`.

    Args:
      sizes: `(regions,)`, parameters of a copy. regions: of each layer its banks.
    """
    if config.split_criterion == "lagged":
        return LaggedEvidence(config, regions, num_tasks)
    return PairEvidence(CRITERIA[config.split_criterion](config), sizes, num_tasks)
