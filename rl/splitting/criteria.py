"""When two tasks should stop sharing a region: pure functions from statistics of their gradients.

v1, v2: https://github.com/mtcrawshaw/meta (meta/networks/splitting, meta/utils/estimate.py). The
  others are ours.
Notation: g_i is task i's gradient of a region, of d parameters; K_ij = <g_i, g_j>; a_i and b_i are
the gradients of the two halves of a batch, each twice its part of g_i, so that g_i is their mean;
X_ij = <a_i, b_j>. Over the noise of batches E K_ij = <m_i, m_j> for i != j, but E K_ii = |m_i|^2 +
noise; E X_ij = <m_i, m_j> for all i, j.
v1 and v2 count updates, as the reference does; the others count blocks of updates, since updates
that draw from the same samples aren't independent. Differs from the reference:
1. with cosines bystanders join the group they are more alike to; there the less alike one;
2. task losses are means over a batch, there sums;
3. a task that is absent says so (`present`); there an all-zero gradient said it;
4. v2 splits the pairs that differ most, in that order; there a tie at the last place splits too,
   and pairs go in the order of their tasks and region;
5. the sharing score is held against `split_min_sharing` before each split; there once a check, so
   that the last check can go below it.
"""

from statistics import NormalDist

import numpy as np
import tensorflow as tf

from rl.gradients.per_task import Products
from rl.gradients.statistics import cosines
from rl.splitting.criterion import Criterion, Verdict, distances, ratio
from rl.splitting.moments import Stat


class V1(Criterion):
    """A z-test of |g_i - g_j|^2 against gradients from one normal distribution with one variance
    for all regions.

    Its known failure: regions whose gradients have other scales than the pooled one always, or
      never, split.
    """

    several = True

    def measure(self, products: Products, sizes: np.ndarray) -> dict[str, tf.Tensor]:
        total = sizes.sum()
        squares = tf.reduce_sum(tf.linalg.diag_part(products.gram), axis=0) / total
        component = tf.reduce_sum(products.sums, axis=0) / total
        return {"distance": distances(products.gram), "component": component, "squares": squares}

    def judge(self, stats: dict[str, Stat], sizes: np.ndarray) -> Verdict:
        config = self.config
        distance = stats["distance"]
        square = stats["squares"]
        size = sizes[:, None, None]
        count = distance.count
        if config.split_cap:
            count = distance.over(config.split_decay, capped=True)
        variance = square.mean - stats["component"].mean ** 2
        weight = square.count
        if config.split_cap:
            weight = square.over(config.split_decay, capped=True)
        pooled = config.split_variance
        if not pooled:
            pooled = ratio((variance * weight).sum(), weight.sum())
        expected = 2 * size * pooled
        std = 2 * np.sqrt(2 * size) * pooled
        score = np.sqrt(count) * ratio(distance.mean - expected, std)
        return Verdict(score, distance.mean)

    def threshold(self) -> float:
        return -NormalDist().inv_cdf(self.config.split_alpha)


class V2(Criterion):
    """The pairs that differ most, whatever the noise: the top `splits_per_check` at every check."""

    def measure(self, products: Products, sizes: np.ndarray) -> dict[str, tf.Tensor]:
        if self.config.split_metric == "cosine":
            return {"distance": (1 - cosines(products.gram)) / 2}
        return {"distance": distances(products.gram) / sizes[:, None, None]}

    def judge(self, stats: dict[str, Stat], sizes: np.ndarray) -> Verdict:
        return Verdict(stats["distance"].mean, stats["distance"].mean)

    def threshold(self) -> float:
        return 0.0


class V1Region(Criterion):
    """v1's test with the noise of each task in each region, from the halves of batches.

    Components of a gradient still count as independent and alike, which they aren't: where blocks
    are single updates it, too, splits identical tasks. Longer ones it takes for one update each,
    which is on the safe side.
    """

    halves = True
    by_block = True

    def measure(self, products: Products, sizes: np.ndarray) -> dict[str, tf.Tensor]:
        noise = tf.linalg.diag_part(products.gram) - products.norms
        return {"distance": distances(products.gram), "noise": noise}

    def judge(self, stats: dict[str, Stat], sizes: np.ndarray) -> Verdict:
        distance = stats["distance"]
        noise = np.maximum(stats["noise"].mean, 0)
        noise_i = noise[:, :, None]
        noise_j = noise[:, None]
        # The noise comes from the same batches, so what is tested is X_ii + X_jj - 2 K_ij, whose
        # variance this is.
        variance = 4 * (noise_i**2 + noise_j**2 + noise_i * noise_j) / sizes[:, None, None]
        count = distance.over(self.decay)
        gap = distance.mean - noise_i - noise_j
        score = np.sqrt(count) * ratio(gap, np.sqrt(variance))
        return Verdict(score, distance.mean)


class HalfBatch(Criterion):
    """A t-test of U_ij = <a_i - a_j, b_i - b_j>, whose expectation is |m_i - m_j|^2 whatever the
    noise."""

    halves = True
    by_block = True

    def measure(self, products: Products, sizes: np.ndarray) -> dict[str, tf.Tensor]:
        diagonal = tf.linalg.diag_part(products.cross)  # X_ii
        return {"gap": diagonal[:, :, None] + diagonal[:, None] - 2 * products.cross}

    def judge(self, stats: dict[str, Stat], sizes: np.ndarray) -> Verdict:
        return Verdict(self.z_of_mean(stats["gap"]), stats["gap"].mean)


class Conflict(Criterion):
    """Gradients that point apart: K_ij is negative for sure, and the cosine without noise is under
    -`split_cosine`.

    Tasks of which one learns and the other has learned differ, but are not at odds; these stay
    together.
    """

    halves = True
    by_block = True

    def measure(self, products: Products, sizes: np.ndarray) -> dict[str, tf.Tensor]:
        return {"product": products.gram, "norm": products.norms}

    def judge(self, stats: dict[str, Stat], sizes: np.ndarray) -> Verdict:
        product = stats["product"]
        cosine = noiseless_cosines(product, stats["norm"])
        score = np.where(cosine < -self.config.split_cosine, -self.z_of_mean(product), -np.inf)
        return Verdict(score, -cosine)


class Gain(Criterion):
    """Tasks that would learn faster apart: U_ij = K_ij - kappa (X_ii + X_jj) / 2 is negative for
    sure, kappa `split_kappa`.

    Under steps of normalised length, as Adam's, a region that two tasks share moves along the sum
    of their gradients, and serves both less than two regions would where their cosine is under
    kappa: sqrt(2) - 1 where noise is far above the mean.
    """

    halves = True
    by_block = True

    def measure(self, products: Products, sizes: np.ndarray) -> dict[str, tf.Tensor]:
        norm = products.norms
        norms = (norm[:, :, None] + norm[:, None]) / 2
        return {
            "gain": products.gram - self.config.split_kappa * norms,
            "product": products.gram,
            "norm": norm,
        }

    def judge(self, stats: dict[str, Stat], sizes: np.ndarray) -> Verdict:
        cosine = noiseless_cosines(stats["product"], stats["norm"])
        return Verdict(-self.z_of_mean(stats["gain"]), -cosine)


def noiseless_cosines(product: Stat, norm: Stat) -> np.ndarray:
    """Cosines of the mean gradients, from the averages of K and of the diagonal of X; 0 where a
    length isn't known to be above 0."""
    length = np.sqrt(np.maximum(norm.mean, 0))
    lengths = length[:, :, None] * length[:, None]
    return np.clip(np.where(lengths > 0, ratio(product.mean, lengths), 0), -1, 1)


CRITERIA: dict[str, type[Criterion]] = {
    "conflict": Conflict,
    "gain": Gain,
    "halfbatch": HalfBatch,
    "v1": V1,
    "v1_region": V1Region,
    "v2": V2,
}
