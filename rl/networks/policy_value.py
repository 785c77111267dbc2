"""The actor and critic of on-policy algorithms."""

from typing import Any, Optional

import tensorflow as tf

from rl.config import UserError
from rl.networks.constants import Constants
from rl.networks.distributions import Categorical, Gaussian
from rl.networks.groups import Group
from rl.networks.memory import Past, unroll
from rl.networks.squashed import LOG_STD
from rl.spec import EnvSpec


class PolicyValue(tf.keras.Model):
    """A policy and a value, by two torsos or by two heads on a shared one.

    For a Box, u is Gaussian and the action is clip(u, -1, 1), in units; the density is that of u.
    Where there are choices, u and the action are their numbers, from 0, drawn independently.

    Args:
      torsos: a Torsos. spec: an EnvSpec.
      shared: one torso for both. std: "free" has a log std per task and action that starts at
        `log_std`, "shared" one per action, "split" one per action until tasks' gradients split it;
        "state" makes it an output, to which `log_std` is added. value: False for a policy alone.

    Input shape: `(..., obs_dim)`. Output shape: `(..., act_dim)`, the action at the mean or mode.
    """

    def __init__(
        self,
        torsos: Any,
        spec: EnvSpec,
        shared: bool = False,
        std: str = "free",
        log_std: float = 0.0,
        value: bool = True,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.shared = shared
        self.per_state = std == "state"
        self.initial = log_std
        self.log_std: Any = None
        if not spec.choices and not self.per_state:
            tasks = spec.num_tasks or 1
            self.log_std = Constants(
                spec.act_dim, log_std, 1 if std == "shared" else tasks, tasks, std == "split"
            )
        self.width = sum(spec.choices) or spec.act_dim * (2 if self.per_state else 1)
        gains = [0.01] * self.width + [1.0]  # policies start near uniform, values do not
        self.torso = torsos.make(self.width + shared, out_gain=gains[: self.width + shared])
        apart = value and not shared
        if apart and self.torso.memory_shape is not None:
            raise UserError("networks with memory need --share_torso: there is one memory")
        self.value_torso: Any = torsos.make(1, critic=True) if apart else None

    def build(self, input_shape: Any) -> None:
        """`input_shape` is that of obs."""
        for torso in filter(None, (self.torso, self.value_torso)):
            torso.build(input_shape)
        self.built = True

    @property
    def groups(self) -> dict[str, Group]:
        """Its torsos by the loss they serve."""
        torsos = (self.torso,) if self.log_std is None else (self.torso, self.log_std)
        if self.shared:
            return {"Loss": Group(torsos, on_policy=True, merit="Advantage")}
        groups = {"LossPi": Group(torsos, on_policy=True, merit="Advantage")}
        if self.value_torso is not None:
            groups["LossV"] = Group((self.value_torso,), critic=True, on_policy=True)
        return groups

    def call(self, obs: tf.Tensor) -> tf.Tensor:
        params = self.torso(obs)[..., : self.width]
        if self.spec.choices:
            best = [tf.argmax(logits, axis=-1) for logits in self._logits(params)]
            return tf.cast(tf.stack(best, axis=-1), tf.float32)
        return tf.clip_by_value(params[..., : self.spec.act_dim], -1, 1)

    def outputs(self, obs: tf.Tensor, past: Optional[Past] = None) -> tf.Tensor:
        """The torso's; of whole sequences, with their Past, where it has memory."""
        return self.torso(obs) if past is None else unroll(self.torso, obs, past)[0]

    def value(self, obs: tf.Tensor, past: Optional[Past] = None) -> tf.Tensor:
        """V(obs), `(...)`; `past` as for `outputs`."""
        return self.outputs(obs, past)[..., -1] if self.shared else self.value_torso(obs)[..., 0]

    def values(
        self, obs: tf.Tensor, obs2: tf.Tensor, past: Optional[Past] = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """V(obs), and V of the obs2 that each step led to, by the memory after the step."""
        if past is None or not self.shared:
            return self.value(obs), self.value(obs2)
        out, memory = unroll(self.torso, obs, past)
        out2, _ = self.torso.step(obs2, memory)
        return out[..., -1], out2[..., -1]

    def log_prob(
        self, obs: tf.Tensor, u: tf.Tensor, past: Optional[Past] = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Log density of u `(..., act_dim)` at obs, and the policy's entropy there, `(...)` each;
        `past` as for `outputs`."""
        params = self.outputs(obs, past)[..., : self.width]
        if self.spec.choices:
            return self._of_choices(params, tf.cast(u, tf.int32))
        free = self._free(params[..., : self.spec.act_dim]) if self.log_std else None
        policy = Gaussian(*self._gaussian(params, free))
        return policy.log_prob(u), policy.entropy()

    def _logits(self, params: tf.Tensor) -> list[tf.Tensor]:
        """Each choice's logits `(..., how many there are)`."""
        return tf.split(params, self.spec.choices, axis=-1)

    def _of_choices(self, params: tf.Tensor, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Log probability of the choices `numbers` together, and their entropy: the sums over
        choices, which are independent."""
        choices = [Categorical(logits) for logits in self._logits(params)]
        log_probs = [choice.log_prob(numbers[..., i]) for i, choice in enumerate(choices)]
        return tf.add_n(log_probs), tf.add_n([choice.entropy() for choice in choices])

    def _free(self, mu: tf.Tensor) -> tf.Tensor:
        """The log std of a batch whose means are `mu`, where it depends on the task at most."""
        return self.log_std(mu) if self.spec.num_tasks else self.log_std(mu[None])[0]

    def _gaussian(self, params: tf.Tensor, log_std: Any) -> tuple[tf.Tensor, tf.Tensor]:
        if not self.per_state:
            return params, log_std
        half = self.spec.act_dim
        return params[..., :half], tf.clip_by_value(self.initial + params[..., half:], *LOG_STD)
