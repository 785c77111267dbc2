"""What checkpoints of a full replay cost: DDPG on HalfCheetah-v5, 1M transitions, a checkpoint
every 20k steps.

    python benchmarks/checkpoint.py

Prints the share of the run's seconds spent in checkpoints, the peak memory against that of the same
replay and TensorFlow before the first checkpoint, and the bytes on disk.
"""

import os
import resource
import sys
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np  # noqa: E402

from rl.experiments.build import make_loop  # noqa: E402
from rl.experiments.commands.training_flags import parse  # noqa: E402
from rl.experiments.plots.runs import find_runs  # noqa: E402

EVERY, ROUNDS, SIZE = 20_000, 4, 1_000_000


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    argv = ["--env", "HalfCheetah-v5", "--steps_per_epoch", str(EVERY), "--num_test_episodes", "0"]
    values = parse(argv) | {"seed": 0}
    with tempfile.TemporaryDirectory(dir=".") as directory:
        loop = make_loop(values, Path(directory))
        rng, block = np.random.default_rng(0), 10_000
        for _ in range(SIZE // block):
            shapes = {"obs": (block, 17), "act": (block, 6), "rew": (block,), "obs2": (block, 17)}
            fields = {
                name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()
            }
            loop.replay.store(**fields, done=np.zeros(block))
        loop.train(EVERY - 1000)  # compiles and runs bursts, saves nothing yet
        before = peak_mb()
        loop.train(EVERY * ROUNDS)
        ((run,),) = find_runs([directory])
        disk = sum(p.stat().st_size for p in Path(directory).rglob("*") if p.is_file())
    # a row holds the seconds since the row before it: the first checkpoint, of all 1M, is in row 2
    seconds = np.diff(run.columns["Time"])
    spent = run.columns["TimeCheckpoint"][1:]
    print(
        f"first checkpoint, all {SIZE} transitions: {spent[0]:.2f} s, {spent[0] / seconds[0]:.1%} of {EVERY} steps"
    )
    print(
        f"each later one: {spent[1:].mean():.2f} s, {spent[1:].sum() / seconds[1:].sum():.1%} of the run"
    )
    print(
        f"peak memory: {peak_mb():.0f} MB, {peak_mb() / before:.3f}x the {before:.0f} MB before; on disk {disk / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    main()
