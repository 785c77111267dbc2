"""The actor and critic of on-policy algorithms."""

from typing import Any, Callable, Optional, Sequence

import numpy as np
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from rl.networks.constants import Constants
from rl.networks.distributions import gaussian
from rl.networks.forward import compile_call, numpy_forward
from rl.networks.groups import Group
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
        self.value_torso: Any = torsos.make(1, critic=True) if apart else None
        self.compiled = compile_call(self.torso)

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
            return {"Loss": Group(torsos)}
        groups = {"LossPi": Group(torsos)}
        if self.value_torso is not None:
            groups["LossV"] = Group((self.value_torso,), critic=True)
        return groups

    def call(self, obs: tf.Tensor) -> tf.Tensor:
        params = self.torso(obs)[..., : self.width]
        if self.spec.choices:
            best = [tf.argmax(logits, axis=-1) for logits in self._logits(params)]
            return tf.cast(tf.stack(best, axis=-1), tf.float32)
        return tf.clip_by_value(params[..., : self.spec.act_dim], -1, 1)

    def value(self, obs: tf.Tensor) -> tf.Tensor:
        """V(obs), `(...)`."""
        return self.torso(obs)[..., -1] if self.shared else self.value_torso(obs)[..., 0]

    def log_prob(self, obs: tf.Tensor, u: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Log density of u `(..., act_dim)` at obs, and the policy's entropy there: `(...)`
        each."""
        params = self.torso(obs)[..., : self.width]
        if self.spec.choices:
            return self._of_choices(params, tf.cast(u, tf.int32))
        free = self._free(params[..., : self.spec.act_dim]) if self.log_std else None
        policy = gaussian(*self._gaussian(params, free, tf.clip_by_value))
        return policy.log_prob(u), policy.entropy()

    def _logits(self, params: tf.Tensor) -> list[tf.Tensor]:
        """Each choice's logits `(..., how many there are)`."""
        return tf.split(params, self.spec.choices, axis=-1)

    def _of_choices(self, params: tf.Tensor, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Log probability of the choices `numbers` together, and their entropy: the sums over
        choices, which are independent."""
        choices = [tfd.Categorical(logits) for logits in self._logits(params)]
        log_probs = [choice.log_prob(numbers[..., i]) for i, choice in enumerate(choices)]
        return tf.add_n(log_probs), tf.add_n([choice.entropy() for choice in choices])

    def _free(self, mu: tf.Tensor) -> tf.Tensor:
        """The log std of a batch whose means are `mu`, where it depends on the task at most."""
        return self.log_std(mu) if self.spec.num_tasks else self.log_std(mu[None])[0]

    def _gaussian(self, params: Any, log_std: Any, clip: Callable[..., Any]) -> tuple[Any, Any]:
        if not self.per_state:
            return params, log_std
        half = self.spec.act_dim
        return params[..., :half], clip(self.initial + params[..., half:], *LOG_STD)

    def to_numpy(self, weights: Sequence[np.ndarray]) -> Callable[..., np.ndarray]:
        """u by the weights `get_weights()` gave, as a function of obs and a generator, None for the
        mode."""
        values = {id(variable): value for variable, value in zip(self.weights, weights)}
        heads = numpy_forward(
            self.torso, self.compiled, [values[id(variable)] for variable in self.torso.weights]
        )
        log_std: Any = None
        if self.log_std:
            log_std = self.log_std.to_numpy(
                [values[id(variable)] for variable in self.log_std.weights]
            )
            log_std = log_std[:, None] if self.spec.num_tasks else log_std

        def sample(obs: np.ndarray, rng: Optional[np.random.Generator] = None) -> np.ndarray:
            params = heads(obs)[..., : self.width]
            if self.spec.choices:
                noise = 0 if rng is None else rng.gumbel(size=params.shape)
                logits = np.split(params + noise, np.cumsum(self.spec.choices)[:-1], axis=-1)
                best = [np.argmax(of_choice, axis=-1) for of_choice in logits]
                return np.stack(best, axis=-1).astype(np.float32)
            mu, spread = self._gaussian(params, log_std, np.clip)
            return (
                mu
                if rng is None
                else mu + np.exp(spread) * rng.standard_normal(mu.shape, np.float32)
            )

        return sample
