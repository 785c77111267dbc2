"""How networks act: one contract, `act`, and every mirror in NumPy of what networks compute.

A policy has parameters of its own, so that acting may go on in one thread while updates change the
variables in another. A multi-layer perceptron acts in NumPy, where a small batch takes
microseconds; any other torso by one compiled call.
"""

import copy
from typing import Any, Optional, Sequence

import numpy as np
import tensorflow as tf

from rl.networks.constants import Constants
from rl.networks.layers import NORM_EPSILON
from rl.networks.layouts import by_layer
from rl.networks.squashed import LOG_STD
from rl.networks.torsos.mlp import MLP
from rl.spec import EnvSpec, Memory

Params = Sequence[np.ndarray]


class MLPForward:
    """An MLP with given parameters in NumPy, float32.

    Args:
      torso: an MLP without members.
    """

    def __init__(self, torso: MLP) -> None:
        self.plan = torso.plan
        self.layout = torso.layout
        self.activation = torso.numpy_activation
        self.layers: list[list[np.ndarray]] = []

    def with_params(self, params: Params) -> "MLPForward":
        """The same with `params`, in the order of the MLP's variables, each of which may have the
        axis `num_tasks` in front."""
        forward = copy.copy(self)
        count = len(self.plan)
        vectors = [vector[..., None, :] for vector in params[count:]]
        forward.layers = by_layer(self.plan, [*params[:count], *vectors])
        return forward

    def __call__(self, x: np.ndarray, memory: Memory) -> tuple[np.ndarray, Memory]:
        return self.layout.forward(self, self.layers, x), memory

    def dense(self, x: np.ndarray, layer: Params) -> np.ndarray:
        """x times the kernel plus the bias."""
        return x @ layer[0] + layer[1]

    def norm(self, x: np.ndarray, layer: Params) -> np.ndarray:
        """Layer normalisation by the layer's scale and shift."""
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = (centred**2).mean(axis=-1, keepdims=True)
        return centred / np.sqrt(variance + NORM_EPSILON) * layer[2] + layer[3]


class CompiledForward:
    """A torso with given parameters, in one compiled call, which is traced once for all of them.

    Args:
      torso: any, with or without memory.
    """

    def __init__(self, torso: tf.keras.Model) -> None:
        self.torso = torso
        self.compiled = tf.function(self._call, autograph=False)
        self.params: list[tf.Tensor] = []

    def with_params(self, params: Params) -> "CompiledForward":
        """The same with `params`, as `torso.get_weights()` has them."""
        forward = copy.copy(self)
        forward.params = [tf.constant(array) for array in params]
        return forward

    def __call__(self, x: np.ndarray, memory: Memory) -> tuple[np.ndarray, Memory]:
        if not isinstance(memory, np.ndarray):
            return self.compiled(self.params, x).numpy(), memory
        out, memory = self.compiled(self.params, x, memory)
        return out.numpy(), memory.numpy()

    def _call(
        self, params: list[tf.Tensor], x: tf.Tensor, memory: Optional[tf.Tensor] = None
    ) -> Any:
        with tf.keras.StatelessScope(zip(self.torso.weights, params)):
            if memory is None:
                return self.torso(x)
            return self.torso.step(x, memory)


class Policy:
    """A network that acts by parameters of its own, which updates of its variables don't change.

    Subclasses say what action the torso's outputs mean.

    Args:
      actor: a network with a `torso`. spec: an EnvSpec.

    Attributes:
      params: as `actor.get_weights()` has them. memory_shape: of one env's memory; None: it has
        none.
    """

    def __init__(self, actor: tf.keras.Model, spec: EnvSpec) -> None:
        torso = actor.torso
        self.spec = spec
        self.memory_shape: Optional[tuple[int, ...]] = torso.memory_shape
        self.forward: Any = MLPForward(torso) if isinstance(torso, MLP) else CompiledForward(torso)
        self.torso_places = places(torso, actor)
        self.params: list[np.ndarray] = []
        self.use_params(actor.get_weights())

    def use_params(self, params: Params) -> None:
        """Acts by `params` from now on; `with_params` is for those who share the policy."""
        self.params = list(params)
        self.forward = self.forward.with_params([self.params[i] for i in self.torso_places])

    def with_params(self, params: Params) -> "Policy":
        """The same policy with other parameters.

        Args:
          params: arrays as `get_weights()` of the actor has them. Where the torso is an MLP they
            may have the axis `num_tasks` in front: each task then has its own.
        """
        policy = copy.copy(self)
        policy.use_params(params)
        return policy

    def initial_memory(self, num_envs: int) -> Memory:
        """What envs begin with, `num_envs` of all tasks together: zeros `(*batch_dims, envs,
        *memory_shape)`, or `()` without memory."""
        if self.memory_shape is None:
            return ()
        envs = num_envs // (self.spec.num_tasks or 1)
        return np.zeros((*self.spec.batch_dims, envs, *self.memory_shape), np.float32)

    def act(
        self,
        obs: np.ndarray,
        memory: Memory,
        start: np.ndarray,
        rng: Optional[np.random.Generator] = None,
    ) -> tuple[np.ndarray, Memory]:
        """Actions for observations, and the memory to act by next.

        Args:
          obs: normalised, `(*batch_dims, envs, ...)`. memory: what the step before returned, or
            `initial_memory`. start: `(*batch_dims, envs)`, true at first steps of episodes, where
            memory is reset. rng: what exploration draws from; None: deterministic.

        Returns:
          act: float32 `(*batch_dims, envs, act_dim)`, in units, of which what lies beyond [-1, 1]
            counts as the end; or numbers of choices.
          memory: in arrays of their own.
        """
        out, memory = self.forward(obs, reset(memory, start))
        return self.action(out, rng), memory

    def action(self, out: np.ndarray, rng: Optional[np.random.Generator]) -> np.ndarray:
        """What the torso's outputs `(*batch_dims, envs, ...)` mean; see `act`."""
        raise NotImplementedError


def places(part: tf.keras.Model, network: tf.keras.Model) -> list[int]:
    """Where the weights of a part of a network are among those of the whole."""
    numbers = {id(variable): number for number, variable in enumerate(network.weights)}
    return [numbers[id(variable)] for variable in part.weights]


def constants(net: Constants, params: Params) -> np.ndarray:
    """What Constants with `params` are for each task, `(num_tasks or 1, units)`."""
    table = params[0]
    tasks = np.arange(net.num_tasks)
    rows = np.minimum(tasks, table.shape[-2] - 1) if net.copy is None else params[1]
    return table[rows] if table.ndim == 2 else table[tasks, rows]


def reset(memory: Memory, start: np.ndarray) -> Memory:
    """`memory` with zeros where `start` is true."""
    if not isinstance(memory, np.ndarray) or not start.any():
        return memory
    axes = (1,) * (memory.ndim - start.ndim)
    return np.where(start.reshape(*start.shape, *axes), np.float32(0), memory)


class DeterministicPolicy(Policy):
    """Acts as a DeterministicActor, and explores by x <- (1 - theta) x + std N(0, 1), from 0 at the
    start of each episode.

    theta 1 is Gaussian noise without memory. A smaller theta is Ornstein-Uhlenbeck noise (1930),
    which drifts: for DDPG, Lillicrap et al., 2015, use theta 0.15 and std 0.2 with a unit time
    step.

    Args:
      actor: its torso has no memory: the noise of the step before is the policy's.
    """

    def __init__(
        self, actor: tf.keras.Model, spec: EnvSpec, std: float, theta: float = 1.0
    ) -> None:
        super().__init__(actor, spec)
        self.std = np.float32(std)
        self.theta = np.float32(theta)
        if theta < 1:
            self.memory_shape = (spec.act_dim,)

    def act(
        self,
        obs: np.ndarray,
        memory: Memory,
        start: np.ndarray,
        rng: Optional[np.random.Generator] = None,
    ) -> tuple[np.ndarray, Memory]:
        out, _ = self.forward(obs, ())
        act = np.tanh(out)
        if rng is None:
            return act, memory
        noise = self.std * rng.standard_normal(act.shape, np.float32)
        if isinstance(memory, np.ndarray):
            noise = (1 - self.theta) * reset(memory, start) + noise
            memory = noise
        return np.clip(act + noise, -1, 1), memory


class SquashedGaussianPolicy(Policy):
    """Acts as a SquashedGaussianActor: tanh(u), of the mean without a generator."""

    def action(self, out: np.ndarray, rng: Optional[np.random.Generator]) -> np.ndarray:
        half = self.spec.act_dim
        u = out[..., :half]
        if rng is not None:
            std = np.exp(np.clip(out[..., half:], *LOG_STD))
            u = u + std * rng.standard_normal(u.shape, np.float32)
        return np.tanh(u)


class GaussianPolicy(Policy):
    """Acts as a PolicyValue for a Box: u, of the mean without a generator.

    Args:
      actor: a PolicyValue.
    """

    def __init__(self, actor: tf.keras.Model, spec: EnvSpec) -> None:
        self.first_log_std = actor.initial
        self.constants = actor.log_std
        self.std: Any = None
        self.std_places = places(actor.log_std, actor) if actor.log_std else []
        super().__init__(actor, spec)

    def use_params(self, params: Params) -> None:
        super().use_params(params)
        if self.constants:
            log_std = constants(self.constants, [self.params[i] for i in self.std_places])
            self.std = np.exp(log_std[:, None] if self.spec.num_tasks else log_std)

    def action(self, out: np.ndarray, rng: Optional[np.random.Generator]) -> np.ndarray:
        half = self.spec.act_dim
        mean = out[..., :half]
        if rng is None:
            return mean
        std = self.std
        if std is None:
            std = np.exp(np.clip(self.first_log_std + out[..., half : 2 * half], *LOG_STD))
        return mean + std * rng.standard_normal(mean.shape, np.float32)


class CategoricalPolicy(Policy):
    """Acts as a PolicyValue where there are choices: their numbers, the likeliest's without a
    generator."""

    def action(self, out: np.ndarray, rng: Optional[np.random.Generator]) -> np.ndarray:
        logits = out[..., : sum(self.spec.choices)]
        if rng is not None:
            logits = logits + rng.gumbel(size=logits.shape)  # the largest is a sample
        logits_by_choice = np.split(logits, np.cumsum(self.spec.choices)[:-1], axis=-1)
        best = [np.argmax(choice_logits, axis=-1) for choice_logits in logits_by_choice]
        return np.stack(best, axis=-1).astype(np.float32)
