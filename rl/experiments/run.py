"""`train` and `resume`: from flags to a run directory."""

import dataclasses
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Sequence

import tensorflow as tf

import rl.networks
from rl import envs, training
from rl.algos import ALGOS
from rl.config import Parser, UserError, add_flags, build, closest, flag
from rl.logging import Board
from rl.training import LOOPS
from rl.training.checkpoint import write_json

PACKAGES = ("tensorflow", "keras", "numpy", "gymnasium", "mujoco")
STOPPED = 130  # exit code of a run ended by a signal, as in a shell


@dataclasses.dataclass(frozen=True)
class Config:
    """Flags of a run as a whole."""

    algo: str = flag("ddpg", "algorithm", choices=tuple(ALGOS))
    env: str = flag("HalfCheetah", "env id; without a version, the newest")
    seed: int = flag(0, "seed of every random number; several make one run each", low=0, short="-s", several=True)
    exp_name: str = flag("", "name of the experiment's folder in data_dir; empty: <algo>_<env>")
    data_dir: str = flag("data", "folder of all experiments")
    overwrite: bool = flag(False, "replace an existing run")
    tensorboard: bool = flag(True, "write TensorBoard event files")


def sections(algo: str) -> dict[str, Any]:
    """Title -> dataclass, for all flags of an algorithm."""
    if algo not in ALGOS:
        raise UserError(f"unknown algo {algo!r}; the closest known are {closest(algo, ALGOS)}")
    algorithm = ALGOS[algo]
    parts = {"run": Config, "training": training.Config, "replay and updates": LOOPS[algorithm.loop].flags}
    return parts | {"network": rl.networks.Config, algo: algorithm.flags}


def train(argv: Sequence[str]) -> int:
    """The command `main.py [train] ...`; several seeds run one after another, in a process each."""
    first = Parser(add_help=False)
    first.add_argument("--algo", default="ddpg")
    algo = first.parse_known_args(argv)[0].algo
    parser = Parser(prog="main.py", description=f"Train {algo}. Other commands: plot, eval, resume.")
    for title, part in sections(algo).items():
        add_flags(parser, part, title)
    values = vars(parser.parse(argv))
    seeds = values.pop("seed")
    if len(seeds) == 1:
        return _run(values | {"seed": seeds[0]})
    for seed in seeds:
        code = _run_apart(argv, seed)
        if code:
            return code
    return 0


def _run_apart(argv: Sequence[str], seed: int) -> int:
    """The same command with one seed, in a process of its own. (The last `--seed` given counts.)"""
    root = str(Path(__file__).parents[2])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "rl", *argv, "--seed", str(seed)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths}) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue  # the run got the Ctrl-C too, and is saving


def _run(values: dict[str, Any]) -> int:
    configs = [build(part, values) for part in sections(values["algo"]).values()]
    run = configs[0]
    name = run.exp_name or re.sub(r"[^\w.-]+", "_", f"{run.algo}_{run.env}")
    if not re.fullmatch(r"[\w.-]+", name) or name in (".", ".."):
        raise UserError(f"--exp_name must be a plain folder name inside data_dir, got {run.exp_name!r}")
    directory = Path(run.data_dir) / name / f"{name}_s{run.seed}"
    if directory.exists() and not run.overwrite:
        raise UserError(f"{directory} exists; add --overwrite to replace it, or: main.py resume {directory}")
    values = {k: v for config in configs for k, v in dataclasses.asdict(config).items()}
    values |= {"env": envs.resolve(run.env), "exp_name": name}
    loop = make_loop(values, directory)
    for part in ("checkpoints", "tb"):
        shutil.rmtree(directory / part, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / "config.json", values | provenance())
    return _go(loop, directory)


def resume(argv: Sequence[str]) -> int:
    """The command `main.py resume DIR [--epochs N]`."""
    parser = Parser(prog="main.py resume", description="Go on with a run as if it had never stopped.")
    parser.add_argument("directory", type=Path, help="of the run")
    parser.add_argument("--epochs", type=int, help="new length of the run, in epochs")
    args = parser.parse(argv)
    values = load_config(args.directory)
    if args.epochs is not None and args.epochs != values["epochs"]:
        values["epochs"] = args.epochs
    loop = make_loop(values, args.directory)
    steps = values["epochs"] * values["steps_per_epoch"]
    done = max(loop.session.checkpoints.steps(), default=0)
    if done >= steps:
        raise UserError(f"{args.directory} already has {done} of {steps} steps; extend it with --epochs N")
    write_json(args.directory / "config.json", values)
    return _go(loop, args.directory)


def load_config(directory: Path) -> dict[str, Any]:
    """The `config.json` of a run. Raises a UserError if there is none or it can't be read."""
    try:
        return json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{directory} is not a run directory: config.json: {error}") from None


def make_loop(values: dict[str, Any], directory: Path) -> Any:
    """The loop of a run, with all its parts, from the values of all flags."""
    for part in sections(values["algo"]).values():
        build(part, values)
    frame = build(training.Config, values)
    if frame.steps_per_epoch % frame.num_envs:
        nearest = -(-frame.steps_per_epoch // frame.num_envs) * frame.num_envs
        raise UserError(f"--steps_per_epoch must be a multiple of --num_envs ({frame.num_envs}), such as {nearest}")
    env = envs.make(values["env"], frame.num_envs, backend=frame.env_backend, max_ep_len=frame.max_ep_len)
    tests = min(frame.num_test_episodes, 10)
    test_env = envs.make(values["env"], tests, max_ep_len=frame.max_ep_len) if tests else None
    algo = make_algo(values, env.spec)
    board = Board(directory) if values["tensorboard"] else None
    session = training.Session(directory, algo, test_env, frame, values["seed"], board)
    loop = LOOPS[algo.loop]
    return loop(algo, env, build(loop.flags, values), session)


def make_algo(values: dict[str, Any], spec: Any) -> Any:
    """The algorithm of a run, its weights drawn from the run's seed."""
    tf.keras.utils.set_random_seed(values["seed"])
    algorithm = ALGOS[values["algo"]]
    make_torso = rl.networks.torso_maker(build(rl.networks.Config, values))
    return algorithm(spec, make_torso, build(algorithm.flags, values))


def _go(loop: Any, directory: Path) -> int:
    try:
        if training.run(loop, directory.name):
            print(f"done: {directory}")
            return 0
        print(f"stopped at step {loop.step}; go on with: python main.py resume {directory}")
        return STOPPED
    finally:
        loop.env.close()


def provenance() -> dict[str, Any]:
    """Package versions and the git commit of this code, where it has one."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown"
    return {"versions": versions, "git_commit": commit}
