"""What residual blocks cost an update of SAC over dense layers with the same matrix products.

    .venv/bin/python benchmarks/blocks_update.py --tasks 4 --hidden 256 256

Meta-World's sizes, as in multitask_update.py. Every network with blocks is compared with the same
with dense layers of the sizes that those in the blocks have, in turn within a round. Printed are
medians and ranges over rounds of the ratio of CPU time, which other programs disturb less than they
do the clock. `--only multi_head:simba` is one network.
"""

import time
from typing import Any

import numpy as np
from multitask_update import ACT, OBS, UPDATES, make_batches, make_spec, parse

from rl.algos import ALGOS
from rl.experiments.build import make_torsos
from rl.networks import LAYOUTS
from rl.splitting import TaskOptimizers

NETWORKS = ("mlp", "multi_head", "splitting")


def make(network: str, layers: str, tasks: int, hidden: tuple[int, ...]) -> Any:
    """SAC for several tasks."""
    flags = {"network": network, "layers": layers, "hidden_sizes": hidden}
    optimizers = TaskOptimizers(num_tasks=tasks)
    return ALGOS["sac"](make_spec(tasks), make_torsos(flags, make_spec(tasks)), optimizers)


def main() -> None:
    args = parse(__doc__)
    pairs = [(network, layers) for network in NETWORKS for layers in ("simba", "bronet")]
    if args.only:
        pairs = [tuple(pair.split(":")) for pair in args.only]
    batches, updates = make_batches(args.tasks)
    for network, layers in pairs:
        plan = LAYOUTS[layers].plan(OBS + ACT, (*args.hidden, 1))
        dense_sizes = tuple(dense.units for dense in plan[:-1])
        algos = [
            make(network, "dense", args.tasks, dense_sizes),
            make(network, layers, args.tasks, tuple(args.hidden)),
        ]
        for algo in algos:
            algo.update(batches, updates, UPDATES)  # compiles
        seconds = np.zeros((args.rounds, len(algos)))
        for of_round in seconds:
            for number, algo in enumerate(algos):
                begin = time.process_time()
                algo.update(batches, updates, UPDATES)
                of_round[number] = (time.process_time() - begin) / UPDATES
        ratio = seconds[:, 1] / seconds[:, 0]
        print(
            f"{network} {layers}: {np.median(ratio):.2f} ({ratio.min():.2f} to {ratio.max():.2f}), "
            f"{1e3 * np.median(seconds[:, 1]):.0f} ms over {1e3 * np.median(seconds[:, 0]):.0f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main()
