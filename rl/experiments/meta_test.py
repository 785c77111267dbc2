"""`meta-test`: the copies that a run's splitting networks learned, mixed anew for the test tasks of
its ML set."""

from pathlib import Path
from typing import Any, Sequence

from rl import envs
from rl.algos import ALGOS
from rl.config import Parser, UserError
from rl.experiments import build, run
from rl.experiments.adopt import adopt, follow_best, most_copies
from rl.experiments.eval import load_policy

# flags that follow from the run, and from --episodes
FIXED = {
    "algo",
    "env",
    "network",
    "hidden_sizes",
    "actor_sizes",
    "critic_sizes",
    "activation",
    "task_onehot",
    "critic",
    "share_torso",
    "split",
    "split_map",
}
FIXED |= {"split_capacity", "split_biases", "epochs", "steps_per_epoch", "max_ep_len"}


def main(argv: Sequence[str]) -> int:
    """The command `main.py meta-test DIR ...`: a run of its own, whose epochs are episodes of each
    test task."""
    args, flags = arguments().parse_known_args(argv)
    saved = build.load_config(args.directory)
    check(args.directory, saved)
    build.use_device(saved["device"])
    env = envs.make(saved["env"], **build.env_options(saved))
    env.close()
    trained, normaliser, _ = load_policy(args.directory, args.checkpoint, env.spec, saved)
    defaults = adapting(saved, env.max_ep_len) | {"split_capacity": most_copies(trained)}
    values = build.parse(["--algo", saved["algo"], *flags], defaults)
    usual = build.parse(["--algo", saved["algo"]], defaults)
    for name in sorted(FIXED):
        if values.get(name) != usual.get(name):
            raise UserError(
                f"--{name} is not for meta-test, which has the networks and the env of "
                f"{args.directory}"
            )
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
            trials = envs.make(values["env"], values["num_envs"], **build.env_options(values))
            notes["meta_start"] = follow_best(loop.algo, trained, trials, loop.session)
            trials.close()
            print(
                "start: "
                + ", ".join(f"{task} as {other}" for task, other in notes["meta_start"].items())
            )
            loop.step = tried * values["steps_per_epoch"]
        loop.session.end_epoch(loop, save=True)
        return notes

    return run.start(values, prepare)


def arguments() -> Parser:
    """What `meta-test` has beside the flags of training."""
    text = (
        "Adapt a run's splitting networks to the test tasks of its ML set; "
        "flags of training may follow."
    )
    parser = Parser(prog="main.py meta-test", description=text)
    parser.add_argument("directory", type=Path, help="of the run")
    parser.add_argument(
        "--episodes", type=int, default=10, help="how many, of each test task (default: 10)"
    )
    parser.add_argument(
        "--checkpoint", default="last", help="last, best, or an env step (default: last)"
    )
    parser.add_argument(
        "--start",
        choices=("equal", "best"),
        default="equal",
        help="weights of the copies at first: equal, or for each test task those of the "
        "training task whose policy "
        "does best in one of its episodes; these are the first of --episodes (default: equal)",
    )
    return parser


def check(directory: Path, saved: dict[str, Any]) -> None:
    """Raises a UserError if a run of these flags has nothing that could adapt, or nothing to adapt
    to."""
    if saved["network"] != "splitting":
        raise UserError(
            f"meta-test is for --network splitting, and {directory} has {saved['network']}"
        )
    if saved["task_onehot"]:
        raise UserError(
            f"{directory} needs --task_onehot false: the one-hot code has no place for test tasks"
        )
    learned, others = (envs.tasks_of(saved["env"], split) for split in ("train", "test"))
    if learned == others and not saved["env"].startswith("ML"):
        raise UserError(
            f"meta-test is for ML sets, which have test tasks, and {directory} has {saved['env']}"
        )


def adapting(saved: dict[str, Any], horizon: int) -> dict[str, Any]:
    """Flags of a run that adapts the networks of a run with flags `saved`, where not told
    otherwise."""
    own: dict[str, Any] = dict(
        network="meta_splitting", split="test", split_map="", exp_name=f"{saved['exp_name']}_meta"
    )
    own |= dict(epochs=None, steps_per_epoch=None, num_envs=1, visit="all", save_memory=False)
    own |= dict(overwrite=False, seed=[saved["seed"]])
    if ALGOS[saved["algo"]].loop == "off_policy":
        updates = horizon * len(
            envs.tasks_of(saved["env"], "test")
        )  # the first episode is collected
        return saved | own | {"start_steps": 0, "update_after": min(saved["update_after"], updates)}
    rollout = min(saved["rollout_steps"], horizon)
    own |= {"rollout_steps": rollout, "batch_size": min(saved["batch_size"], rollout)}
    return saved | own | {"std": "free" if saved["std"] == "split" else saved["std"]}


def length(values: dict[str, Any], episodes: int, horizon: int, tried: int) -> dict[str, Any]:
    """Epochs, in which every env of every test task plays an episode; the loop's first is the one
    after `tried`."""
    if episodes < 1 or episodes % values["num_envs"]:
        raise UserError(
            f"--episodes must be a multiple of --num_envs ({values['num_envs']}), got {episodes}"
        )
    epochs, tests = episodes // values["num_envs"], len(envs.tasks_of(values["env"], "test"))
    every = horizon * values["num_envs"] * tests
    if epochs <= tried:
        need = tried * values["num_envs"]
        raise UserError(
            f"--start best tries the run's {tried} tasks in {need} of the --episodes, which are "
            f"{episodes}"
        )
    own = {"epochs": epochs, "steps_per_epoch": every}
    return own | {
        k: values[k] + tried * every for k in ("start_steps", "update_after") if k in values
    }
