"""Gives tasks values of their own for single weights, while a network trains.

Ours, for the SparseSplitting of rl.networks.torsos.splitting with `--split_weights`. Notation: g_t
is task t's gradient of a weight where it shares it, else 0; c_t = g_t * sum_{s != t} g_s. Tasks'
batches are drawn apart, so that E c_t is the product of the mean gradients, and negative where t is
at odds with the others. A sample is the mean of c_t over a block of updates. The score is
-mean(c_t) / sqrt(mean(c_t^2) / n), n the samples that the averages are worth. At a check the
highest over `split_z` leave, one task of each weight at most: the others may agree without it.
"""

from typing import Any, Sequence

import numpy as np
import tensorflow as tf

from rl.config import UserError
from rl.flags.splitting import Config
from rl.networks.banks import WeightBank, part_weights
from rl.splitting.blocks import Slots, regions_of
from rl.splitting.criterion import ratio
from rl.splitting.moments import LEAST_SQUARE, BlockMoments, PairMeans
from rl.splitting.split_watch import SplitWatch
from rl.splitting.watch import presence

PORTION = 0.001  # of the weights of all tasks, that split at a check


class Overlay(SplitWatch):
    """Splitter's part for the torsos of a group that are made of WeightBanks, with the same
    arguments.

    Attributes:
      variables: the statistics.

    Raises:
      UserError: a criterion that is of regions alone, or a region that only splits as a whole.
    """

    def __init__(
        self, group: Sequence[Any], twins: Sequence[Any], slots: Slots, config: Config
    ) -> None:
        regions = regions_of(group)
        twin_regions = regions_of(twins)
        super().__init__(config, regions[0][0].num_tasks)
        if config.split_criterion not in ("conflict", Config.split_criterion):
            raise UserError(
                f"--split_criterion {config.split_criterion}: with --split_weights there is "
                "conflict alone"
            )
        self.places: list[int] = []  # of regions that are layers of weights
        self.layers: list[list[WeightBank]] = []
        self.banks: list[WeightBank] = []
        self.masks: list[list[Any]] = []  # of each bank, and of its twin
        self.stored: list[list[Any]] = []  # variables that hold each bank's values
        for place, region in enumerate(regions):
            if not isinstance(region[0], WeightBank):
                if any(bank.copy is not None for bank in region):
                    raise UserError("--std split: with --split_weights the log std can't split")
                continue
            self.places.append(place)
            self.layers.append(region)
            for number, bank in enumerate(region):
                pair = [bank]
                if twin_regions:
                    pair.append(twin_regions[place][number])
                self.banks.append(bank)
                self.masks.append([member.copy for member in pair])
                stored = [member.variable for member in pair]
                stored += [slot.variable for slot in slots(bank.variable)]
                self.stored.append(stored)
        self.moments: list[BlockMoments] = []
        for bank in self.banks:
            shape = tuple(bank.copy.shape)
            flags = (self.num_tasks, *[1] * (len(shape) - 1))
            self.moments.append(BlockMoments(shape, config.split_memory, flags))
        self.grams = PairMeans(len(self.layers), self.num_tasks, config.split_decay)
        self._end_block = tf.function(self._end_blocks, autograph=False)
        self.sharing = self.score()

    @property
    def variables(self) -> list[Any]:
        found = self.grams.variables
        for moments in self.moments:
            found.extend(moments.variables)
        return found

    @property
    def private(self) -> np.ndarray:
        """Bool `(num_tasks, weights)`: where a task has a value of its own."""
        masks = [np.array(bank.copy).reshape(self.num_tasks, -1) for bank in self.banks]
        return np.concatenate(masks, axis=1)

    def score(self) -> float:
        """The fraction, of all weights of all tasks, that a task shares with another; 1 of a single
        task, which has nobody to part from."""
        if self.num_tasks == 1:
            return 1.0
        common = ~self.private
        return float((common & (common.sum(axis=0) > 1)).mean())

    def observe(self, tasks: Any, name: str, present: Any = None) -> None:
        present = presence(present, self.num_tasks)
        regions = tasks.regions[name]
        self.grams.update(tf.gather(tasks.grams[name], self.places), present)
        moments_left = iter(self.moments)
        for place in self.places:
            for bank, gradient in regions[place]:
                flag = tf.reshape(present, (-1, *[1] * (len(bank.copy.shape) - 1)))
                next(moments_left).update(agreement(bank, gradient), flag)

    def end_block(self) -> None:
        self._end_block()

    def _end_blocks(self) -> None:
        for moments in self.moments:
            moments.end_block()

    def check(self) -> None:
        if self.sharing <= self.config.split_min_sharing:
            return
        scores = []
        for bank, moments in zip(self.banks, self.moments):
            scores.append(self.scores(bank, moments))
        all_scores = np.concatenate(scores, axis=1)
        leaves = self.choose(all_scores)
        if leaves.any():
            self.split(leaves, float(all_scores[leaves].max()))

    def scores(self, bank: WeightBank, moments: BlockMoments) -> np.ndarray:
        """`(num_tasks, weights)`; -inf: no reason to leave."""
        stat = moments.stat()
        count = stat.over(self.config.split_memory)
        score = -np.sqrt(count) * ratio(stat.mean, np.sqrt(stat.square))
        may = np.array(bank.shared())
        may &= stat.count >= self.config.split_min_blocks
        may &= stat.square >= LEAST_SQUARE
        may &= score > self.config.split_z
        return np.where(may, score, -np.inf).reshape(self.num_tasks, -1)

    def choose(self, scores: np.ndarray) -> np.ndarray:
        """Bool `(num_tasks, weights)`: what leaves, the highest scores for which tasks have
        room."""
        private = self.private
        leaves = np.zeros(scores.shape, bool)
        room = int(self.config.split_private * scores.shape[1]) - private.sum(axis=1)
        scores = np.where(room[:, None] > 0, scores, -np.inf)
        task = scores.argmax(axis=0)
        score = scores.max(axis=0)
        order = np.argsort(-score, kind="stable")[: np.count_nonzero(score > -np.inf)]
        with_room = []
        for t, left in enumerate(room):
            ranked = order[task[order] == t]
            with_room.append(ranked[: max(left, 0)])
        within = np.concatenate(with_room)
        most = self.config.splits_per_check or max(1, round(PORTION * scores.size))
        chosen = within[np.argsort(-score[within], kind="stable")][:most]
        leaves[task[chosen], chosen] = True
        return leaves

    def split(self, leaves: np.ndarray, score: float) -> None:
        """Tasks go on with values of their own, now equal to the shared ones, where `leaves` as
        `choose`'s."""
        sizes = [int(np.prod(bank.copy.shape[1:])) for bank in self.banks]
        parts = np.split(leaves, np.cumsum(sizes)[:-1], axis=1)
        for bank, part, masks, stored, moments in zip(
            self.banks, parts, self.masks, self.stored, self.moments
        ):
            leaving = part.reshape(bank.copy.shape)
            if leaving.any():
                part_weights(stored, bank.axis, leaving)
                for mask in masks:
                    mask.assign(np.array(mask) | leaving)
                if self.config.split_reset:
                    moments.forget((slice(None), leaving.any(axis=0)))
        counts = []
        parts_left = iter(parts)
        for layer in self.layers:
            left_layer = sum(next(parts_left).sum(axis=1) for _ in layer)
            counts.append(left_layer.tolist())
        self.events.append({"updates": self.updates, "score": score, "private": counts})
        self.sharing = self.score()

    def report(self) -> dict[str, Any]:
        """Events, each with how many weights of each layer left with each task, and what Splitter's
        has but maps."""
        layers = []
        for layer in self.layers:
            size = sum(int(np.prod(bank.copy.shape[1:])) for bank in layer)
            layers.append({"name": layer[0].variable.name, "regions": 1, "size": size})
        return self.summary(np.array(self.grams.mean), layers, most=self.config.split_private)


def agreement(bank: WeightBank, gradient: tf.Tensor) -> tf.Tensor:
    """c `(num_tasks, ...)` of the gradients `(*lead, num_tasks, ...)` of tasks' own parameters;
    members add up."""
    shared = tf.where(bank.shared(), gradient, 0.0)
    product = shared * (tf.reduce_sum(shared, axis=bank.axis, keepdims=True) - shared)
    return tf.reduce_sum(tf.reshape(product, (-1, *product.shape[bank.axis :])), axis=0)
