"""`train` and `resume`: from flags to a run directory."""

import dataclasses
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Sequence

from rl import envs, training
from rl.config import SPLITS, Parser, UserError, build
from rl.experiments.build import load_config, make_loop, parse
from rl.flags import sections
from rl.training.files import write_json

PACKAGES = ("tensorflow", "keras", "numpy", "gymnasium", "metaworld", "mujoco")
STOPPED = 130  # exit code of a run ended by a signal, as in a shell


def train(argv: Sequence[str]) -> int:
    """The command `main.py [train] ...`; several seeds run one after another, in a process each."""
    values = parse(argv)
    seeds = values.pop("seed")
    if values["network"] == "meta_splitting":
        raise UserError("--network meta_splitting is made from a run: main.py meta-test DIR")
    if len(seeds) == 1:
        return start(values | {"seed": seeds[0]})
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


def start(
    values: dict[str, Any], prepare: Callable[[Any], dict[str, Any]] = lambda loop: {}
) -> int:
    """Trains with these values of all flags; first `prepare` may change the loop. It returns notes
    for `config.json`.

    That is written when the loop is ready: until then there is nothing that could be resumed.
    """
    configs = [build(part, values) for part in sections(values["algo"]).values()]
    run = configs[0]
    name = run.exp_name or re.sub(r"[^\w.-]+", "_", f"{run.algo}_{run.env}")
    if not re.fullmatch(r"[\w.-]+", name) or name in (".", ".."):
        raise UserError(
            f"--exp_name must be a plain folder name inside data_dir, got {run.exp_name!r}"
        )
    directory = Path(run.data_dir) / name / f"{name}_s{run.seed}"
    if directory.exists() and not run.overwrite:
        raise UserError(
            f"{directory} exists; add --overwrite to replace it, or: main.py resume {directory}"
        )
    values = {k: v for config in configs for k, v in dataclasses.asdict(config).items()}
    values |= {"env": envs.resolve(run.env), "exp_name": name}
    loop = make_loop(values, directory)
    for part in ("checkpoints", "tb"):
        shutil.rmtree(directory / part, ignore_errors=True)
    for part in ("progress.txt", SPLITS):
        (directory / part).unlink(missing_ok=True)
    directory.mkdir(parents=True, exist_ok=True)
    notes = prepare(loop)
    write_json(directory / "config.json", values | notes | provenance())
    return _go(loop, directory)


def resume(argv: Sequence[str]) -> int:
    """The command `main.py resume DIR [--epochs N]`."""
    parser = Parser(
        prog="main.py resume", description="Go on with a run as if it had never stopped."
    )
    parser.add_argument("directory", type=Path, help="of the run")
    parser.add_argument("--epochs", type=int, help="new length of the run, in epochs")
    args = parser.parse(argv)
    values = load_config(args.directory)
    if args.epochs is not None:
        values["epochs"] = args.epochs
    loop = make_loop(values, args.directory)
    steps = values["epochs"] * values["steps_per_epoch"]
    done = max(loop.session.checkpoints.steps(), default=0)
    if done >= steps:
        raise UserError(
            f"{args.directory} already has {done} of {steps} steps; extend it with --epochs N"
        )
    write_json(args.directory / "config.json", values)
    return _go(loop, args.directory)


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
    command = [
        "git",
        "-C",
        str(Path(__file__).parent),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
    ]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = "unknown"
    return {"versions": versions, "git_commit": commit}
