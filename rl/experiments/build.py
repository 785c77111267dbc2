"""From the values of all flags to the objects of a run."""

import dataclasses
import math
from pathlib import Path
from typing import Any, Mapping, Optional

import tensorflow as tf

from rl import gradients, splitting, training
from rl.algos import ALGOS
from rl.algos.checks import CheckedBurst
from rl.buffers import Normaliser
from rl.config import UserError, build
from rl.experiments.environments import Envs, make_envs
from rl.experiments.rundir import flags_of
from rl.flags import ALGORITHMS, GRADIENTS, NETWORKS, network, normalisation, optimizer
from rl.logging import Board
from rl.networks import Torsos
from rl.training import LOOPS, schedule


def use_device(name: str) -> None:
    """Chooses where TensorFlow runs; call it before any other of its functions.

    Raises:
      UserError: `name` is "gpu" and TensorFlow sees none, or it has begun to work already.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if name == "gpu" and not gpus:
        raise UserError(
            "--device gpu: TensorFlow sees no GPU here; is the driver there, and "
            "tensorflow[and-cuda]?"
        )
    try:
        if name == "cpu":
            tf.config.set_visible_devices([], "GPU")
            return
        for gpu in gpus:  # several runs can share a GPU: no run takes all its memory at once
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        raise UserError(
            f"--device {name}: TensorFlow has begun to work in this process, and can't change its "
            "devices any more"
        ) from None


def gpu_bytes() -> float:
    """The most memory that TensorFlow has held on the GPUs so far, in bytes; nan where it can't
    tell."""
    total = 0.0
    for number, _ in enumerate(tf.config.get_visible_devices("GPU")):
        try:
            total += tf.config.experimental.get_memory_info(f"GPU:{number}")["peak"]
        except (KeyError, RuntimeError, ValueError, tf.errors.OpError):
            return math.nan
    return total


def make_loop(values: Mapping[str, Any], directory: Path, envs: Optional[Envs] = None) -> Any:
    """The loop of a run, with all its parts, from the values of all flags.

    Args:
      envs: its envs, where they are there already.
    """
    flags = flags_of(values)
    use_device(flags["device"])
    env, test_env = envs or make_envs(flags)
    training_flags = build(training.Config, flags)
    if not env.keeps_state:
        training_flags = dataclasses.replace(training_flags, reset_at_checkpoint=True)
    algo = make_algo(flags, env.spec)
    normalised = build(normalisation.Config, flags)
    session = training.Session(
        directory=directory,
        algo=algo,
        test_env=test_env,
        config=training_flags,
        seed=flags["seed"],
        normaliser=Normaliser(env.spec, normalised, env.num_envs, algo.config.gamma),
        schedule=schedule.Schedule(build(schedule.Config, flags)),
        sinks=[Board(directory)] if flags["tensorboard"] else [],
    )
    session.flags = flags
    session.table = flags["table"]
    if tf.config.get_visible_devices("GPU"):
        session.resources.gpu_bytes = gpu_bytes
    loop = LOOPS[algo.loop]
    return loop(algo, env, build(loop.flags, flags), session)


def make_algo(values: Mapping[str, Any], spec: Any) -> Any:
    """The algorithm of a run, its weights drawn from the run's seed."""
    tf.keras.utils.set_random_seed(values["seed"])
    algorithm = ALGOS[values["algo"]]
    torsos = make_torsos(values, spec)
    balancing = build(gradients.Config, values)
    # Only networks that change while they train have something that watches them, by their flags.
    is_changing = NETWORKS[torsos.config.network].changes
    optimizers = splitting.TaskOptimizers(
        config=build(optimizer.Config, values),
        balancing=balancing,
        balancing_options=build(GRADIENTS[balancing.gradient], values),
        num_tasks=spec.num_tasks,
        changes=torsos.options if is_changing else None,
        split_map=getattr(torsos.options, "split_map", ""),
    )
    config = build(ALGORITHMS[values["algo"]].config, values)
    algo = algorithm(spec, torsos, optimizers, config)
    if values["check_inputs"]:
        algo.burst = CheckedBurst(algo.train_step, spec)
    return algo


def make_torsos(values: Mapping[str, Any], spec: Any) -> Torsos:
    """What makes the networks' torsos."""
    config = build(network.Config, values)
    options = build(NETWORKS[config.network].config, values)
    return Torsos(config, options, spec)
