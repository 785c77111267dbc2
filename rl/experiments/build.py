"""From the values of all flags to the objects of a run."""

import dataclasses
import json
from pathlib import Path
from types import MappingProxyType
from typing import Any, Mapping, Sequence

import tensorflow as tf

import rl.networks
from rl import envs, gradients, splitting, training
from rl.algos import ALGOS, optimizers
from rl.algos.checks import CheckedBurst
from rl.algos.optimizer_maker import optimizer_maker
from rl.config import Parser, UserError, add_flags, build
from rl.envs import normaliser
from rl.flags import sections
from rl.flags.optimizer import check_parameters
from rl.logging import Board
from rl.training import LOOPS, schedule
from rl.training.config import check_visits


def parse(
    argv: Sequence[str], defaults: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """The values of all flags, given or not; `seed` is a list. `--algo` decides which flags there
    are.

    `defaults` go before the flags' own.
    """
    first = Parser(add_help=False)
    first.add_argument("--algo", default="ddpg")
    algo = first.parse_known_args(argv)[0].algo
    parser = Parser(
        prog="main.py", description=f"Train {algo}. Other commands: plot, eval, resume, meta-test."
    )
    for title, part in sections(algo).items():
        add_flags(parser, part, title)
    parser.set_defaults(**defaults)
    return vars(parser.parse(argv))


def load_config(directory: Path) -> dict[str, Any]:
    """The `config.json` of a run. Raises a UserError if there is none or it can't be read."""
    try:
        return json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{directory} is not a run directory: config.json: {error}") from None


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


def env_options(values: dict[str, Any]) -> dict[str, Any]:
    """What `envs.make` is told beside id, number and backend; Meta-World's goal lists are of the
    run's seed."""
    own = dataclasses.asdict(build(envs.metaworld.Config, values))
    return {name: values[name] for name in ("max_ep_len", "seed")} | own


def make_loop(values: dict[str, Any], directory: Path) -> Any:
    """The loop of a run, with all its parts, from the values of all flags."""
    for part in sections(values["algo"]).values():
        build(part, values)
    use_device(values["device"])
    frame, options = build(training.Config, values), env_options(values)
    check_visits(frame, values, ALGOS[values["algo"]].loop)
    own = {"backend": frame.env_backend, "num_workers": frame.num_workers}
    own |= {"visit": frame.visit, "save_memory": frame.save_memory}
    env = envs.make(values["env"], frame.num_envs, **own, **options)
    if frame.steps_per_epoch % env.num_envs:
        nearest, tasks = (
            -(-frame.steps_per_epoch // env.num_envs) * env.num_envs,
            env.spec.num_tasks,
        )
        times = tasks and env.task is None
        each = (
            f"tasks times --num_envs ({tasks} * {frame.num_envs})"
            if times
            else f"--num_envs ({frame.num_envs})"
        )
        raise UserError(f"--steps_per_epoch must be a multiple of {each}, such as {nearest}")
    if not env.keeps_state:
        frame = dataclasses.replace(frame, reset_at_checkpoint=True)
    tests = min(frame.num_test_episodes, 1 if env.spec.tasks else 10)
    test_env = envs.make(values["env"], tests, **options) if tests else None
    algo = make_algo(values, env.spec)
    board = Board(directory) if values["tensorboard"] else None
    norm = normaliser.Normaliser(
        env.spec, build(normaliser.Config, values), env.num_envs, algo.config.gamma
    )
    rates = schedule.Schedule(build(schedule.Config, values))
    session = training.Session(directory, algo, test_env, frame, values["seed"], norm, rates, board)
    loop = LOOPS[algo.loop]
    return loop(algo, env, build(loop.flags, values), session)


def make_algo(values: dict[str, Any], spec: Any) -> Any:
    """The algorithm of a run, its weights drawn from the run's seed."""
    tf.keras.utils.set_random_seed(values["seed"])
    algorithm = ALGOS[values["algo"]]
    if spec.num_actions and not algorithm.discrete:
        known = ", ".join(name for name, other in ALGOS.items() if other.discrete)
        raise UserError(
            f"{spec.env_id}: {values['algo']} needs continuous actions; {known} can choose among "
            "discrete ones"
        )
    network, balancing = build(rl.networks.Config, values), build(gradients.Config, values)
    if network.critic_sizes and values.get("share_torso"):
        raise UserError("--critic_sizes: with --share_torso the critic has no torso of its own")
    if network.critic_sizes and values.get("critic") == "linear":
        raise UserError("--critic_sizes: with --critic linear there is no value network")
    make_torso = rl.networks.torso_maker(network, spec.num_tasks)
    splits = build(splitting.Config, values) if network.network in rl.networks.SPLITTING else None
    if splits and not (network.split_map or network.split_weights) and values["batch_size"] % 2:
        raise UserError(
            "--batch_size must be even for networks that split: halves of a batch are told apart"
        )
    config = build(optimizers.Config, values)
    check_parameters(config, sections(values["algo"])["optimiser"]())
    make_opt = optimizer_maker(config, balancing, spec.num_tasks, splits, network.split_map)
    algo = algorithm(spec, make_torso, make_opt, build(algorithm.flags, values))
    if values.get("check_inputs"):
        algo.burst = CheckedBurst(algo.train_step, spec)
    return algo
