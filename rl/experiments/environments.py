"""From the values of flags to envs to train and test in; made before TensorFlow is imported."""

import contextlib
import dataclasses
import functools
import json
import os
from typing import Any, Iterator, Mapping, NamedTuple, Optional

import numpy as np

from rl import envs
from rl.config import SPLITS, UserError, build
from rl.envs import EnvSpec, PythonEnv, VectorEnv
from rl.experiments import memory
from rl.files import expanded
from rl.flags import ALGORITHMS, NETWORKS, metaworld, network
from rl.flags import on_policy as on_policy_flags
from rl.flags import optimizer, ppo, sections, training
from rl.flags.gradients import CRITIC_ONLY
from rl.flags.network import check_network, check_sizes
from rl.flags.optimizer import check_parameters
from rl.flags.ppo import check_batch, check_critic
from rl.flags.splitting import OF_HALVES
from rl.training.config import check_rollouts, check_visits

PROBE = 1000  # steps at most in which an env is seen to tell of success


class Envs(NamedTuple):
    """Vector envs to train in and, if there are test episodes, to test in."""

    train: VectorEnv
    test: Optional[VectorEnv]

    def close(self) -> None:
        """Ends all of them."""
        self.train.close()
        if self.test:
            self.test.close()


@contextlib.contextmanager
def closed_on_error(envs_made: Envs) -> Iterator[None]:
    """Ends envs if what is to use them fails."""
    try:
        yield
    except BaseException:
        envs_made.close()
        raise


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
      UserError: it isn't a JSON object, or asks for a window.
    """
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise UserError(
            f"--env_kwargs must be a JSON object such as '{{\"gravity\": 9.8}}', got {text!r}"
        )
    if "render_mode" in arguments:  # a window, in every step
        raise UserError("--env_kwargs: no render_mode while training; eval --video films a policy")
    return arguments


def make_envs(values: Mapping[str, Any], env: Optional[PythonEnv] = None) -> Envs:
    """The envs of a run.

    Args:
      values: of all flags. env: in place of the one that they name.

    Raises:
      UserError: a flag's value is not for this env.
    """
    make = functools.partial(envs.make, values["env"]) if env is None else env.make
    frame = build(training.Config, values)
    options = env_options(values)
    on_policy = ALGORITHMS[values["algo"]].loop is on_policy_flags.Config
    check_visits(frame, dict(values), "on_policy" if on_policy else "off_policy")
    memory.check_envs(values)
    check_epochs(values)
    check_split_map(values)
    check_tests(frame)
    if env is not None and env.is_single and frame.num_test_episodes:
        raise UserError(
            "--num_test_episodes: tests need an env of their own; hand over a function that makes "
            "envs, or test none"
        )
    train = make(
        frame.num_envs,
        backend=frame.env_backend,
        num_workers=frame.num_workers,
        visit=frame.visit,
        save_memory=frame.save_memory,
        **options,
    )
    with closed_on_error(Envs(train, None)):
        check_fit(values, train.spec)
        if on_policy:
            total_steps = values["epochs"] * values["steps_per_epoch"]
            check_rollouts(values["rollout_steps"], train.num_envs, total_steps)
        memory.check(values, train.spec, train.num_envs)
        count = min(frame.num_test_episodes, 1 if train.spec.tasks else 10)
        test = make(count, **options) if count else None
        if test and frame.early_stop == "solved":
            check_solvable(test)
    return Envs(train, test)


def check_tests(frame: training.Config) -> None:
    """Raises a UserError if a run that may end early by its tests has none."""
    if frame.early_stop != "none" and not frame.num_test_episodes:
        raise UserError(
            f"--early_stop {frame.early_stop} goes by the tests, and --num_test_episodes is 0"
        )


def check_solvable(env: VectorEnv) -> None:
    """Raises a UserError if nothing tells when an env is solved. Where it is not known otherwise
    whether it tells of success, an episode is played.

    Args:
      env: to test in, which is reset before each test.
    """
    spec = env.spec
    if spec.tasks or spec.reward_threshold is not None or _tells_success(env):
        return
    raise UserError(
        f"--early_stop solved: {spec.env_id} has no reward_threshold, and its episodes don't tell "
        "of success; plateau needs neither"
    )


def _tells_success(env: VectorEnv) -> bool:
    """Whether an env tells of its success, or failure, in the first steps of an episode."""
    env.reset(0)
    act = env.spec.env_action(np.zeros((env.num_envs, env.spec.act_dim), np.float32))
    for _ in range(min(env.max_ep_len, PROBE)):
        step = env.step(act)
        if step.success is not None:
            return True
        if (step.terminated | step.truncated).any():
            return False
    return False


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
    factor = f"--num_envs ({num_envs})"
    if side_by_side:
        factor = f"tasks times --num_envs ({tasks} * {num_envs})"
    raise UserError(f"--steps_per_epoch must be a multiple of {factor}, such as {nearest}")


def check_split_map(values: Mapping[str, Any]) -> None:
    """Raises a UserError unless there is a file where `--split_map` says."""
    given = values.get("split_map")
    if not given:
        return
    path = expanded(given)
    file = path / SPLITS if path.is_dir() else path
    if not os.path.exists(file):
        raise UserError(f"--split_map: there is no {file}")


def check_fit(values: Mapping[str, Any], spec: EnvSpec) -> None:
    """Raises a UserError if the algorithm, the network or the gradient method is not for this
    env."""
    if spec.choices and not ALGORITHMS[values["algo"]].discrete:
        known = ", ".join(name for name, other in ALGORITHMS.items() if other.discrete)
        raise UserError(
            f"{spec.env_id}: {values['algo']} needs continuous actions; {known} can choose among "
            "discrete ones"
        )
    networks = build(network.Config, values)
    check_network(networks, spec.num_tasks, spec.obs.shape)
    if values.get("compose") == "sum":
        check_sizes(networks, "modules of --compose sum")
    if spec.choices and (values.get("std", "free") != "free" or values.get("log_std")):
        raise UserError(f"--std, --log_std: {spec.env_id} has choices, which have no std")
    if spec.num_tasks is None and values["gradient"] != "sum":
        raise UserError(
            f"--gradient {values['gradient']} is for several tasks, and this env has one"
        )
    has_critic = values.get("critic") != "linear" and not values.get("share_torso")
    if values["gradient"] in CRITIC_ONLY and not has_critic:
        raise UserError(
            f"--gradient {values['gradient']} weighs critics alone, and with --critic linear or "
            "--share_torso no network is one"
        )
    check_parameters(build(optimizer.Config, values), sections(values)["optimiser"]())
    if values["network"] == "sparse_sharing" and values["weight_decay"]:
        raise UserError(
            "--weight_decay: it would change weights that no task uses, of which --network "
            "sparse_sharing has some"
        )
    if values["algo"] == "ppo":
        options = build(ppo.Config, values)
        check_critic(options)
        check_batch(options, values["batch_size"])
    if values["critic_sizes"] and values.get("share_torso"):
        raise UserError("--critic_sizes: with --share_torso the critic has no torso of its own")
    if values["critic_sizes"] and values.get("critic") == "linear":
        raise UserError("--critic_sizes: with --critic linear there is no value network")
    regions_split = NETWORKS[values["network"]].splits and not values["split_map"]
    criterion = values.get("split_criterion")
    tells_halves = regions_split and not values.get("split_weights") and criterion in OF_HALVES
    if tells_halves and values["batch_size"] % 2:
        raise UserError(
            f"--batch_size must be even with --split_criterion {criterion}, which tells the halves "
            "of a batch apart"
        )
