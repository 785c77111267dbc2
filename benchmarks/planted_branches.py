"""How often `branch` finds two groups of tasks that are known.

    .venv/bin/python benchmarks/planted_branches.py --out benchmarks/results/planted_branches.csv

PPO trains independent networks, layers (32, 32), on PointMass-MT4 for 160k env steps of all tasks
together: two tasks go to nearly the same place, and the other two to nearly the opposite one. Then
`branch` looks for trees of at most twice the parameters of a shared network, which has room for two
copies of both hidden layers. Printed for each seed and network: the groups of each hidden layer,
the smallest affinity inside the known groups and the largest between them.
"""

import argparse
import contextlib
import csv
import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from rl.__main__ import main as rl  # noqa: E402

KNOWN = [0, 0, 1, 1]
FLAGS = {
    "algo": "ppo",
    "env": "PointMass-MT4",
    "network": "independent",
    "task_onehot": "false",
    "num_envs": 4,
    "rollout_steps": 100,
    "batch_size": 100,
    "lr": 1e-3,
    "lr_schedule": "constant",
    "gamma": 0.95,
    "log_std": -0.5,
    "steps_per_epoch": 8000,
    "num_test_episodes": 20,
    "tensorboard": "false",
    "save_freq": 1000,
}


def run(argv: list[str]) -> None:
    """A command, without what it prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        code = rl(argv)
    if code:
        sys.exit(code)


def train_and_branch(seed: int, epochs: int, folder: Path) -> dict[str, Any]:
    """What `branch` wrote of a new run."""
    argv = ["--hidden_sizes", "32", "32", "--seed", str(seed), "--epochs", str(epochs)]
    argv += ["--data_dir", str(folder), "--exp_name", "independent"]
    for name, value in FLAGS.items():
        argv += [f"--{name}={value}"]
    run(argv)
    out = folder / f"map_{seed}.json"
    directory = folder / "independent" / f"independent_s{seed}"
    run(["branch", str(directory), "-o", str(out), "--budget", "2", "--seed", str(seed)])
    return json.loads(out.read_text())


def lines_of(seed: int, report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A line of the table for each hidden layer of each network."""
    known = np.array(KNOWN)
    together = known[:, None] == known
    apart = np.triu(np.ones_like(together), k=1)
    for name, network in report["networks"].items():
        for layer, affinity in enumerate(np.array(network["affinities"])):
            groups = network["maps"][layer]
            yield {
                "seed": seed,
                "network": name.removeprefix("Loss"),
                "layer": layer,
                "groups": "".join(map(str, groups)),
                "found": groups == KNOWN,
                "least_inside": round(affinity[together & apart].min(), 3),
                "most_between": round(affinity[~together & apart].max(), 3),
                "cost": network["cost"],
                "parameters": network["parameters"],
                "shared": network["shared"],
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(args.runs):
            for line in lines_of(seed, train_and_branch(seed, args.epochs, Path(folder))):
                lines.append(line)
                print(*line.values(), flush=True)
    print(summary(lines))
    if args.out:
        with args.out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)


def summary(lines: list[dict[str, Any]]) -> str:
    """In how many runs each layer has exactly the known groups."""
    counts: dict[str, list[bool]] = {}
    for line in lines:
        counts.setdefault(f"{line['network']} {line['layer']}", []).append(line["found"])
    return "\n".join(f"{key}: {sum(found)} of {len(found)}" for key, found in counts.items())


if __name__ == "__main__":
    main()
