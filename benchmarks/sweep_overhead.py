"""What a sweep costs: its wall-clock time with --jobs 1 over the sum of the same runs' own.

    .venv/bin/python benchmarks/sweep_overhead.py --rounds 3

Within a round the runs come one after another by themselves, then in a sweep; the next round has
the other order. Printed are the seconds of both, and the median and the range of the rounds'
overheads. The machine should have nothing else to do.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLAGS = "--algo ddpg --env Pendulum --steps_per_epoch 2000 --num_test_episodes 5".split()


def seconds_of(*argv: str) -> float:
    """Wall-clock time of a command of the front door. Raises CalledProcessError where it fails."""
    began = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "main.py"), *argv]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def measure_alone(flags: list[str], seeds: list[str], folder: str) -> float:
    """Seconds of the runs by themselves."""
    total = 0.0
    for seed in seeds:
        total += seconds_of(*flags, "--seed", seed, "--data_dir", f"{folder}/alone")
    return total


def measure_sweep(flags: list[str], seeds: list[str], folder: str) -> float:
    """Seconds of the sweep of the same runs."""
    return seconds_of("sweep", *flags, "--seed", *seeds, "--data_dir", f"{folder}/sweep")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15, help="of 2000 env steps, of each run")
    parser.add_argument("--seeds", nargs="+", default=["0", "1"])
    args = parser.parse_args()
    flags = [*FLAGS, "--epochs", str(args.epochs)]
    overheads = []
    for number in range(args.rounds):
        with tempfile.TemporaryDirectory() as folder:
            if number % 2:
                of_sweep = measure_sweep(flags, args.seeds, folder)
                alone = measure_alone(flags, args.seeds, folder)
            else:
                alone = measure_alone(flags, args.seeds, folder)
                of_sweep = measure_sweep(flags, args.seeds, folder)
        overheads.append(of_sweep / alone - 1)
        print(f"alone {alone:.1f} s, sweep {of_sweep:.1f} s, overhead {overheads[-1]:.1%}")
    low = min(overheads)
    high = max(overheads)
    print(f"median overhead {statistics.median(overheads):.1%} ({low:.1%} to {high:.1%})")


if __name__ == "__main__":
    main()
