"""From the values of all flags to the objects of a run."""

import dataclasses
from pathlib import Path
from typing import Any, Mapping, Optional

import tensorflow as tf

import rl.networks
from rl import gradients, splitting, training
from rl.algos import ALGOS
from rl.algos.checks import CheckedBurst
from rl.buffers import Normaliser
from rl.config import UserError, build
from rl.experiments.environments import Envs, make_envs
from rl.experiments.rundir import flags_of
from rl.flags import normalisation, optimizer
from rl.logging import Board
from rl.training import LOOPS, schedule


def use_device(name: str) -> None:
    """Chooses where TensorFlow runs; call it before any other of its functions.

    Raises:
      UserError: `name` is "gpu" and TensorFlow sees none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if name == "gpu" and not gpus:
        raise UserError(
            "--device gpu: TensorFlow sees no GPU here; is the driver there, and "
            "tensorflow[and-cuda]?"
        )
    if name == "cpu":
        tf.config.set_visible_devices([], "GPU")
        return
    for gpu in gpus:  # several runs can share a GPU: no run takes all its memory at once
        tf.config.experimental.set_memory_growth(gpu, True)


def make_loop(values: Mapping[str, Any], directory: Path, made: Optional[Envs] = None) -> Any:
    """The loop of a run, with all its parts, from the values of all flags.

    Args:
      made: its envs, where they are there already.
    """
    flags = flags_of(values)
    use_device(flags["device"])
    env, test_env = made or make_envs(flags)
    frame = build(training.Config, flags)
    if not env.keeps_state:
        frame = dataclasses.replace(frame, reset_at_checkpoint=True)
    algo = make_algo(flags, env.spec)
    normalised = build(normalisation.Config, flags)
    session = training.Session(
        directory,
        algo,
        test_env,
        frame,
        flags["seed"],
        Normaliser(env.spec, normalised, env.num_envs, algo.config.gamma),
        schedule.Schedule(build(schedule.Config, flags)),
        Board(directory) if flags["tensorboard"] else None,
    )
    session.flags = flags
    session.table = flags["table"]
    loop = LOOPS[algo.loop]
    return loop(algo, env, build(loop.flags, flags), session)


def make_algo(values: Mapping[str, Any], spec: Any) -> Any:
    """The algorithm of a run, its weights drawn from the run's seed."""
    tf.keras.utils.set_random_seed(values["seed"])
    algorithm = ALGOS[values["algo"]]
    network = build(rl.networks.Config, values)
    balancing = build(gradients.Config, values)
    make_torso = rl.networks.torso_maker(network, spec.num_tasks)
    splits = build(splitting.Config, values) if network.network in rl.networks.SPLITTING else None
    config = build(optimizer.Config, values)
    optimizers = splitting.TaskOptimizers(
        config, balancing, spec.num_tasks, splits, network.split_map
    )
    algo = algorithm(spec, make_torso, optimizers, build(algorithm.flags, values))
    if values["check_inputs"]:
        algo.burst = CheckedBurst(algo.train_step, spec)
    return algo
