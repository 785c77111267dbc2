"""Draws the learning curves of experiments from their CSV, as PNG beside it.

python benchmarks/redraw.py ddpg_HalfCheetah-v5 sac_MT10
"""

import csv
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rl.__main__ import main as front_door  # noqa: E402

RESULTS = Path(__file__).parent / "results"


def restore_runs(name: str, folder: Path) -> None:
    """Writes the run of each seed of `<name>.csv` into `folder`, as far as the CSV has it."""
    algo, env = name.split("_", 1)
    with open(RESULTS / f"{name}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for seed in sorted({row["seed"] for row in rows}):
        run = folder / f"{name}_s{seed}"
        run.mkdir()
        config = {"exp_name": name, "algo": algo, "env": env, "seed": int(seed)}
        (run / "config.json").write_text(json.dumps(config))
        lines = ["\t".join(rows[0])]
        for row in rows:
            if row["seed"] == seed:
                lines.append("\t".join(row.values()))
        (run / "progress.txt").write_text("\n".join(lines) + "\n")


def draw(name: str) -> None:
    """Draws `<name>.png`, and of several tasks `<name>_tasks.png` too."""
    _, env = name.split("_", 1)
    values = ["Performance", "AverageEpRet"]
    if env.startswith(("MT", "ML")):
        values = ["TestSuccess", "Performance"]
    with tempfile.TemporaryDirectory() as folder:
        restore_runs(name, Path(folder))
        picture = str(RESULTS / f"{name}.png")
        front_door(["plot", folder, "-y", *values, "-o", picture])
        if env.startswith(("MT", "ML")) and not env.startswith(("MT1-", "ML1-")):
            picture = str(RESULTS / f"{name}_tasks.png")
            front_door(["plot", folder, "--by_task", "-y", "TestSuccess", "-o", picture])


if __name__ == "__main__":
    for experiment in sys.argv[1:]:
        draw(experiment)
