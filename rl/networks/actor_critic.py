"""Actors and critics: a torso and an output transform."""

from typing import Any, Callable, Sequence

import numpy as np
import tensorflow as tf

from rl.networks.forward import compile_call, numpy_forward


class DeterministicActor(tf.keras.Model):
    """Action = center + limit * tanh(torso(obs)), inside the env's bounds whatever the torso says.

    Args:
      torso: a network with `act_dim` outputs.
      center, limit: middle and half width of the action range, `(act_dim,)`.

    Input shape: `(..., obs_dim)`. Output shape: `(..., act_dim)`.
    """

    def __init__(self, torso: tf.keras.Model, center: np.ndarray, limit: np.ndarray) -> None:
        super().__init__()
        self.torso, self.center, self.limit = torso, center, limit
        self.compiled = compile_call(torso)

    def build(self, input_shape: Any) -> None:
        """`input_shape` is that of obs."""
        self.torso.build(input_shape)
        self.built = True

    @property
    def groups(self) -> dict[str, list[Any]]:
        """Its torsos by the loss they serve, for gradients per task."""
        return {"LossPi": [self.torso]}

    def call(self, obs: tf.Tensor) -> tf.Tensor:
        return self.center + self.limit * tf.tanh(self.torso(obs))

    def to_numpy(self, weights: Sequence[np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
        """The policy with the weights `get_weights()` gave, as a function of arrays that later
        updates don't change."""
        torso, center, limit = (
            numpy_forward(self.torso, self.compiled, weights),
            self.center,
            self.limit,
        )
        return lambda obs: center + limit * np.tanh(torso(obs))


class Critic(tf.keras.Model):
    """Q(obs, act), by one network or an ensemble with a leading axis.

    Args:
      torso: a network with one output and, for an ensemble, `members`.

    Input shape: obs `(..., obs_dim)` and act `(..., act_dim)`. Output shape: `(...)` or `(members,
      ...)`.
    """

    def __init__(self, torso: tf.keras.Model) -> None:
        super().__init__()
        self.torso = torso

    def build(self, input_shape: Any) -> None:
        """`input_shape` is that of obs and act side by side, `(..., obs_dim + act_dim)`."""
        self.torso.build(input_shape)
        self.built = True

    @property
    def groups(self) -> dict[str, list[Any]]:
        """Its torsos by the loss they serve, for gradients per task."""
        return {"LossQ": [self.torso]}

    def call(self, obs: tf.Tensor, act: tf.Tensor, **options: Any) -> tf.Tensor:
        """All members, or the one that the option `member` names."""
        return tf.squeeze(self.torso(tf.concat([obs, act], axis=-1), **options), axis=-1)
