"""What residual blocks cost an update of SAC over dense layers with the same matrix products.

    .venv/bin/python benchmarks/blocks_update.py --tasks 10 --hidden 256 256

As multitask_update.py, whose sizes and rounds it has. `multi_head:simba` is compared with
`multi_head:like simba`, whose dense layers have the sizes of those in the blocks.
"""

from typing import Any

from multitask_update import ACT, OBS, make_spec, measure, parse

from rl.algos import ALGOS
from rl.experiments.build import make_torsos
from rl.networks import LAYOUTS
from rl.splitting import TaskOptimizers

LIKE = "like "


def make(network: str, layers: str, tasks: int, hidden: list[int]) -> Any:
    """SAC for tasks; `layers` begins with LIKE where dense ones take the place of blocks."""
    sizes = tuple(hidden)
    if layers.startswith(LIKE):
        plan = LAYOUTS[layers.removeprefix(LIKE)].plan(OBS + ACT, (*hidden, 1))
        sizes = tuple(dense.units for dense in plan[:-1])
        layers = "dense"
    flags = {"network": network, "layers": layers, "hidden_sizes": sizes}
    optimizers = TaskOptimizers(num_tasks=tasks)
    return ALGOS["sac"](make_spec(tasks), make_torsos(flags, make_spec(tasks)), optimizers)


def main() -> None:
    args = parse(__doc__)
    for layers in ("simba", "bronet"):
        for network in ("mlp", "multi_head", "splitting"):
            measure([(network, LIKE + layers), (network, layers)], make, args)


if __name__ == "__main__":
    main()
