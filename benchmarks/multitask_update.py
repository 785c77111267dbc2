"""What several tasks cost an update of SAC at Meta-World's sizes: each architecture, each gradient
method.

    .venv/bin/python benchmarks/multitask_update.py --tasks 10 --out multitask_update_10.json

Observations 39, actions 4, hidden layers 400x3, 128 transitions a task, in compiled bursts. An
update has what changes a network while it trains, such as the losses of `modular` by other
structures, but for splits, which splitting_update.py is about. In every round all contenders are
timed in turn, so that a machine that slows down slows down all; printed are medians over rounds of
the ratio to the first, plain `mlp`. `backward` computes each task's gradient in a backward pass of
its own, as most code does, and joins them by PCGrad. Also printed: compile seconds and the
process's peak memory.
"""

import argparse
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, Callable

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "OPENBLAS_NUM_THREADS": "1"}
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

import rl.networks  # noqa: E402
from rl import gradients  # noqa: E402
from rl.algos import ALGOS  # noqa: E402
from rl.experiments.build import make_torsos  # noqa: E402
from rl.flags import NETWORKS  # noqa: E402
from rl.gradients.optimizer import Config, Optimizer, Optimizers  # noqa: E402
from rl.spec import Batch, EnvSpec, Field, Update  # noqa: E402
from rl.splitting import TaskOptimizer, TaskOptimizers  # noqa: E402

OBS = 39
ACT = 4
BATCH = 128
UPDATES = 4  # in a burst
METHODS = ("sum", "task gradients", *gradients.GRADIENTS, "backward")


def all_pairs() -> list[tuple[str, str]]:
    """Every network with plain sums, "mlp" first, and a head per task with every method."""
    networks = ["mlp", *rl.networks.NETWORKS]
    pairs = [(network, "sum") for network in networks]
    pairs += [("multi_head", method) for method in METHODS]
    return list(dict.fromkeys(pairs))


class Backward(TaskOptimizer):
    """PCGrad with a backward pass for each task."""

    def gradients(self, loss_fn, update):
        rows = []
        with tf.GradientTape(persistent=True) as tape:
            losses, info = loss_fn()
            task_losses = tf.unstack(losses)
        for loss in task_losses:
            grads = tape.gradient(
                loss, self.targets, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            rows.append(tf.concat([tf.reshape(grad, [-1]) for grad in grads], axis=0))
        flat = tf.stack(rows)
        gram = tf.matmul(flat, flat, transpose_b=True)[None]
        balancer = next(iter(self.balancers.values()))
        weights = balancer.weights(losses, gram, tf.ones_like(gram), update.seed)
        joined = tf.linalg.matvec(flat, weights[0], True)
        parts = tf.split(joined, [int(np.prod(v.shape)) for v in self.targets])
        return [tf.reshape(part, v.shape) for part, v in zip(parts, self.targets)], info


class BackwardOptimizers(Optimizers):
    """Makes optimisers that are Backward."""

    def __init__(self, tasks: int) -> None:
        super().__init__(Config())
        self.tasks = tasks

    def make(self, lr, net, targ=None):
        if not hasattr(net, "groups"):
            return Optimizer(lr, net, self.config)
        balancer = gradients.make_balancer(self.tasks, gradients.Config(gradient="pcgrad"))
        return Backward(lr, net, self.config, {"": balancer})


def make_spec(tasks: int) -> EnvSpec:
    bound = np.ones(ACT, np.float32)
    return EnvSpec(
        "bench",
        Field((OBS,)),
        Field((ACT,)),
        (ACT,),
        -bound,
        bound,
        tasks=tuple(f"task {t}" for t in range(tasks)),
    )


def make(network: str, method: str, tasks: int, hidden: list[int]):
    torsos = make_torsos({"network": network, "hidden_sizes": tuple(hidden)}, make_spec(tasks))
    name = {"task gradients": "sum", "backward": "pcgrad"}.get(method, method)
    config = Config(gradient_stats=method == "task gradients")
    flags = NETWORKS[network]
    changes = torsos.options if flags.changes and not flags.splits else None
    optimizers = TaskOptimizers(
        config, gradients.Config(gradient=name), num_tasks=tasks, changes=changes
    )
    if method == "backward":
        optimizers = BackwardOptimizers(tasks)
    return ALGOS["sac"](make_spec(tasks), torsos, optimizers)


def make_batches(tasks: int) -> tuple[Batch, Update]:
    rng = np.random.default_rng(0)
    lead = (UPDATES, tasks, BATCH)
    batches = Batch(
        obs=rng.standard_normal((*lead, OBS), np.float32),
        act=rng.standard_normal((*lead, ACT), np.float32),
        obs2=rng.standard_normal((*lead, OBS), np.float32),
        rew=rng.standard_normal(lead, np.float32),
        done=np.zeros(lead, np.float32),
        gamma=np.full(lead, 0.99, np.float32),
        weight=np.ones(lead, np.float32),
    )
    updates = Update(
        lr=np.ones(UPDATES, np.float32),
        seed=rng.integers(0, 2**31, (UPDATES, 2), np.int32),
        number=np.arange(UPDATES, dtype=np.int32),
    )
    return batches, updates


def parse(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description.split("\n", maxsplit=1)[0])
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--hidden", type=int, nargs="+", default=[400, 400, 400])
    parser.add_argument(
        "--only", nargs="*", help="network:method pairs instead of all; the first is compared with"
    )
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def measure(
    pairs: list[tuple[str, str]], make_one: Callable[..., Any], args: argparse.Namespace
) -> None:
    """Times bursts of what `make_one(network, method, tasks, hidden)` makes of each pair, and says
    what they cost."""
    batches, updates = make_batches(args.tasks)
    algos = {}
    compiled = {}
    times = {pair: [] for pair in pairs}
    for pair in pairs:
        algos[pair] = make_one(*pair, args.tasks, args.hidden)
        begin = time.perf_counter()
        algos[pair].update(batches, updates, UPDATES)
        compiled[pair] = time.perf_counter() - begin
        print(f"{pair}: compiled in {compiled[pair]:.0f} s", file=sys.stderr, flush=True)
    for _ in range(args.rounds):
        for pair in pairs:
            begin = time.perf_counter()
            algos[pair].update(batches, updates, UPDATES)
            times[pair].append((time.perf_counter() - begin) / UPDATES)
    report(times, compiled, args)


def report(
    times: dict[Any, list[float]], compiled: dict[Any, float], args: argparse.Namespace
) -> None:
    """Prints, and writes, the ratios to the first."""
    first_pair = next(iter(times))
    first = np.array(times[first_pair])
    typical = 1e3 * np.median(first)
    print(
        f"{args.tasks} tasks; {first_pair}: {typical:.1f} ms an update, median of {args.rounds} "
        "rounds"
    )
    results = []
    for (network, method), seconds in times.items():
        ratio = np.array(seconds) / first
        row = {
            "network": network,
            "method": method,
            "ratio": float(np.median(ratio)),
            "ms": [1e3 * second for second in seconds],
            "low": float(ratio.min()),
            "high": float(ratio.max()),
            "compile": compiled[network, method],
        }
        results.append(row)
        print(
            f"{network:16} {method:15} {row['ratio']:5.2f}  ({row['low']:.2f}-{row['high']:.2f})  "
            f"compiled in {row['compile']:.0f} s"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MB")
    if args.out:
        args.out.write_text(
            json.dumps({"tasks": args.tasks, "peak_mb": peak, "results": results}, indent=1) + "\n"
        )


def main() -> None:
    args = parse(__doc__)
    pairs = all_pairs()
    if args.only:
        pairs = [tuple(pair.split(":")) for pair in args.only]
    measure(pairs, make, args)


if __name__ == "__main__":
    main()
