"""What updates of several tasks cost in this checkout over what they cost in another one.

    git worktree add /somewhere/before COMMIT
    .venv/bin/python benchmarks/updates_paired.py /somewhere/before --tasks 4 --rounds 3

Measurements are multitask_update.py's and splitting_update.py's, each in a process of its own, the
two checkouts in turn within a round, so that a machine that slows down slows down both. Printed are
the median and the range of the rounds' ratios of this checkout's time of an update to the other's,
of the fastest update in each process.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# script -> what it times, network:method
TIMED = {
    "multitask_update.py": ("mlp:sum", "multi_head:sum", "multi_head:pcgrad", "moore:sum"),
    "splitting_update.py": ("splitting:task gradients", "splitting:conflict"),
}


def times(checkout: Path, script: str, tasks: int) -> dict[str, float]:
    """Seconds of the fastest update of each pair in TIMED, by "network:method"."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "times.json"
        command = [sys.executable, str(checkout / "benchmarks" / script), "--out", str(out)]
        command += ["--tasks", str(tasks), "--only", *TIMED[script]]
        subprocess.run(command, check=True, capture_output=True)
        results = json.loads(out.read_text(encoding="utf-8"))["results"]
    found = {}
    for result in results:
        found[f"{result['network']}:{result['method']}"] = min(result["ms"]) / 1e3
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("--tasks", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scripts", nargs="+", default=list(TIMED), choices=list(TIMED))
    args = parser.parse_args()
    for script in args.scripts:
        ratios: dict[str, list[float]] = {pair: [] for pair in TIMED[script]}
        for number in range(args.rounds):
            checkouts = [args.before, ROOT]
            if number % 2:
                checkouts.reverse()
            found = {checkout: times(checkout, script, args.tasks) for checkout in checkouts}
            for pair, values in ratios.items():
                values.append(found[ROOT][pair] / found[args.before][pair])
        for pair, values in ratios.items():
            middle = statistics.median(values)
            print(f"{pair}: {middle:.3f} ({min(values):.3f} to {max(values):.3f})", flush=True)


if __name__ == "__main__":
    main()
