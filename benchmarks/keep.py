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
from rl.experiments.rundir import CONFIG, EVALUATION  # noqa: E402
from rl.experiments.sweeps.plan import read_plan  # noqa: E402
from rl.experiments.sweeps.stages import state_of  # noqa: E402

RUNS = Path(__file__).parent / "results" / "runs"
FILES = (CONFIG, "progress.txt", SPLITS, EVALUATION)


def keep(sweep: Path, target: Path) -> list[Path]:
    """Copies the finished runs of a sweep, those whose last episodes are due left out.

    Returns:
      Their folders below `target`.

    Raises:
      UserError: `sweep` is not a sweep's folder.
    """
    kept = []
    for planned in read_plan(sweep):
        if state_of(planned) != "finished":
            continue
        for stage in planned.stages:
            source = stage.run.path
            folder = target / source.relative_to(sweep)
            folder.mkdir(parents=True, exist_ok=True)
            for name in FILES:
                if (source / name).exists():
                    shutil.copyfile(source / name, folder / name)
            kept.append(folder)
    return kept


def main() -> None:
    for argument in sys.argv[1:]:
        sweep = Path(argument)
        for folder in keep(sweep, RUNS / sweep.resolve().name):
            print(folder)


if __name__ == "__main__":
    main()
