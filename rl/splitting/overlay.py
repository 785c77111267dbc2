"""Gives tasks values of their own for single weights, while a network trains.

Ours, for the WeightSplitting of rl.networks.torsos.splitting. Notation: g_t is task t's gradient of
a weight where it shares it, else 0; c_t = g_t * sum_{s != t} g_s. Tasks' batches are drawn apart,
so that E c_t is the product of the mean gradients, and negative where t is at odds with the others.
The score is -mean(c_t) / sqrt(mean(c_t^2) / n), n the samples that the averages are worth. At a
check the highest over `split_z` leave, one task of each weight at most: the others may agree
without it.
"""

from typing import Any, Sequence

import numpy as np
import tensorflow as tf

from rl.config import UserError
from rl.networks.banks import WeightBank, part_weights
from rl.splitting.criterion import ratio
from rl.splitting.moments import Moments
from rl.splitting.watch import Watch

PORTION = 0.001  # of the weights of all tasks, that split at a check


class Overlay(Watch):
    """Splitter's part for the torsos of a group that are made of WeightBanks, with the same
    arguments.

    Attributes:
      variables: the statistics.

    Raises:
      UserError: another criterion than `conflict`, or a region that only splits as a whole.
    """

    def __init__(self, group: Sequence[Any], twins: Sequence[Any], slots: Any, config: Any) -> None:
        nets = [
            [region for torso in torsos for region in torso.regions]
            for torsos in (group, twins)
            if torsos
        ]
        regions = nets[0]
        super().__init__(config, regions[0][0].num_tasks)
        if config.split_criterion != "conflict":
            raise UserError(
                f"--split_criterion {config.split_criterion}: with --split_weights there is "
                "conflict alone"
            )
        self.places = [k for k, region in enumerate(regions) if isinstance(region[0], WeightBank)]
        if any(
            bank.copy is not None
            for k, region in enumerate(regions)
            if k not in self.places
            for bank in region
        ):
            raise UserError("--std split: with --split_weights the log std can't split")
        self.layers = [regions[k] for k in self.places]
        self.banks = [bank for layer in self.layers for bank in layer]
        pairs = [pair for k in self.places for pair in zip(*(net[k] for net in nets))]
        self.masks = [[bank.copy for bank in pair] for pair in pairs]
        self.stored = [
            [*(bank.variable for bank in pair), *slots(pair[0].variable)] for pair in pairs
        ]
        self.moments = [Moments(tuple(bank.copy.shape), config.split_decay) for bank in self.banks]
        self.grams = Moments((len(self.layers), self.num_tasks, self.num_tasks), config.split_decay)
        self.sharing = self.score()

    @property
    def variables(self) -> list[Any]:
        return [
            variable for moments in [*self.moments, self.grams] for variable in moments.variables
        ]

    @property
    def private(self) -> np.ndarray:
        """Bool `(num_tasks, weights)`: where a task has a value of its own."""
        return np.concatenate(
            [np.array(bank.copy).reshape(self.num_tasks, -1) for bank in self.banks], axis=1
        )

    def score(self) -> float:
        """The fraction, of all weights of all tasks, that a task shares with another."""
        common = ~self.private
        return float((common & (common.sum(axis=0) > 1)).mean())

    def observe(self, tasks: Any, name: str, present: Any = None) -> None:
        """As Splitter's."""
        present = self.present(present)
        regions = tasks.regions[name]
        self.grams.update(tf.gather(tasks.grams[name], self.places), present[:, None] * present)
        gradients = [gradient for k in self.places for _, gradient in regions[k]]
        for bank, gradient, moments in zip(self.banks, gradients, self.moments):
            flag = tf.reshape(present, (-1, *[1] * (len(bank.copy.shape) - 1)))
            moments.update(agreement(bank, gradient), flag)

    def check(self) -> None:
        if self.sharing <= self.config.split_min_sharing:
            return
        scores = np.concatenate(
            [self.scores(*pair) for pair in zip(self.banks, self.moments)], axis=1
        )
        leaves = self.choose(scores)
        if leaves.any():
            self.split(leaves, float(scores[leaves].max()))

    def scores(self, bank: WeightBank, moments: Moments) -> np.ndarray:
        """`(num_tasks, weights)`; -inf: no reason to leave."""
        stat = moments.stat()
        score = -np.sqrt(stat.over(self.config.split_decay)) * ratio(
            stat.mean, np.sqrt(stat.square)
        )
        may = (
            np.array(bank.shared())
            & (stat.count >= self.config.split_warmup)
            & (score > self.config.split_z)
        )
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
        within = np.concatenate(
            [order[task[order] == t][: max(left, 0)] for t, left in enumerate(room)]
        )
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
            own = part.reshape(bank.copy.shape)
            if own.any():
                part_weights(stored, bank.axis, own)
                for mask in masks:
                    mask.assign(np.array(mask) | own)
                if self.config.split_reset:
                    moments.forget((slice(None), own.any(axis=0)))
        by_bank = iter(part.sum(axis=1) for part in parts)
        counts = [sum(next(by_bank) for _ in layer).tolist() for layer in self.layers]
        self.events.append({"updates": self.updates, "score": score, "private": counts})
        self.sharing = self.score()

    def report(self) -> dict[str, Any]:
        """Events, each with how many weights of each layer left with each task, and what Splitter's
        has but maps."""
        sizes = [sum(int(np.prod(bank.copy.shape[1:])) for bank in layer) for layer in self.layers]
        layers = [
            {"name": own[0].variable.name, "regions": 1, "size": size}
            for own, size in zip(self.layers, sizes)
        ]
        return self.summary(self.grams, layers, most=self.config.split_private)


def agreement(bank: WeightBank, gradient: tf.Tensor) -> tf.Tensor:
    """c `(num_tasks, ...)` of the gradients `(*lead, num_tasks, ...)` of tasks' own parameters;
    members add up."""
    own = tf.where(bank.shared(), gradient, 0.0)
    product = own * (tf.reduce_sum(own, axis=bank.axis, keepdims=True) - own)
    return tf.reduce_sum(tf.reshape(product, (-1, *product.shape[bank.axis :])), axis=0)
