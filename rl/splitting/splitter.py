"""Splits the regions of a network while it trains."""

from typing import Any, Sequence

import numpy as np
import tensorflow as tf

from rl.gradients.per_task import Products
from rl.splitting.blocks import Block, blocks_of
from rl.splitting.criteria import CRITERIA
from rl.splitting.maps import copies_of, partition, sharing_score
from rl.splitting.moments import Moments
from rl.splitting.watch import Watch


class Splitter(Watch):
    """Watches the gradients of one group of a network's torsos, and splits their regions.

    Args:
      group: torsos, see `groups`. twins: those of the target network, or none. slots: function of a
        variable to its optimiser's slots. config: rl.splitting's.

    Attributes:
      variables: the statistics.
    """

    def __init__(self, group: Sequence[Any], twins: Sequence[Any], slots: Any, config: Any) -> None:
        self.blocks = blocks_of(group, twins, slots)
        super().__init__(config, self.blocks[0].bank.num_tasks)
        self.criterion = CRITERIA[config.split_criterion](config)
        self.halves = self.criterion.halves
        self.places: list[tuple[Block, int]] = []  # of each region
        for block in self.blocks:
            self.places += [(block, number) for number in range(block.count)]
        self.sizes = np.array([block.size for block, _ in self.places], float)
        self.splits = np.array([block.splits for block, _ in self.places])
        self.room = np.array([block.bank.copies for block, _ in self.places])
        self.moments: dict[str, Moments] = {}
        regions = len(self.places)
        tasks = self.num_tasks
        gram = tf.zeros((regions, tasks, tasks))
        norms = tf.zeros((regions, tasks))
        for name, value in self._measure(Products(gram, norms, gram, norms)).items():
            self.moments[name] = Moments(tuple(value.shape), config.split_decay)
        self.sharing = self.score()

    @property
    def variables(self) -> list[Any]:
        found = []
        for moments in self.moments.values():
            found.extend(moments.variables)
        return found

    @property
    def maps(self) -> np.ndarray:
        """`(regions, num_tasks)`: the copy that each task uses."""
        return np.concatenate([block.map for block in self.blocks])

    def score(self) -> float:
        return sharing_score(self.maps[self.splits], self.sizes[self.splits])

    def observe(self, tasks: Any, name: str, present: Any = None) -> None:
        """Counts in TaskGradients of the group `name`; `present` as Watch's. Runs inside compiled
        updates."""
        present = self.present(present)
        for key, value in self._measure(tasks.products(name)).items():
            by_pair = len(value.shape) == 3
            flag = present[:, None] * present if by_pair else present
            self.moments[key].update(value, flag)

    def _measure(self, products: Products) -> dict[str, tf.Tensor]:
        layers = tf.split(products.gram, [block.count for block in self.blocks])
        by_layer = tf.stack([tf.reduce_sum(layer, axis=0) for layer in layers])
        return self.criterion.measure(products, self.sizes) | {"layers": by_layer}

    def check(self) -> None:
        stats = {name: moments.stat() for name, moments in self.moments.items()}
        del stats["layers"]  # for reports alone
        verdict = self.criterion.judge(stats, self.sizes)
        counts = next(iter(stats.values())).count  # the first is of pairs in every criterion
        done: set[int] = set()
        for region, first, second in self._candidates(verdict.score, counts):
            if self.sharing <= self.config.split_min_sharing:
                break
            if region in done and self.config.split_reset:
                continue
            copy = self.maps[region]
            if copy[first] != copy[second]:
                continue
            score = float(verdict.score[region, first, second])
            leaves = partition(copy, verdict.distance[region], first, second)
            self.split(region, (first, second), leaves, score)
            done.add(region)

    def _candidates(self, score: np.ndarray, counts: np.ndarray) -> list[tuple[int, int, int]]:
        """Region and pair of what may split, in the order in which it does."""
        maps = self.maps
        pairs = np.triu(np.ones((self.num_tasks, self.num_tasks), bool), 1)
        together = (maps[:, :, None] == maps[:, None]) & pairs
        may = together & self.splits[:, None, None] & (counts >= self.config.split_warmup)
        may &= score > self.criterion.threshold()
        full = copies_of(maps) == self.room
        self._refuse(np.flatnonzero(full & may.any(axis=(1, 2))))
        found = [(int(r), int(i), int(j)) for r, i, j in np.argwhere(may & ~full[:, None, None])]
        if self.criterion.several:
            return sorted(found, key=lambda place: (*place[1:], place[0]))
        most = self.config.splits_per_check or max(1, round(0.005 * len(self.places)))
        return sorted(found, key=lambda place: -score[place])[:most]

    def _refuse(self, regions: np.ndarray) -> None:
        """Notes, once each, regions that would split if there were room for another copy."""
        known = {event["region"] for event in self.events if event["copy"] is None}
        for region in set(regions.tolist()) - known:
            self.events.append({"updates": self.updates, "region": region, "copy": None})

    def split(self, region: int, pair: tuple[int, int], leaves: np.ndarray, score: float) -> None:
        """The tasks that `leaves` `(num_tasks,)` go on with a new copy of a region, because of
        `pair`."""
        block, number = self.places[region]
        copy = self.maps[region]
        new = int(copies_of(copy))
        if new == self.room[region]:
            return
        block.split(number, leaves, int(copy[pair[0]]), new)
        self.sharing = self.score()
        event = {"updates": self.updates, "region": region, "tasks": list(pair), "score": score}
        self.events.append(event | {"copy": new, "moved": np.flatnonzero(leaves).tolist()})
        if self.config.split_reset:
            for name, moments in self.moments.items():
                if name != "layers" and len(moments.variables[0].shape) > 1:
                    moments.forget(region)

    def report(self) -> dict[str, Any]:
        """Maps, events, sizes and the mean cosines of each layer, as JSON values."""
        layers = [block.report() for block in self.blocks]
        return self.summary(self.moments["layers"], layers, maps=self.maps.tolist())
