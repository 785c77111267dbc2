"""The actor and the temperature of soft actor-critic."""

import math
from typing import Any

import tensorflow as tf

from rl.networks.distributions import squashed_sample
from rl.networks.groups import Group

LOG_STD = (-20.0, 2.0)  # bounds of the log std, Haarnoja et al.'s


class SquashedGaussianActor(tf.keras.Model):
    """Action = tanh(u), a unit action; u Gaussian with a mean and a std that depend on the
    observation.

    Args:
      torso: a network with `2 * act_dim` outputs.

    Input shape: `(..., obs_dim)`. Output shape: `(..., act_dim)`, the action of the mean.
    """

    def __init__(self, torso: tf.keras.Model) -> None:
        super().__init__()
        self.torso = torso

    def build(self, input_shape: Any) -> None:
        """`input_shape` is that of obs."""
        self.torso.build(input_shape)
        self.built = True

    @property
    def groups(self) -> dict[str, Group]:
        """Its torsos by the loss they serve."""
        return {"LossPi": Group((self.torso,))}

    def call(self, obs: tf.Tensor) -> tf.Tensor:
        return tf.tanh(tf.split(self.torso(obs), 2, axis=-1)[0])

    def sample(self, obs: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Actions for standard normal noise `(..., act_dim)`, and their log densities `(...)`."""
        mu, log_std = tf.split(self.torso(obs), 2, axis=-1)
        log_std = tf.clip_by_value(log_std, *LOG_STD)
        return squashed_sample(mu, log_std, noise)


class Temperature(tf.keras.Model):
    """alpha > 0, one per task or `shared` by all, learned through its logarithm."""

    def __init__(self, initial: float, batch_dims: tuple[int, ...], shared: bool = False) -> None:
        super().__init__()
        self.batch_dims = batch_dims
        start = tf.keras.initializers.Constant(math.log(initial))
        shape = () if shared else batch_dims
        self.log_alpha = self.add_weight(shape=shape, initializer=start, name="log_alpha")
        self.built = True

    def adopt(self, trained: "Temperature") -> None:
        """Starts every task at the geometric mean over the tasks of `trained`."""
        self.log_alpha.assign(tf.fill(self.log_alpha.shape, tf.reduce_mean(trained.log_alpha)))

    @property
    def alpha(self) -> tf.Tensor:
        """Shape `batch_dims`."""
        return tf.broadcast_to(tf.exp(self.log_alpha), self.batch_dims)
