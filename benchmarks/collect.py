"""The curves of an experiment's runs as one CSV.

python benchmarks/collect.py data/half_cheetah/ddpg out.csv
"""

import csv
import sys
from pathlib import Path

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


if __name__ == "__main__":
    main()
