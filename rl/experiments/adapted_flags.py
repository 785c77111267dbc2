"""The flags of a run that `meta-test` makes, from those of the run that it adapts. Without
TensorFlow."""

from typing import Any, Mapping, Sequence

from rl import envs
from rl.config import UserError
from rl.experiments.commands.training_flags import parse
from rl.flags import ALGORITHMS, NETWORKS, on_policy


def adapted_flags(
    saved: Mapping[str, Any], asked: Any, flags: Sequence[str], env: Any, copies: int = 1
) -> dict[str, Any]:
    """The values of all flags.

    Args:
      saved: flags of the run that is adapted. asked: rl.experiments.commands.meta_test's Config.
      flags: of training, as text. env: one as that run's, which may be closed. copies: of a layer
        of its networks, at most.

    Raises:
      UserError: a flag's value is refused.
    """
    values = parse(flags, _defaults(saved, env.max_ep_len) | {"meta_copies": copies})
    values["seed"] = values["seed"][0]
    tried = tried_tasks(asked, env)
    return values | _length(values, asked.episodes, env.max_ep_len, tried)


def tried_tasks(asked: Any, env: Any) -> int:
    """How many tasks of training are tried in each test task before there is a first row."""
    return len(env.spec.tasks) if asked.start == "best" else 0


def _defaults(saved: Mapping[str, Any], horizon: int) -> dict[str, Any]:
    """Flags of a run that adapts the networks of a run with flags `saved`, where not told
    otherwise."""
    flags = {
        **saved,
        "network": NETWORKS[saved["network"]].adapted,
        "split": "test",
        "exp_name": f"{saved['exp_name']}_meta",
        "seed": [saved["seed"]],
        "epochs": 1,
        "steps_per_epoch": 1,
        "num_envs": 1,
        "visit": "all",
        "save_memory": False,
        "start_from": "",
        "early_stop": "none",
        "track": "none",
        "overwrite": False,
    }
    if ALGORITHMS[saved["algo"]].loop is on_policy.Config:
        flags["rollout_steps"] = min(saved["rollout_steps"], horizon)
        flags["batch_size"] = min(saved["batch_size"], flags["rollout_steps"])
        if saved["std"] == "split":
            flags["std"] = "free"
    else:
        first_episodes = horizon * len(envs.tasks_of(saved["env"], "test"))
        flags["start_steps"] = 0
        flags["update_after"] = min(saved["update_after"], first_episodes)
    return flags


def _length(values: dict[str, Any], episodes: int, horizon: int, tried: int) -> dict[str, Any]:
    """Epochs, in which every env of every test task plays an episode; the loop's first is the one
    after `tried`."""
    if episodes < 1 or episodes % values["num_envs"]:
        raise UserError(
            f"--episodes must be a multiple of --num_envs ({values['num_envs']}), got {episodes}"
        )
    epochs = episodes // values["num_envs"]
    tests = len(envs.tasks_of(values["env"], "test"))
    every = horizon * values["num_envs"] * tests
    if epochs <= tried:
        need = tried * values["num_envs"]
        raise UserError(
            f"--start best tries the run's {tried} tasks in {need} of the --episodes, which are "
            f"{episodes}"
        )
    changed = {"epochs": epochs, "steps_per_epoch": every}
    for name in ("start_steps", "update_after"):
        if name in values:
            changed[name] = values[name] + tried * every
    return changed
