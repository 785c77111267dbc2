"""Splits the regions of a network while it trains."""

from typing import Any, Sequence

import numpy as np
import tensorflow as tf

from rl.flags.splitting import Config
from rl.gradients.per_task import Products, TaskGradients
from rl.splitting.blocks import Block, Slots, blocks_of
from rl.splitting.evidence import make_evidence
from rl.splitting.maps import copies_of, sharing_score
from rl.splitting.moments import PairMeans
from rl.splitting.split_watch import SplitWatch
from rl.splitting.watch import presence


class Splitter(SplitWatch):
    """Watches the gradients of one group of a network's torsos, and splits their regions.

    Args:
      group: torsos, see `groups`. twins: those of the target network, or none. slots: function of a
        variable to its optimiser's slots.

    Attributes:
      variables: the statistics.
    """

    def __init__(
        self, group: Sequence[Any], twins: Sequence[Any], slots: Slots, config: Config
    ) -> None:
        self.blocks = blocks_of(group, twins, slots)
        super().__init__(config, self.blocks[0].bank.num_tasks)
        self.places: list[tuple[Block, int]] = []  # of each region
        for block in self.blocks:
            self.places += [(block, number) for number in range(block.count)]
        self.sizes = np.array([block.size for block, _ in self.places], float)
        self.splits = np.array([block.splits for block, _ in self.places])
        self.room = np.array([block.bank.copies for block, _ in self.places])
        banks = [block.banks for block in self.blocks]
        self.evidence = make_evidence(config, self.sizes, self.num_tasks, banks)
        self.halves = self.evidence.halves
        self.grams = PairMeans(len(self.places), self.num_tasks, config.split_decay)
        self.sharing = self.score()

    @property
    def variables(self) -> list[Any]:
        return [*self.evidence.variables, *self.grams.variables]

    @property
    def maps(self) -> np.ndarray:
        """`(regions, num_tasks)`: the copy that each task uses."""
        return np.concatenate([block.map for block in self.blocks])

    def score(self) -> float:
        return sharing_score(self.maps[self.splits], self.sizes[self.splits])

    def observe(self, tasks: TaskGradients, name: str, present: Any = None) -> None:
        flags = presence(present, self.num_tasks)
        self.count_in(tasks.regions[name], tasks.products(name), flags)

    def count_in(self, regions: list[Any], products: Products, present: tf.Tensor) -> None:
        """Counts in an update, arguments as Evidence's."""
        self.grams.update(products.gram, present)
        self.evidence.observe(regions, products, present)

    def state(self) -> dict[str, Any]:
        return super().state() | {"evidence": self.evidence.state()}

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.evidence.load_state(state["evidence"])

    def end_block(self) -> None:
        self.evidence.end_block(self.maps)

    def check(self) -> None:
        most = self._most_splits()
        changed: set[tuple[int, int]] = set()  # region and task
        done = 0
        for proposal in self.evidence.proposals(self.maps, np.array(self.grams.mean)):
            if done == most or self.sharing <= self.config.split_min_sharing:
                break
            region = proposal.region
            first, second = proposal.pair
            copy = self.maps[region]
            if not self.splits[region] or copy[first] != copy[second]:
                continue
            if self.config.split_reset and (region, first) in changed:
                continue
            if copies_of(copy) == self.room[region]:
                self._refuse(region)
                continue
            tasks = copy == copy[first]
            self.split(region, (first, second), proposal.with_second & tasks, proposal.score)
            changed.update((region, int(task)) for task in np.flatnonzero(tasks))
            done += 1

    def _most_splits(self) -> float:
        """How many regions a check may split."""
        few = max(1, round(0.005 * len(self.places)))
        return self.config.splits_per_check or (np.inf if self.evidence.several else few)

    def _refuse(self, region: int) -> None:
        """Notes, once, a region that would split if there were room for another copy."""
        known = {event["region"] for event in self.events if event["copy"] is None}
        if region not in known:
            self.events.append({"updates": self.updates, "region": region, "copy": None})

    def split(self, region: int, pair: tuple[int, int], leaves: np.ndarray, score: float) -> None:
        """The tasks that `leaves` `(num_tasks,)` go on with a new copy of a region, because of
        `pair`."""
        block, number = self.places[region]
        copy = self.maps[region]
        new = int(copies_of(copy))
        if new == self.room[region]:
            return
        tasks = copy == copy[pair[0]]
        gram = np.array(self.grams.mean[region])
        block.split(number, leaves, int(copy[pair[0]]), new, gram)
        self.sharing = self.score()
        event = {"updates": self.updates, "region": region, "tasks": list(pair), "score": score}
        self.events.append(event | {"copy": new, "moved": np.flatnonzero(leaves).tolist()})
        if self.config.split_reset:
            self.evidence.forget(region, tasks)

    def report(self) -> dict[str, Any]:
        """Maps, events, sizes and the mean cosines of each layer, as JSON values."""
        layers = [block.report() for block in self.blocks]
        ends = np.cumsum([block.count for block in self.blocks])[:-1]
        parts = np.split(np.array(self.grams.mean), ends)
        gram = np.stack([part.sum(axis=0) for part in parts])
        return self.summary(gram, layers, maps=self.maps.tolist())
