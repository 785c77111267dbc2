"""Keeps what `compare`, `plot` and `report` read of a sweep's finished runs, without checkpoints.

    python benchmarks/keep.py data/splitting_metaworld_ppo

A run's flags, rows, splits and evaluation go to the same place below `results/runs/`, where those
of other machines, or of earlier pieces of the sweep, may be already:

    python main.py compare benchmarks/results/runs/splitting_metaworld_ppo -y TestSuccess
"""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rl.config import SPLITS  # noqa: E402
from rl.experiments.rundir import CONFIG, EVALUATION, RunDir  # noqa: E402

RUNS = Path(__file__).parent / "results" / "runs"
FILES = (CONFIG, "progress.txt", SPLITS, EVALUATION)


def keep(sweep: Path, target: Path) -> list[Path]:
    """Copies the finished runs below `sweep`.

    Returns:
      Their folders below `target`.
    """
    kept = []
    for config in sorted(sweep.rglob(CONFIG)):
        run = RunDir(config.parent)
        if run.status != "finished":
            continue
        folder = target / run.path.relative_to(sweep)
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            if (run.path / name).exists():
                shutil.copyfile(run.path / name, folder / name)
        kept.append(folder)
    return kept


def main() -> None:
    for argument in sys.argv[1:]:
        sweep = Path(argument)
        for folder in keep(sweep, RUNS / sweep.resolve().name):
            print(folder)


if __name__ == "__main__":
    main()
