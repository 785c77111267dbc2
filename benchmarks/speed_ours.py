"""Times this project on one job of speed.py; prints one JSON object."""

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "OPENBLAS_NUM_THREADS": "1"}  # as main.py sets them
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from rl.experiments.build import make_loop  # noqa: E402
from rl.experiments.commands.training_flags import parse  # noqa: E402
from rl.spec import Update  # noqa: E402

EPOCH = 2048
WARM_UP = 4096  # env steps before the clock starts: compilation and the first bursts


def matmul_rate(size: int = 2048) -> float:
    """Float32 operations per second of a large matrix product: the best of some."""
    x = tf.random.normal((size, size))
    product = tf.function(lambda: tf.matmul(x, x))
    product()
    times = []
    for _ in range(15):
        begin = time.perf_counter()
        product().numpy()
        times.append(time.perf_counter() - begin)
    return 2 * size**3 / min(times)


def operations(loop, passes: tuple[float, float]) -> float:
    """Float32 operations of the matrix products of one update."""
    spec, torso, batch = loop.env.spec, loop.algo.actor.torso.sizes, loop.config.batch_size
    sizes = [(spec.obs_dim, *torso), (spec.obs_dim + spec.act_dim, *torso[:-1], 1)]
    per_pass = [sum(i * o for i, o in zip(s[:-1], s[1:])) for s in sizes]
    return 2 * batch * sum(n * macs for n, macs in zip(passes, per_pass))


def update_rate(loop) -> float:
    """Updates per second in a burst with nothing beside it: the median of some."""
    if loop.algo.loop == "off_policy":
        _, batches, updates = loop.feed.draw(loop.burst_size, 0, 1)
    else:
        data, _ = loop.algo.prepare(loop.rollout)
        batches = loop.rollout.minibatches(
            data, loop.config.update_epochs, loop.config.batch_size, loop.sample_rng
        )
        count = len(batches.obs)
        updates = Update(
            lr=np.ones(count, np.float32),
            seed=np.zeros((count, 2), np.int32),
            number=np.arange(count, dtype=np.int32),
        )
    count = len(updates.lr)
    times = []
    for _ in range(40):
        begin = time.perf_counter()
        loop.algo.update(batches, updates, count)
        times.append(time.perf_counter() - begin)
    return count / float(np.median(times))


def main() -> None:
    job, steps = json.loads(sys.argv[1]), int(sys.argv[2])
    total = [
        "--epochs",
        str((WARM_UP + steps) // EPOCH),
        "--steps_per_epoch",
        str(EPOCH),
        "--num_test_episodes",
        "0",
    ]
    values = parse(
        ["--algo", job["algo"], "--env", "HalfCheetah-v5", *total, *job["ours"].split()]
    ) | {"seed": 0}
    with tempfile.TemporaryDirectory() as directory:
        loop = make_loop(values | {"save_freq": 10**6}, Path(directory))
        loop.train(WARM_UP)
        begin = time.perf_counter()
        loop.train(WARM_UP + steps)
        seconds = time.perf_counter() - begin
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rates = [(matmul_rate(), update_rate(loop)) for _ in range(3)]
    matmul, updates = (float(np.median(values)) for values in zip(*rates))
    result = {"steps_per_second": steps / seconds, "updates_per_second": updates, "peak_mb": memory}
    if "passes" in job:
        result |= {
            "matmul_gflops": matmul / 1e9,
            "matmul_share": updates * operations(loop, job["passes"]) / matmul,
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
