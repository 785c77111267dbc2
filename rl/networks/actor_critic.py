"""Actors and critics: a torso and an output transform."""

from typing import Any

import tensorflow as tf

from rl.networks.groups import Group
from rl.spec import EnvSpec


def env_action(spec: EnvSpec, act: tf.Tensor) -> tf.Tensor:
    """`EnvSpec.env_action` in TensorFlow: the env's own actions for unit actions `(...,
    act_dim)`."""
    if spec.choices:
        return act + spec.act_low
    low = spec.act_low.astype(float)
    high = spec.act_high.astype(float)
    wide = spec.act_center + spec.act_reach * tf.cast(act, tf.float64)
    return tf.cast(tf.clip_by_value(wide, low, high), tf.float32)


class DeterministicActor(tf.keras.Model):
    """Action = tanh(torso(obs)), a unit action: inside [-1, 1] whatever the torso says.

    Args:
      torso: a network with `act_dim` outputs.

    Input shape: `(..., obs_dim)`. Output shape: `(..., act_dim)`.
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
        return tf.tanh(self.torso(obs))


class Critic(tf.keras.Model):
    """Q(obs, act), or logits of its distribution, by one network or an ensemble with an axis in
    front.

    Args:
      torso: a network with one output, or one for each atom of a distribution; for an ensemble with
        `members`.

    Input shape: obs `(..., obs_dim)` and act `(..., act_dim)`. Output shape: `([members,] ...)`, or
      `([members,] ..., atoms)`.
    """

    def __init__(self, torso: tf.keras.Model) -> None:
        super().__init__()
        self.torso = torso

    def build(self, input_shape: Any) -> None:
        """`input_shape` is that of obs and act side by side, `(..., obs_dim + act_dim)`."""
        self.torso.build(input_shape)
        self.built = True

    @property
    def groups(self) -> dict[str, Group]:
        """Its torsos by the loss they serve."""
        return {"LossQ": Group((self.torso,), critic=True)}

    def call(self, obs: tf.Tensor, act: tf.Tensor, **options: Any) -> tf.Tensor:
        """All members, or the one that the option `member` names."""
        out = self.torso(tf.concat([obs, act], axis=-1), **options)
        return tf.squeeze(out, axis=-1) if self.torso.sizes[-1] == 1 else out
