"""`meta-test`: the copies that a run's splitting networks learned, mixed anew for the test tasks of its ML set."""

from pathlib import Path
from typing import Any, Sequence

import numpy as np

from rl import envs
from rl.algos import ALGOS
from rl.config import Parser, UserError
from rl.envs.normaliser import Moments
from rl.experiments import build, run
from rl.experiments.eval import load_policy
from rl.networks import Temperature
from rl.networks.meta_splitting import MetaSplitting, copies_used
from rl.networks.splitting import Splitting
from rl.training.evaluate import evaluate
from rl.training.policy import policy

# flags that follow from the run, and from --episodes
FIXED = {"algo", "env", "network", "hidden_sizes", "activation", "task_onehot", "share_torso", "split", "split_map"}
FIXED |= {"split_capacity", "split_biases", "epochs", "steps_per_epoch", "max_ep_len"}


def main(argv: Sequence[str]) -> int:
    """The command `main.py meta-test DIR ...`: a run of its own, whose epochs are episodes of each test task."""
    text = "Adapt a run's splitting networks to the test tasks of its ML set; flags of training may follow."
    parser = Parser(prog="main.py meta-test", description=text)
    parser.add_argument("directory", type=Path, help="of the run")
    parser.add_argument("--episodes", type=int, default=10, help="how many, of each test task (default: 10)")
    parser.add_argument("--checkpoint", default="last", help="last, best, or an env step (default: last)")
    parser.add_argument(
        "--start",
        choices=("equal", "best"),
        default="equal",
        help="weights of the copies at first: equal, or for each test task those of the training task whose policy "
        "does best in one of its episodes; these are the first of --episodes (default: equal)",
    )
    args, flags = parser.parse_known_args(argv)
    saved = build.load_config(args.directory)
    check(args.directory, saved)
    build.use_device(saved["device"])
    env = envs.make(saved["env"], **build.env_options(saved))
    env.close()
    trained, normaliser, _ = load_policy(args.directory, args.checkpoint, env.spec, saved)
    defaults = adapting(saved, env.max_ep_len) | {"split_capacity": most_copies(trained)}
    values = build.parse(["--algo", saved["algo"], *flags], defaults)
    for name in sorted(FIXED):
        if values.get(name) != defaults.get(name):
            raise UserError(f"--{name} is not for meta-test, which has the networks and the env of {args.directory}")
    if len(values["seed"]) > 1:
        raise UserError(f"--seed: meta-test makes one run, got {len(values['seed'])} seeds")
    tried = len(env.spec.tasks) if args.start == "best" else 0
    values |= {"seed": values["seed"][0]} | length(values, args.episodes, env.max_ep_len, tried)

    def prepare(loop: Any) -> dict[str, Any]:
        adopt(loop.algo, trained)
        loop.session.normaliser.seen.load_state(normaliser.seen.state())
        loop.session.normaliser.earned.pool(normaliser.earned)
        notes: dict[str, Any] = {"meta_run": str(args.directory)}
        if tried:
            notes["meta_start"] = follow_best(loop, trained, values)
            loop.step = tried * values["steps_per_epoch"]
        loop.session.end_epoch(loop)
        return notes

    return run.start(values, prepare)


def check(directory: Path, saved: dict[str, Any]) -> None:
    """Raises a UserError if a run of these flags has nothing that could adapt, or nothing to adapt to."""
    if saved["network"] != "splitting":
        raise UserError(f"meta-test is for --network splitting, and {directory} has {saved['network']}")
    if saved["task_onehot"]:
        raise UserError(f"{directory} needs --task_onehot false: the one-hot code has no place for test tasks")
    learned, others = (envs.tasks_of(saved["env"], split) for split in ("train", "test"))
    if learned == others and not saved["env"].startswith("ML"):
        raise UserError(f"meta-test is for ML sets, which have test tasks, and {directory} has {saved['env']}")


def adapting(saved: dict[str, Any], horizon: int) -> dict[str, Any]:
    """Flags of a run that adapts the networks of a run with flags `saved`, where not told otherwise."""
    own: dict[str, Any] = dict(
        network="meta_splitting", split="test", split_map="", exp_name=f"{saved['exp_name']}_meta"
    )
    own |= dict(epochs=None, steps_per_epoch=None, num_envs=1, visit="all", save_memory=False)
    own |= dict(overwrite=False, seed=[saved["seed"]])
    if ALGOS[saved["algo"]].loop == "off_policy":
        updates = horizon * len(envs.tasks_of(saved["env"], "test"))  # the first episode is collected
        return saved | own | {"start_steps": 0, "update_after": min(saved["update_after"], updates)}
    rollout = min(saved["rollout_steps"], horizon)
    own |= {"rollout_steps": rollout, "batch_size": min(saved["batch_size"], rollout)}
    return saved | own | {"std": "free" if saved["std"] == "split" else saved["std"]}


def length(values: dict[str, Any], episodes: int, horizon: int, tried: int) -> dict[str, Any]:
    """Epochs, in which every env of every test task plays an episode; the loop's first is the one after `tried`."""
    if episodes < 1 or episodes % values["num_envs"]:
        raise UserError(f"--episodes must be a multiple of --num_envs ({values['num_envs']}), got {episodes}")
    epochs, tests = episodes // values["num_envs"], len(envs.tasks_of(values["env"], "test"))
    every = horizon * values["num_envs"] * tests
    if epochs <= tried:
        need = tried * values["num_envs"]
        raise UserError(f"--start best tries the run's {tried} tasks in {need} of the --episodes, which are {episodes}")
    own = {"epochs": epochs, "steps_per_epoch": every}
    return own | {k: values[k] + tried * every for k in ("start_steps", "update_after") if k in values}


def follow_best(loop: Any, trained: Any, values: dict[str, Any]) -> dict[str, str]:
    """Lets each test task start from the weights of the task of `trained` whose policy earns most in it; which that is.

    Each plays one episode in as many envs as the loop has, the same ones for all.
    """
    tasks, names = loop.env.spec.tasks, trained.spec.tasks
    act = policy(loop.algo, loop.env.spec, loop.session.normaliser)
    env, returns = envs.make(values["env"], values["num_envs"], **build.env_options(values)), []
    for k in range(len(names)):
        follow(loop.algo, trained, [k] * len(tasks))
        returns.append(evaluate(act, env, values["num_envs"], loop.session.seed_for(6))["EpRet"].mean(axis=1))
    env.close()
    best = np.argmax(returns, axis=0)
    follow(loop.algo, trained, best)
    chosen = {task: names[k] for task, k in zip(tasks, best)}
    print("start: " + ", ".join(f"{task} as {name}" for task, name in chosen.items()))
    return chosen


def follow(algo: Any, trained: Any, tasks: Sequence[int]) -> None:
    """Gives each task of `algo` the weights that make it the task of `trained` numbered in `tasks`."""
    for own, learned in zip(networks(algo), networks(trained), strict=True):
        if isinstance(own, MetaSplitting):
            own.follow(learned, tasks)
    algo.refresh()


def most_copies(algo: Any) -> int:
    """The largest number of copies of a layer that its tasks use."""
    nets = [net for net in networks(algo) if isinstance(net, Splitting)]
    return max(len(copies_used(banks)[0]) for net in nets for banks in net.layers_of_banks())


def networks(algo: Any) -> list[Any]:
    """What other tasks take over: torsos, those of target networks too, and the temperature.

    A log std starts anew: what is left of it at the end of training explores too little to learn by.
    """
    nets = [getattr(algo, name) for name in algo.saved]
    torsos = [torso for net in nets for group in getattr(net, "groups", {}).values() for torso in group]
    return [net for net in torsos + nets if isinstance(net, (Splitting, MetaSplitting, Temperature))]


def adopt(algo: Any, trained: Any) -> None:
    """Gives `algo`, for other tasks, what `trained` has learned: copies of layers, means over its tasks of the rest."""
    for own, learned in zip(networks(algo), networks(trained), strict=True):
        own.adopt(learned)
    for name in algo.saved:  # frozen targets would lag behind for good
        if hasattr(algo, f"{name}_targ"):
            getattr(algo, f"{name}_targ").set_weights(getattr(algo, name).get_weights())
    for name in algo.host:
        if isinstance(getattr(algo, name), Moments):
            getattr(algo, name).pool(getattr(trained, name))
    algo.refresh()
