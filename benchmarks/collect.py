"""The curves of an experiment's runs as one CSV, and the mean over seeds of their last row.

python benchmarks/collect.py data/ddpg_HalfCheetah out.csv
"""

import csv
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from rl.experiments.plots.columns import column  # noqa: E402
from rl.experiments.plots.runs import find_runs  # noqa: E402

COLUMNS = ("Epoch", "TotalEnvInteracts", "AverageEpRet", "AverageTestEpRet", "StdTestEpRet", "Time")


def main() -> None:
    source, target = sys.argv[1], Path(sys.argv[2])
    (runs,) = find_runs([source])
    columns = [*COLUMNS, *(name for name in runs[0].columns if name.startswith("TestSuccess"))]
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["seed", "git_commit", *columns])
        for run in sorted(runs, key=lambda run: run.config["seed"]):
            rows = zip(*(column(run, name) for name in columns))
            for row in rows:
                writer.writerow(
                    [run.config["seed"], run.config["git_commit"][:12], *(f"{v:.8g}" for v in row)]
                )
    last = {int(run.config["seed"]): column(run, "Performance")[-1] for run in runs}
    print(", ".join(f"seed {seed}: {value:.0f}" for seed, value in sorted(last.items())))
    print(f"mean {np.mean(list(last.values())):.0f}, std {np.std(list(last.values())):.0f}")


if __name__ == "__main__":
    main()
