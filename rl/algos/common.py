"""What the algorithms share: target averaging, many updates in one call, saving."""

from typing import Any, Callable, Generic, Iterable, TypeVar, Union

import numpy as np
import tensorflow as tf

from rl.config import UserError
from rl.gradients.optimizer import Info, Optimizer
from rl.networks.groups import Group
from rl.networks.policy import Policy
from rl.spec import Batch, EnvSpec, RolloutBatch, Update, map_fields
from rl.splitting.parameters import used_parameters

TrainStep = Callable[[Any, Update], Info]
# What an algorithm learns from; with a leading axis, many of them.
Batches = TypeVar("Batches", bound=Union[Batch, RolloutBatch])


def polyak_average(nets: Iterable[tuple[Any, Any]], polyak: float) -> None:
    """target <- polyak * target + (1 - polyak) * net, for pairs (net, target)."""
    keep = tf.constant(polyak)
    rate = tf.constant(1 - polyak)
    for net, targ in nets:
        for v, v_targ in zip(net.trainable_variables, targ.trainable_variables):
            v_targ.assign(keep * v_targ + rate * v)


def give_embedding(critic: Any, *actors: Any) -> None:
    """Gives actors the codes of the tasks that a critic has learned, if it learns any."""
    embedding = getattr(critic.torso, "embedding", None)
    if embedding is not None:
        for actor in actors:
            actor.torso.embedding.assign(embedding)


class Burst(Generic[Batches]):
    """Many calls of a train step in one XLA call, several times faster than one call each.

    `train_step` is a `tf.function` of a batch and an Update to an info dict of tensors. If it
    returns a "stop" that is true, the burst ends after that step.
    """

    def __init__(self, train_step: Any, jit_compile: bool = True) -> None:
        self.train_step = train_step
        self.compiled = tf.function(self._run, autograph=False, jit_compile=jit_compile)

    def __call__(self, batches: Batches, updates: Update, count: int) -> dict[str, np.ndarray]:
        """Takes the first `count` of `batches` and `updates` (fields `(max_updates, ...)`) in turn.

        Only `max_updates` is part of the trace, so any `count` up to it runs the same program.
        Returns each info with a new leading axis, the number of steps taken.
        """
        batches = map_fields(tf.convert_to_tensor, batches)
        updates = map_fields(tf.convert_to_tensor, updates)
        taken, infos = self.compiled(batches, updates, tf.constant(count))
        infos.pop("stop", None)
        return {key: rows.numpy()[: int(taken)] for key, rows in infos.items()}

    def _run(
        self, batches: Batches, updates: Update, count: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loop of a call. Returns how many steps were taken, and their infos with a leading
        axis max_updates, of which so many rows are filled."""

        def goes_on(i: tf.Tensor, stop: tf.Tensor, _: Any) -> tf.Tensor:
            return tf.logical_and(i < count, tf.logical_not(stop))

        def take_step(i: tf.Tensor, _: tf.Tensor, rows: dict[str, tf.TensorArray]) -> Any:
            def at_i(field: tf.Tensor) -> tf.Tensor:
                # Not field[i], which takes milliseconds to compile where i isn't a constant.
                return tf.gather(field, i)

            info = self.train_step(map_fields(at_i, batches), map_fields(at_i, updates))
            stop = info.get("stop", tf.constant(False))
            return i + 1, stop, {key: array.write(i, info[key]) for key, array in rows.items()}

        start = (tf.constant(0), tf.constant(False), self._empty_rows(batches, updates))
        taken, _, rows = tf.while_loop(goes_on, take_step, start)
        return taken, {key: array.stack() for key, array in rows.items()}

    def _empty_rows(self, batches: Batches, updates: Update) -> dict[str, tf.TensorArray]:
        """Room for the infos of max_updates steps."""

        def without_axis(field: tf.Tensor) -> tf.TensorSpec:
            return tf.TensorSpec(field.shape[1:], field.dtype)

        step = self.train_step.get_concrete_function(
            map_fields(without_axis, batches), map_fields(without_axis, updates)
        )
        size = updates.lr.shape[0]
        rows = {}
        for key, value in step.structured_outputs.items():
            rows[key] = tf.TensorArray(value.dtype, size, element_shape=value.shape)
        return rows


class Algorithm(Generic[Batches]):
    """What every algorithm does alike with its `actor`, its `train_step`, and the parts named in
    `saved` and `host`.

    Attributes:
      policy: acts by a copy of the actor's weights, which `refresh` takes, so that it can go on in
        another thread while `update` changes the actor.
      train_step: one update, compiled.
      columns: name -> kind of statistics, see rl.logging.epoch_logger.KINDS.
      saved: names of the parts whose TensorFlow `variables` a checkpoint holds: networks and
        optimisers. Optimisers may also change how a network is made up; see `Optimizer.after`.
      host: names of the parts in NumPy, which a checkpoint holds by their `state()`.
      discrete: whether actions may be a choice among some.
      memory: whether networks may have memory.
    """

    spec: EnvSpec
    actor: Any
    policy: Policy
    train_step: TrainStep
    columns: dict[str, str]
    saved: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    discrete = False
    memory = False

    def finish_init(self) -> None:
        """Call at the end of `__init__`, when networks, optimisers and policy are there.

        Raises:
          UserError: they have memory, and updates are of single steps.
        """
        torso = self.actor.torso
        if torso.memory_shape is not None and not self.memory:
            raise UserError(
                f"{type(torso).__name__} has memory, and {type(self).__name__} learns from single "
                "steps; networks with memory are for on-policy algorithms, such as ppo"
            )
        self.burst: Burst[Batches] = Burst(self.train_step)
        parts = [getattr(self, name) for name in self.saved]
        self.optimizers = [part for part in parts if isinstance(part, Optimizer)]
        columns = dict(self.columns)
        for optimizer in self.optimizers:
            columns |= optimizer.columns
        self.columns = columns

    def update(self, batches: Batches, updates: Update, count: int) -> dict[str, np.ndarray]:
        """`count` train steps on the first `count` of `batches`; each info gets a leading axis
        `count`."""
        info = self.burst(batches, updates, count)
        taken = len(next(iter(info.values())))
        for optimizer in self.optimizers:
            info |= optimizer.after(taken)
        return info

    def refresh(self) -> None:
        """Lets the policy follow the newest actor."""
        self.policy = self.policy.with_params(self.actor.get_weights())

    def splits(self) -> dict[str, Any]:
        """What split so far, as JSON values; empty for networks that don't."""
        networks: dict[str, Any] = {}
        for optimizer in self.optimizers:
            networks |= optimizer.report()
        return {"tasks": self.spec.tasks, "networks": networks} if networks else {}

    def masks(self) -> dict[str, Any]:
        """What tasks use of networks with masks, as bits: group -> what its torso says of it; empty
        for others."""
        found: dict[str, Any] = {}
        for name, group in self._groups().items():
            for torso in group.torsos:
                if hasattr(torso, "packed"):
                    found[name] = torso.packed()
        return found

    def parameters(self) -> int:
        """How many numbers of the networks some task uses, targets apart; of algorithms for several
        tasks."""
        count = 0
        for group in self._groups().values():
            count += sum(used_parameters(torso) for torso in group.torsos)
        return count

    def _groups(self) -> dict[str, Group]:
        """Those of all networks but targets, by name."""
        groups: dict[str, Group] = {}
        for name in self.saved:
            if not name.endswith("_targ"):
                groups |= getattr(getattr(self, name), "groups", {})
        return groups

    def state(self) -> dict[str, Any]:
        """Everything that updates and acting change."""
        variables = {
            name: [np.asarray(v) for v in getattr(self, name).variables] for name in self.saved
        }
        host = {name: part.state() for name, part in self._on_host().items()}
        return {"variables": variables, "acting": self.policy.params, "host": host}

    def load_state(self, state: dict[str, Any]) -> None:
        """Goes back to `state`."""
        for name in self.saved:
            for variable, value in zip(
                getattr(self, name).variables, state["variables"][name], strict=True
            ):
                variable.assign(value)
        for name, part in self._on_host().items():
            part.load_state(state["host"][name])
        self.policy = self.policy.with_params(state["acting"])

    def _on_host(self) -> dict[str, Any]:
        parts = {name: getattr(self, name) for name in self.host}
        for optimizer in self.optimizers:
            parts |= optimizer.on_host()
        return parts
