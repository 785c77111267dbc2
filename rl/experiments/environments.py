"""From the values of flags to envs to train and test in; made before TensorFlow is imported."""

import dataclasses
import json
from typing import Any, Mapping, NamedTuple, Optional

from rl import envs
from rl.config import UserError, build
from rl.envs import EnvSpec, VectorEnv
from rl.experiments import memory
from rl.flags import ALGORITHMS, metaworld, network
from rl.flags import on_policy as on_policy_flags
from rl.flags import optimizer, ppo, sections, training
from rl.flags.network import SPLITTING, check_network
from rl.flags.optimizer import check_parameters
from rl.flags.ppo import check_critic
from rl.training.config import check_rollouts, check_visits


class Envs(NamedTuple):
    """Vector envs to train in and, if there are test episodes, to test in."""

    train: VectorEnv
    test: Optional[VectorEnv]


def resolve_env(values: Mapping[str, Any]) -> str:
    """The full id of the env.

    Raises:
      UserError: there is none such.
    """
    return envs.resolve(values["env"])


def env_options(values: Mapping[str, Any]) -> dict[str, Any]:
    """What `envs.make` is told beside id, number and backend; Meta-World's goal lists are of the
    run's seed."""
    options = dataclasses.asdict(build(metaworld.Config, values))
    options |= {"max_ep_len": values["max_ep_len"], "seed": values["seed"]}
    if values["env_kwargs"]:
        options["env_kwargs"] = parse_env_kwargs(values["env_kwargs"])
    return options


def parse_env_kwargs(text: str) -> dict[str, Any]:
    """The arguments that `--env_kwargs` names.

    Raises:
      UserError: it isn't a JSON object.
    """
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise UserError(
            f"--env_kwargs must be a JSON object such as '{{\"gravity\": 9.8}}', got {text!r}"
        )
    return arguments


def make_envs(values: Mapping[str, Any]) -> Envs:
    """The envs of a run.

    Raises:
      UserError: a flag's value is not for this env.
    """
    frame = build(training.Config, values)
    options = env_options(values)
    on_policy = ALGORITHMS[values["algo"]].loop is on_policy_flags.Config
    check_visits(frame, dict(values), "on_policy" if on_policy else "off_policy")
    memory.check_envs(values)
    check_epochs(values)
    train = envs.make(
        values["env"],
        frame.num_envs,
        backend=frame.env_backend,
        num_workers=frame.num_workers,
        visit=frame.visit,
        save_memory=frame.save_memory,
        **options,
    )
    check_fit(values, train.spec)
    if on_policy:
        total_steps = values["epochs"] * values["steps_per_epoch"]
        check_rollouts(values["rollout_steps"], train.num_envs, total_steps)
    memory.check(values, train.spec, train.num_envs)
    count = min(frame.num_test_episodes, 1 if train.spec.tasks else 10)
    test = envs.make(values["env"], count, **options) if count else None
    return Envs(train, test)


def check_epochs(values: Mapping[str, Any]) -> None:
    """Raises a UserError unless an epoch is a whole number of steps of all envs."""
    num_envs = values["num_envs"]
    tasks = len(envs.tasks_of(values["env"], values["split"]))
    side_by_side = tasks > 0 and values["visit"] == "all"
    count = num_envs * tasks if side_by_side else num_envs
    steps = values["steps_per_epoch"]
    if steps % count == 0:
        return
    nearest = -(-steps // count) * count
    of_what = f"--num_envs ({num_envs})"
    if side_by_side:
        of_what = f"tasks times --num_envs ({tasks} * {num_envs})"
    raise UserError(f"--steps_per_epoch must be a multiple of {of_what}, such as {nearest}")


def check_fit(values: Mapping[str, Any], spec: EnvSpec) -> None:
    """Raises a UserError if the algorithm, the network or the gradient method is not for this
    env."""
    if spec.has_images:
        raise UserError(
            f"{spec.env_id}: observations of shape {spec.obs.shape} are images, which need "
            "networks that there are none of yet"
        )
    if spec.choices and not ALGORITHMS[values["algo"]].discrete:
        known = ", ".join(name for name, other in ALGORITHMS.items() if other.discrete)
        raise UserError(
            f"{spec.env_id}: {values['algo']} needs continuous actions; {known} can choose among "
            "discrete ones"
        )
    check_network(build(network.Config, values), spec.num_tasks)
    if spec.num_tasks is None and values["gradient"] != "sum":
        raise UserError(
            f"--gradient {values['gradient']} is for several tasks, and this env has one"
        )
    check_parameters(build(optimizer.Config, values), sections(values["algo"])["optimiser"]())
    if values["algo"] == "ppo":
        check_critic(build(ppo.Config, values))
    if values["critic_sizes"] and values.get("share_torso"):
        raise UserError("--critic_sizes: with --share_torso the critic has no torso of its own")
    if values["critic_sizes"] and values.get("critic") == "linear":
        raise UserError("--critic_sizes: with --critic linear there is no value network")
    splits = values["network"] in SPLITTING and not (values["split_map"] or values["split_weights"])
    if splits and values["batch_size"] % 2:
        raise UserError(
            "--batch_size must be even for networks that split: halves of a batch are told apart"
        )
