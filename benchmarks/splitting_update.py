"""What splitting costs an update of SAC at Meta-World's sizes: statistics by criterion, and splits.

    .venv/bin/python benchmarks/splitting_update.py --tasks 10 --out splitting_update_10.json

As multitask_update.py, whose sizes and rounds it has. All are compared with the network `splitting`
with task gradients but without statistics. `conflict 20` has split 20 times. `split_weights` is
`sparse_splitting` with that flag. Also printed: how long a split takes, and the end of a block of
updates, of which there is one in `--split_block` updates or more.
"""

import dataclasses
import time
from typing import Any

import numpy as np
from multitask_update import make_spec, measure, parse

from rl import gradients, splitting
from rl.algos import ALGOS
from rl.experiments.build import make_torsos
from rl.flags.splitting import CRITERIA
from rl.gradients.optimizer import Config

PAIRS = [
    ("splitting", "task gradients"),
    ("splitting", "lagged"),
    ("splitting", "lagged 20"),
    ("splitting", "gain"),
    ("splitting", "conflict"),
    ("splitting", "conflict 5"),
    ("splitting", "conflict 20"),
    ("splitting", "halfbatch"),
    ("splitting", "v1"),
    ("splitting", "v1_region"),
    ("splitting", "v2"),
    ("sparse_splitting", "task gradients"),
    ("sparse_splitting", "lagged"),
    ("sparse_splitting", "conflict"),
    ("split_weights", "task gradients"),
    ("split_weights", "conflict"),
]


def make(network: str, method: str, tasks: int, hidden: list[int]) -> Any:
    flags: dict[str, Any] = {"network": network, "split_start": "shared"}
    if network == "split_weights":
        flags = {"network": "sparse_splitting", "split_weights": True}
    torsos = make_torsos({**flags, "hidden_sizes": tuple(hidden)}, make_spec(tasks))
    name, _, count = method.partition(" ")
    config = Config(gradient_stats=True)
    splits = None
    if name in CRITERIA:
        splits = dataclasses.replace(torsos.options, split_criterion=name, split_every=10**9)
    optimizers = splitting.TaskOptimizers(config, num_tasks=tasks, changes=splits)
    algo = ALGOS["sac"](make_spec(tasks), torsos, optimizers)
    splitters = []
    for opt in (algo.pi_opt, algo.q_opt):
        splitters.extend(getattr(opt, "watches", {}).values())
    if splits:
        for splitter in splitters:
            end_block(splitter)
    for number in range(int(count or 0) if splits else 0):
        splitter = splitters[number % 2]
        split(splitter, number // 2 % len(splitter.places), number // 2 // len(splitter.places) + 1)
    return algo


def end_block(splitter: Any) -> None:
    """Ends some blocks, of no updates, and tells what the last one took."""
    for _ in range(3):
        begin = time.perf_counter()
        splitter.end_block()
        seconds = time.perf_counter() - begin
    print(f"end of a block: {1e3 * seconds:.1f} ms")


def split(splitter: Any, region: int, task: int) -> None:
    """Task `task` leaves the first copy of a region."""
    block, number = splitter.places[region]
    begin = time.perf_counter()
    tasks = splitter.num_tasks
    block.split(number, np.arange(tasks) == task, 0, task, np.eye(tasks))
    print(f"split {block.bank.variable.name}: {1e3 * (time.perf_counter() - begin):.1f} ms")


def main() -> None:
    args = parse(__doc__)
    pairs = PAIRS
    if args.only:
        pairs = [tuple(pair.split(":")) for pair in args.only]
    measure(pairs, make, args)


if __name__ == "__main__":
    main()
