"""`meta-test`: the copies that a run's splitting networks learned, mixed anew for the test tasks of its ML set."""

from pathlib import Path
from typing import Any, Sequence

from rl import envs
from rl.algos import ALGOS
from rl.config import Parser, UserError
from rl.envs.normaliser import Moments
from rl.experiments import build, run
from rl.experiments.eval import load_policy
from rl.networks import Temperature
from rl.networks.meta_splitting import MetaSplitting, copies_used
from rl.networks.splitting import Splitting

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
    values |= {"seed": values["seed"][0]} | length(values, args.episodes, env.max_ep_len)

    def prepare(loop: Any) -> None:
        adopt(loop.algo, trained)
        loop.session.normaliser.seen.load_state(normaliser.seen.state())
        loop.session.normaliser.earned.pool(normaliser.earned)
        loop.session.end_epoch(loop)

    return run.start(values, prepare, meta_run=str(args.directory))


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


def length(values: dict[str, Any], episodes: int, horizon: int) -> dict[str, int]:
    """Epochs, in which every env of every test task plays an episode."""
    if episodes < 1 or episodes % values["num_envs"]:
        raise UserError(f"--episodes must be a multiple of --num_envs ({values['num_envs']}), got {episodes}")
    every = horizon * values["num_envs"] * len(envs.tasks_of(values["env"], "test"))
    return {"epochs": episodes // values["num_envs"], "steps_per_epoch": every}


def most_copies(algo: Any) -> int:
    """The largest number of copies of a layer that its tasks use."""
    nets = [net for net in networks(algo) if isinstance(net, Splitting)]
    return max(len(copies_used(banks)) for net in nets for banks in net.layers_of_banks())


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
