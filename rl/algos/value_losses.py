"""By which losses critics learn values: squared errors, or cross-entropies of distributions.

A critic that learns by cross-entropy puts out the logits of a distribution over atoms z_1 ... z_n,
evenly spaced from v_min to v_max, whose mean is the value:

    Q = sum_i p_i z_i                                                                           (1)

Bellemare et al., 2017: https://arxiv.org/abs/1707.06887 (c51: eq. 3)
Imani and White, 2018: https://arxiv.org/abs/1806.04613 (hl_gauss: eq. 5)
Farebrother et al., 2024: https://arxiv.org/abs/2403.03950 (two_hot and hl_gauss: eq. 4 and 5)
Reference implementation: https://github.com/google-deepmind/rlax, for the projection
Differs from them:
1. actor-critics learn by them; there Q-learning;
2. the Gaussian's bins are those around the atoms, and reach half a distance beyond the outer two;
   in 2024 the range's ends are edges of bins;
3. of several critics whose smaller value counts, c51 takes that critic's distribution, sample by
   sample.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from rl.flags.critic import Config
from rl.spec import Batch


def expected(probabilities: tf.Tensor, atoms: tf.Tensor) -> tf.Tensor:
    """Means `(...)` of distributions `(..., atoms)`, eq. 1."""
    return tf.reduce_sum(probabilities * atoms, axis=-1)


def cross_entropy(target: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """-sum_i m_i log p_i, `(...)` of targets m and logits of p, `(..., atoms)` (2)."""
    return -tf.reduce_sum(target * tf.nn.log_softmax(logits), axis=-1)


def projected(values: tf.Tensor, probabilities: tf.Tensor, atoms: tf.Tensor) -> tf.Tensor:
    """A distribution over any values as one over atoms, with the same mean within their range.

    m_i = sum_j p_j max(0, 1 - |clip(v_j, z_1, z_n) - z_i| / (z_2 - z_1)) (3)

    Args:
      values, probabilities: v and p, `(..., k)`. atoms: z `(atoms,)`.

    Returns:
      m, `(..., atoms)`.
    """
    within = tf.clip_by_value(values, atoms[0], atoms[-1])
    distance = tf.abs(within[..., None] - atoms) / (atoms[1] - atoms[0])
    # Summed over the last axis but one, which XLA does for many atoms at once.
    return tf.reduce_sum(probabilities[..., None] * tf.maximum(0.0, 1 - distance), axis=-2)


def two_hot(values: tf.Tensor, atoms: tf.Tensor) -> tf.Tensor:
    """Values `(...)` as distributions `(..., atoms)` over the two atoms beside each (4): eq. 3 of
    one value that is certain."""
    return projected(values[..., None], tf.ones((1,)), atoms)


def gaussian_histogram(values: tf.Tensor, atoms: tf.Tensor, sigma: float) -> tf.Tensor:
    """Values `(...)` as the shares `(..., atoms)` that a Gaussian around each has in the bins.

    m_i = (F(z_i + d/2) - F(z_i - d/2)) / (F(z_n + d/2) - F(z_1 - d/2)) (5)

    Here d = z_2 - z_1, and F is the normal distribution function with mean clip(v, z_1, z_n) and a
    std of `sigma` d.
    """
    width = atoms[1] - atoms[0]
    within = tf.clip_by_value(values, atoms[0], atoms[-1])
    edges = tf.concat([atoms - width / 2, atoms[-1:] + width / 2], axis=0)
    standard = (edges - within[..., None]) / (sigma * width)
    below = tf.math.erf(standard / np.sqrt(2, dtype=np.float32)) / 2  # F but for 1/2
    return (below[..., 1:] - below[..., :-1]) / (below[..., -1:] - below[..., :1])


class SquaredError:
    """Critics put out values.

    Args:
      config: flags of critics.
      reduce: what counts of an ensemble's values, whose members are the first axis of outputs:
        "min" or "mean"; "": there is a single critic.

    Attributes:
      units: of a critic's output layer.
    """

    def __init__(self, config: Config, reduce: str = "") -> None:
        self.units = 1
        self.reduce = reduce
        del config

    def q_values(self, out: tf.Tensor) -> tf.Tensor:
        """Each critic's Q `([members,] ..., batch)` from its outputs."""
        return out

    def ensemble_q(self, out: tf.Tensor) -> tf.Tensor:
        """One Q `(..., batch)` from outputs: the members' minimum or mean, as `reduce` says."""
        values = self.q_values(out)
        if self.reduce == "min":
            return tf.reduce_min(values, axis=0)
        if self.reduce == "mean":
            return tf.reduce_mean(values, axis=0)
        return values

    def target(self, out2: tf.Tensor, batch: Batch, cost: Any = 0.0) -> tf.Tensor:
        """What a batch's values should be: y = r + gamma (1 - d) (Q' - cost), of outputs for what
        its steps led to and costs `(..., batch)` there. No gradient goes through it."""
        backup = batch.rew + batch.gamma * (1 - batch.done) * (self.ensemble_q(out2) - cost)
        return tf.stop_gradient(backup)

    def loss(self, out: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """Of each sample and member, `([members,] ..., batch)`."""
        return (out - target) ** 2

    def error(self, out: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        """How far each value is from the target's, `([members,] ..., batch)`."""
        return tf.abs(self.q_values(out) - target)


class TwoHot(SquaredError):
    """Critics put out logits `([members,] ..., batch, atoms)`, and learn towards eq. 4 of y."""

    def __init__(self, config: Config, reduce: str = "") -> None:
        super().__init__(config, reduce)
        self.units = config.atoms
        self.sigma = config.hl_sigma
        self.atoms = tf.constant(np.linspace(config.v_min, config.v_max, config.atoms), tf.float32)

    def q_values(self, out: tf.Tensor) -> tf.Tensor:
        return expected(tf.nn.softmax(out), self.atoms)

    def loss(self, out: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        return cross_entropy(self.distribution(target), out)

    def distribution(self, target: tf.Tensor) -> tf.Tensor:
        """The one to learn, `(..., batch, atoms)`, of what `target` returns."""
        return two_hot(target, self.atoms)


class HLGauss(TwoHot):
    """The same towards eq. 5 of y."""

    def distribution(self, target: tf.Tensor) -> tf.Tensor:
        return gaussian_histogram(target, self.atoms, self.sigma)


class C51(TwoHot):
    """The same towards the projection, eq. 3, of the target's whole distribution."""

    def target(self, out2: tf.Tensor, batch: Batch, cost: Any = 0.0) -> tf.Tensor:
        """The distribution of r + gamma (1 - d) (z - cost), `(..., batch, atoms)`."""
        discount = batch.gamma * (1 - batch.done)
        shift = batch.rew - discount * cost
        moved = shift[..., None] + discount[..., None] * self.atoms
        return tf.stop_gradient(projected(moved, self.probabilities(out2), self.atoms))

    def probabilities(self, out: tf.Tensor) -> tf.Tensor:
        """p `(..., batch, atoms)`, what counts of an ensemble's: the mean, or those of the member
        whose value is the smallest."""
        probabilities = tf.nn.softmax(out)
        if self.reduce == "mean":
            return tf.reduce_mean(probabilities, axis=0)
        if self.reduce == "min":
            smallest = tf.argmin(expected(probabilities, self.atoms), axis=0)
            chosen = tf.one_hot(smallest, out.shape[0], axis=0)
            return tf.reduce_sum(chosen[..., None] * probabilities, axis=0)
        return probabilities

    def distribution(self, target: tf.Tensor) -> tf.Tensor:
        return target

    def error(self, out: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        return tf.abs(self.q_values(out) - expected(target, self.atoms))


VALUE_LOSSES: dict[str, type[SquaredError]] = {
    "mse": SquaredError,
    "c51": C51,
    "two_hot": TwoHot,
    "hl_gauss": HLGauss,
}


def make_value_loss(config: Config, reduce: str = "") -> SquaredError:
    """The loss that `config.critic_loss` names; arguments as SquaredError's."""
    return VALUE_LOSSES[config.critic_loss](config, reduce)
