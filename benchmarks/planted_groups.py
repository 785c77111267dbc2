"""In how many runs networks found the two groups of tasks that were planted.

    .venv/bin/python benchmarks/planted_groups.py data/structure_point_mass

The first half of a run's tasks are one group, the second half the other. Read is what `splits.json`
says of the policy when the run ended; a row per experiment:
  apart: tasks of the two groups share no copy, block or module of some hidden layer, and those of a
    group share one. Where tasks execute residual blocks: they execute the same within groups, and
    not the same across. Of masks: more overlap within groups than across.
  coincide: what tasks use is the same in all layers within groups, and isn't across.
  within, across: how far two tasks share hidden layers on average, in [0, 1].
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np  # noqa: E402

from rl.experiments.statistics.intervals import t_interval  # noqa: E402


class Found(NamedTuple):
    """See the top."""

    apart: bool
    coincide: bool
    within: float
    across: float


def sharing_by_layer(network: dict[str, Any]) -> np.ndarray:
    """`(layers, num_tasks, num_tasks)`: how far two tasks share each hidden layer."""
    if "executed" in network:
        executed = np.array(network["executed"], float)
        return (executed[:, None] == executed[None]).mean(axis=-1)[None]
    if "overlap" in network:
        overlap = np.array(network["overlap"], float)
        return (overlap + overlap.transpose(0, 2, 1)) / 2
    maps = np.array(network["maps"])
    layers = len(network["layers"])
    hidden = maps[: layers - 1] if layers == len(maps) and is_private(maps[-1]) else maps
    return (hidden[:, :, None] == hidden[:, None]).astype(float)


def is_private(copies: np.ndarray) -> bool:
    """Whether each task has a copy of its own."""
    return len(set(copies.tolist())) == len(copies)


def read(network: dict[str, Any]) -> Found:
    """What a network's report says."""
    sharing = sharing_by_layer(network)
    count = sharing.shape[-1]
    group = np.arange(count) >= count // 2
    same = group[:, None] == group
    pairs = np.triu(np.ones((count, count), bool), 1)
    within = sharing[:, same & pairs]
    across = sharing[:, ~same & pairs]
    if "overlap" in network:
        apart = within.mean() > across.mean()
    elif "executed" in network:
        apart = within.min() == 1 and across.max() < 1
    else:
        apart = bool(((within.min(axis=1) == 1) & (across.max(axis=1) == 0)).any())
    coincide = within.min() == 1 and across.min(axis=0).max() < 1
    return Found(bool(apart), bool(coincide), float(within.mean()), float(across.mean()))


def interval(values: list[float]) -> str:
    """Mean and half of the 95% t interval."""
    runs = np.array(values)
    mean = runs.mean()
    if len(runs) < 2:
        return f"{mean:.2f}"
    return f"{mean:.2f} +- {t_interval(runs).high - mean:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sweep", type=Path, help="its folder")
    parser.add_argument("--network", default="LossPi", help="whose report is read")
    args = parser.parse_args()
    print("experiment,runs,apart,coincide,within,across")
    for experiment in sorted(path for path in args.sweep.iterdir() if path.is_dir()):
        found = []
        for file in sorted(experiment.glob("*/splits.json")):
            networks = json.loads(file.read_text(encoding="utf-8"))["networks"]
            found.append(read(networks[args.network]))
        if found:
            apart = sum(run.apart for run in found)
            coincide = sum(run.coincide for run in found)
            within = interval([run.within for run in found])
            across = interval([run.across for run in found])
            print(f"{experiment.name},{len(found)},{apart},{coincide},{within},{across}")


if __name__ == "__main__":
    main()
