"""How often `branch` finds two groups of tasks that are known.

    .venv/bin/python benchmarks/planted_branches.py --out benchmarks/results/planted_branches.csv
    .venv/bin/python benchmarks/planted_branches.py --env PointMass-Pairs4 --same_start \
        --out benchmarks/results/planted_branches_pairs.csv

Independent networks are trained on PointMass-MT4 with the flags of sweeps/point_mass.py, without
the one-hot code: two tasks go to nearly the same place, and the other two to nearly the opposite
one; on PointMass-Pairs4 to the same, and the opposite one. Then `branch` looks for trees of at most
twice the parameters of a shared network, which has room for two copies of both hidden layers, with
either of `--groupings`. A line for each of them, seed, network and hidden layer: the groups,
whether they are the known ones, the smallest affinity inside these and the largest between them,
the cost, the parameters and those of a shared network.
"""

import argparse
import contextlib
import csv
import io
import itertools
import json
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from sweeps.point_mass import COMMON, DDPG, PPO  # noqa: E402

from rl.__main__ import main as rl  # noqa: E402

ALGORITHMS = {"ppo": PPO, "ddpg": DDPG}
ENVS = ("PointMass-MT4", "PointMass-Pairs4")
GROUPINGS = ("spectral", "all")
KNOWN = [0, 0, 1, 1]


def run(argv: list[str]) -> None:
    """A command, without what it prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        code = rl(argv)
    if code:
        sys.exit(code)


def train(algo: str, seed: int, folder: Path, env: str, same_start: bool) -> Path:
    """The directory of a new run."""
    flags = {**COMMON, **ALGORITHMS[algo], "env": env, "seed": seed}
    flags |= {"network": "independent", "task_onehot": False, "same_start": same_start}
    flags |= {"data_dir": folder, "exp_name": algo}
    argv = []
    for name, value in flags.items():
        if isinstance(value, list):
            argv += [f"--{name}", *map(str, value)]
        else:
            argv += [f"--{name}={value}"]
    run(argv)
    return folder / algo / f"{algo}_s{seed}"


def branch(directory: Path, seed: int, groupings: str) -> dict[str, Any]:
    """What `branch` wrote of a run."""
    out = directory / "map.json"
    argv = ["branch", str(directory), "-o", str(out), "--budget", "2", "--seed", str(seed)]
    run([*argv, "--groupings", groupings])
    return json.loads(out.read_text())


def lines_of(report: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the table has of each hidden layer of each network."""
    known = np.array(KNOWN)
    together = known[:, None] == known
    apart = np.triu(np.ones_like(together), k=1)
    for name, network in report["networks"].items():
        for layer, affinity in enumerate(np.array(network["affinities"])):
            groups = network["maps"][layer]
            yield {
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
    parser.add_argument("--algos", nargs="+", default=list(ALGORITHMS), choices=list(ALGORITHMS))
    parser.add_argument("--env", default="PointMass-MT4", choices=ENVS)
    parser.add_argument("--same_start", action="store_true")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for algo, seed in itertools.product(args.algos, range(args.runs)):
            directory = train(algo, seed, Path(folder), args.env, args.same_start)
            for groupings in GROUPINGS:
                for line in lines_of(branch(directory, seed, groupings)):
                    lines.append({"algo": algo, "seed": seed, "groupings": groupings, **line})
                    print(*lines[-1].values(), flush=True)
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
        key = " ".join(str(line[name]) for name in ("algo", "groupings", "network", "layer"))
        counts.setdefault(key, []).append(line["found"])
    return "\n".join(f"{key}: {sum(found)} of {len(found)}" for key, found in counts.items())


if __name__ == "__main__":
    main()
