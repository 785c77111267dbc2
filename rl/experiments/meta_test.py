"""`meta-test`: the copies that a run's splitting networks learned, mixed anew for the test tasks of
its ML set."""

from typing import Any, Sequence

from rl import envs
from rl.algos import ALGOS
from rl.config import UserError
from rl.experiments import build, run
from rl.experiments.adopt import adopt, follow_best, most_copies
from rl.experiments.agent import load_agent
from rl.experiments.commands.training_flags import parse
from rl.experiments.environments import env_options
from rl.experiments.rundir import RunDir


def adapt(source: RunDir, saved: dict[str, Any], asked: Any, flags: Sequence[str]) -> RunDir:
    """A run of its own, whose epochs are episodes of each test task.

    Args:
      source, saved: the run that is adapted, and its flags.
      asked: rl.experiments.commands.meta_test's Config. flags: of training, as text.

    Raises:
      UserError: there is no sound checkpoint, or a flag's value is refused.
    """
    build.use_device(saved["device"])
    env = envs.make(saved["env"], **env_options(saved))
    env.close()
    trained = load_agent(source, asked.checkpoint, env.spec, saved)
    copies = most_copies(trained.algo)
    defaults = adapting(saved, env.max_ep_len) | {"meta_copies": copies}
    values = parse(flags, defaults)
    tried = len(env.spec.tasks) if asked.start == "best" else 0
    values |= {"seed": values["seed"][0]} | length(values, asked.episodes, env.max_ep_len, tried)

    def prepare(loop: Any) -> dict[str, Any]:
        adopt(loop.algo, trained.algo)
        loop.session.normaliser.seen.load_state(trained.normaliser.seen.state())
        loop.session.normaliser.earned.pool(trained.normaliser.earned)
        largest = loop.session.normaliser.largest
        if largest and trained.normaliser.largest:
            largest.pool(trained.normaliser.largest)
        notes: dict[str, Any] = {"meta_run": str(source)}
        if tried:
            trials = envs.make(values["env"], values["num_envs"], **env_options(values))
            notes["meta_start"] = follow_best(loop.algo, trained.algo, trials, loop.session)
            trials.close()
            pairs = [f"{task} as {other}" for task, other in notes["meta_start"].items()]
            print("start: " + ", ".join(pairs))
            loop.step = tried * values["steps_per_epoch"]
        loop.session.end_epoch(loop, save=True)
        return notes

    return run.train(values, prepare=prepare)


def adapting(saved: dict[str, Any], horizon: int) -> dict[str, Any]:
    """Flags of a run that adapts the networks of a run with flags `saved`, where not told
    otherwise."""
    flags = saved | {
        "network": "meta_splitting",
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
    if ALGOS[saved["algo"]].loop == "off_policy":
        first_episodes = horizon * len(envs.tasks_of(saved["env"], "test"))
        flags["start_steps"] = 0
        flags["update_after"] = min(saved["update_after"], first_episodes)
    else:
        flags["rollout_steps"] = min(saved["rollout_steps"], horizon)
        flags["batch_size"] = min(saved["batch_size"], flags["rollout_steps"])
        if saved["std"] == "split":
            flags["std"] = "free"
    return flags


def length(values: dict[str, Any], episodes: int, horizon: int, tried: int) -> dict[str, Any]:
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
