"""`branch`: find the layers that a run's tasks should share, by what each task's network has
learned alone."""

import dataclasses
import shlex
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

import numpy as np

from rl.config import Parser, UserError, add_flags, build, flag, program
from rl.experiments import deferred
from rl.experiments.commands.resume import DIRECTORY, TRUST
from rl.experiments.commands.train import make_current_folder_importable
from rl.experiments.report.reproduction import training_argv
from rl.experiments.rundir import LONGEST_NAME, RunDir, flags_of, name_of
from rl.files import expanded, write_json
from rl.flags.splitting import DEFAULT_CAPACITY

SUFFIX = "_branched"


@dataclasses.dataclass(frozen=True)
class Config:
    """The flags of `branch`."""

    budget: float = flag(
        2.0,
        "most parameters of each network, over those of one whose hidden layers are all shared "
        "and whose output layers are each task's own",
        low=1,
    )
    probes: int = flag(
        1000, "states at which features are compared, as many of each task", low=3, high=3000
    )
    episodes: int = flag(20, "of each task, in which the states are found", low=1)
    checkpoint: str = flag("last", "last, best, or an env step")
    groupings: str = flag(
        "spectral",
        "how tasks are put together: by spectral clustering, or in all ways as soon as there are 6 "
        "groups or fewer",
        choices=("spectral", "all"),
    )
    beam: int = flag(
        10, "partial trees of each number of groups that are followed at a time", low=1
    )
    seed: int = flag(
        0, "of the episodes and of the choice of states", low=0, high=2**31 - 2, short="-s"
    )
    out: str = flag("branches.json", "the map, a JSON file", short="-o")
    trust: bool = flag(False, TRUST)


def main(argv: Sequence[str]) -> int:
    """The command `main.py branch DIR ...`; prints the trees, and the command that trains them."""
    run, config = parse(argv)
    if config.trust:
        make_current_folder_importable()
    values = run.load_config(config.trust)
    check(run, values)
    report = deferred.load("rl.experiments.branch").branch_run(run, values, config)
    out = expanded(config.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(out, report)
    print("\n".join(described(report)))
    print(f"\n{out} has the map. To train it:")
    print(training_command(values, len(report["tasks"]), out))
    return 0


def parse(argv: Sequence[str]) -> tuple[RunDir, Config]:
    """The run and the Config.

    Raises:
      UserError: an unknown flag, or a value that it can't have.
    """
    text = (
        "Compare what the networks of a run's tasks have learned, each alone, and find the layers "
        "that they should share within a budget of parameters."
    )
    parser = Parser("branch", description=text)
    parser.add_argument("directory", type=RunDir.find, help=DIRECTORY)
    add_flags(parser, Config, "flags")
    given = vars(parser.parse(argv))
    config = build(Config, given)
    out = expanded(config.out)
    if out.suffix != ".json" or out.is_dir():
        raise UserError(f"--out must be a file that ends with .json, got {config.out}")
    return given["directory"], config


def check(run: RunDir, values: Mapping[str, Any]) -> None:
    """Raises a UserError unless tasks have hidden layers of their own in a run of these flags."""
    network = values["network"]
    if network == "trunk" and values["task_layers"] > 1:
        return
    if network != "independent":
        raise UserError(
            "branch is for --network independent, or trunk with 2 --task_layers or more, and "
            f"{run} has {network}"
        )


def described(report: Mapping[str, Any]) -> Iterator[str]:
    """Lines that say of each network what it costs and, layer by layer, which tasks share."""
    tasks = report["tasks"]
    for name, network in report["networks"].items():
        ratio = network["parameters"] / network["shared"]
        yield (
            f"{name.removeprefix('Loss') or 'Networks'}: cost {network['cost']:.3f}, "
            f"{network['parameters']} parameters, {ratio:.2f} times the {network['shared']} of all "
            "shared"
        )
        hidden = len(network["affinities"])
        for layer, copies in zip(network["layers"][:hidden], network["maps"]):
            groups = groups_of(copies, tasks)
            yield f"  {layer['name']}: {len(groups)} of {layer['size']}: {' | '.join(groups)}"
        yield f"  {network['layers'][hidden]['name']}: each task's own"


def groups_of(copies: Sequence[int], tasks: Sequence[str]) -> list[str]:
    """The names of the tasks that use each copy of a layer."""
    groups = []
    for copy in range(max(copies) + 1):
        groups.append(" ".join(tasks[task] for task in np.flatnonzero(np.equal(copies, copy))))
    return groups


def training_command(values: Mapping[str, Any], num_tasks: int, out: Path) -> str:
    """The command line that trains a map from scratch with the other flags of the run, and without
    the one-hot code: each task has an output layer of its own."""
    changed: dict[str, Any] = {
        "network": "splitting",
        "split_map": str(out),
        "task_onehot": False,
        "exp_name": name_of(values)[: LONGEST_NAME - len(SUFFIX)] + SUFFIX,
    }
    if num_tasks > DEFAULT_CAPACITY:
        changed["split_capacity"] = num_tasks
    argv, _ = training_argv(flags_of({**values, **changed}))
    return f"{program()} {shlex.join(argv)}"
