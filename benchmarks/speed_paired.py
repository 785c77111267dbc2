"""Env steps per second of this checkout over those of another one, job by job, in one run.

    git worktree add /somewhere/before COMMIT
    .venv/bin/python benchmarks/speed_paired.py /somewhere/before --rounds 5

Measurements are speed_ours.py's, each in a process of its own, the two checkouts in turn within a
round, so that a machine that slows down slows down both. Printed are the median and the range of
the rounds' ratios: of env steps, and of updates in a burst with nothing beside it.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.speed import JOBS, measure  # noqa: E402

RATES = ("steps_per_second", "updates_per_second")


def rates(checkout: Path, job: dict, steps: int) -> dict[str, float]:
    """What a checkout's speed_ours.py prints."""
    script = checkout / "benchmarks" / "speed_ours.py"
    return measure([sys.executable, str(script), json.dumps(job), str(steps)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("--jobs", nargs="+", default=["ddpg", "sac", "ppo"], choices=list(JOBS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20480, help="a multiple of 2048")
    args = parser.parse_args()
    for name in args.jobs:
        job = {"algo": name, **JOBS[name]}
        ratios: dict[str, list[float]] = {rate: [] for rate in RATES}
        for number in range(args.rounds):
            pair = [args.before, ROOT]
            if number % 2:
                pair.reverse()
            found = {checkout: rates(checkout, job, args.steps) for checkout in pair}
            for rate in RATES:
                ratios[rate].append(found[ROOT][rate] / found[args.before][rate])
        for rate, values in ratios.items():
            middle = statistics.median(values)
            print(f"{name} {rate}: {middle:.3f} ({min(values):.3f} to {max(values):.3f})")


if __name__ == "__main__":
    main()
