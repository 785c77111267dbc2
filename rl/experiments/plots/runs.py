"""Runs on disk: which there are below a path, and what their files hold. NumPy only.

A folder is a run if it has one of these files; where it has several, the first of them is read:

    progress.txt    tab-separated: ours, Spinning Up's, and those of loggers made after it
    progress.csv    Stable-Baselines3's, garage's and rllab's
    *monitor.csv    of Stable-Baselines3's Monitor: see `rl.experiments.plots.monitor`
"""

import json
import os
from pathlib import Path
from typing import Any, Iterator, Sequence

import numpy as np

from rl.config import UserError
from rl.experiments.plots.columns import STEPS, Run, find_name
from rl.experiments.plots.monitor import is_monitor, read_monitors
from rl.experiments.plots.text import listed, warn
from rl.experiments.plots.text_table import TextTable, parse_table, read_file
from rl.experiments.rundir import RunDir

PROGRESS = ("progress.txt", "progress.csv")


def find_runs(
    paths: Sequence[str], select: Sequence[str] = (), exclude: Sequence[str] = ()
) -> list[list[Run]]:
    """Per path, the runs below it, or below the folders beside it whose names contain its last
    part.

    Runs without a complete row, and those that can't be read, are left out and named on stderr.

    Args:
      select: keep runs whose path contains all of these. exclude: and none of these.

    Raises:
      UserError: there is no run below a path, or none is left.
    """
    found = []
    empty = []
    faults = []
    for path in paths:
        all_files = _selected(_run_files(path), select, exclude)
        if not all_files:
            raise UserError(f"no run under {path}")
        runs = []
        for files in all_files:
            try:
                run = _read_run(files)
            except UserError as error:
                faults.append(str(error))
                continue
            if run is None:
                empty.append(files[0].parent)
            else:
                runs.append(run)
        found.append(runs)
    if empty:
        faults.insert(0, f"no row in {listed(empty)}")
    reasons = "; ".join(dict.fromkeys(faults))
    if not any(found):
        raise UserError(f"no run that can be plotted under {listed(paths)}: {reasons}")
    if faults:
        warn(f"left out: {reasons}")
    return found


def _selected(
    all_files: Sequence[list[Path]], select: Sequence[str], exclude: Sequence[str]
) -> list[list[Path]]:
    chosen = []
    for files in all_files:
        path = str(files[0])
        if all(part in path for part in select) and not any(part in path for part in exclude):
            chosen.append(files)
    return chosen


def _run_files(path: str) -> list[list[Path]]:
    """The files of each run, sorted by folder: one, or all monitors of the folder."""
    found = []
    for root in _roots(path):
        for folder, subfolders, names in os.walk(root):
            # What should be a file may be a folder, which is to be refused.
            found.append(_progress_files(Path(folder), [*subfolders, *names]))
            # A run directory may be a link, which is not walked into.
            for linked in (Path(folder, name) for name in subfolders):
                if linked.is_symlink():
                    found.append(_progress_files(linked, _names_in(linked)))
    return sorted(filter(None, found))


def _names_in(folder: Path) -> list[str]:
    """What a folder has; nothing where it can't be read, as with those that are walked into."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _roots(path: str) -> list[Path]:
    if os.path.isdir(path):
        return [Path(path)]
    parent = Path(path).parent
    if not parent.is_dir():
        return []
    return [folder for folder in parent.iterdir() if Path(path).name in folder.name]


def _progress_files(folder: Path, names: Sequence[str]) -> list[Path]:
    """Those of a run, of all names in its folder."""
    for name in PROGRESS:
        if name in names:
            return [folder / name]
    return [folder / name for name in sorted(filter(is_monitor, names))]


def _read_run(files: Sequence[Path]) -> Run | None:
    """A run; None if it has no row yet."""
    first = files[0]
    env = ""
    if is_monitor(first.name):
        table, env = read_monitors(files)
    else:
        table = parse_table(read_file(first), first)
    if not table.rows.size:
        return None
    config = _read_config(first.parent / "config.json")
    if env:
        config.setdefault("env_id", env)
    return Run(first.parent, config, _without_replaced(table, first))


def _without_replaced(table: TextTable, file: Path) -> dict[str, np.ndarray]:
    """The columns of a table without the rows that a restart of the run has made again."""
    columns = table.columns()
    steps = find_name(columns, STEPS)
    if steps is None:
        return columns
    replaced = find_replaced(columns[steps], table.restarts)
    if not replaced.any():
        return columns
    first = columns[steps][replaced].min()
    count = replaced.sum()
    warn(f"{file} was restarted: later rows replace {count} with {steps} from {first:g} on")
    return {name: values[~replaced] for name, values in columns.items()}


def find_replaced(steps: np.ndarray, restarts: Sequence[int]) -> np.ndarray:
    """Whether each row is replaced by a later restart, which begins with the same number of steps
    or a smaller one. Rows without a number never are.

    Args:
      steps: `(rows,)`, a count that rises while a run goes on; where it falls, it was restarted.
      restarts: numbers of other rows with which a restart begins, in order.
    """
    replaced = np.zeros(len(steps), bool)
    places = np.flatnonzero(np.isfinite(steps))
    if not places.size:
        return replaced
    numbers = steps[places]
    parts = np.searchsorted(restarts, places, side="right")
    begins = (numbers[1:] < numbers[:-1]) | (parts[1:] > parts[:-1])
    lowest_later = np.where(begins, numbers[1:], np.inf)
    lowest_later = np.minimum.accumulate(lowest_later[::-1])[::-1]
    replaced[places[:-1]] = numbers[:-1] >= lowest_later
    return replaced


def _read_config(file: Path) -> dict[str, Any]:
    """The flags of a run; none where it has no config.json.

    Raises:
      UserError: it can't be read. Runs of different flags could be taken for alike.
    """
    if not os.path.lexists(file):
        return {}
    try:
        config = json.loads(read_file(file))
        if isinstance(config, dict):
            return _defaults(file.parent, config) | dict(_flatten(config))
    except (ValueError, RecursionError):
        pass
    raise UserError(f"{file} is not a JSON object")


def _defaults(directory: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Flags that a run of this program lacks, as one from before they were added does; none of
    runs of other programs."""
    if not isinstance(config.get("versions"), dict):
        return {}
    try:
        flags = RunDir(directory).load_config(trust=True)  # nothing of it is run
    except UserError:
        return {}
    return {name: value for name, value in flags.items() if name not in config}


def _flatten(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested dicts as `outer:inner`, the way Spinning Up names them; objects it wrote as strings
    are left out."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}:")
        elif not (isinstance(value, str) and value.startswith("<")):
            yield prefix + key, value
