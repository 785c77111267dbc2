"""Learning curves as data: read run directories, smooth, put runs on one grid, estimate over them.
NumPy only."""

import csv
import json
import os
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, NamedTuple, Sequence

import numpy as np

from rl.config import UserError, closest

IGNORED = (
    "exp_name",
    "seed",
    "data_dir",
    "meta_run",
    "overwrite",
    "tensorboard",
    "versions",
    "git_commit",
    "logger",
    "logger_kwargs",
)


class Run(NamedTuple):
    """One run: its directory, its flat config, and its columns, each `(rows,)` float64."""

    directory: Path
    config: dict[str, Any]
    columns: dict[str, np.ndarray]


def find_runs(
    paths: Sequence[str], select: Sequence[str] = (), exclude: Sequence[str] = ()
) -> list[list[Run]]:
    """Per path, the runs below it, or below the folders beside it whose names contain its last
    part.

    Args:
      select: keep runs whose path contains all of these. exclude: and none of these.

    Raises:
      UserError: a path without a readable run.
    """
    found = []
    for path in paths:
        roots = (
            [Path(path)]
            if os.path.isdir(path)
            else sorted(Path(path).parent.glob(f"*{Path(path).name}*"))
        )
        files = sorted(file for root in roots for file in root.rglob("progress.txt"))
        kept = [
            f
            for f in files
            if all(s in str(f) for s in select) and not any(s in str(f) for s in exclude)
        ]
        runs = [run for run in map(_read, kept) if len(next(iter(run.columns.values()), ()))]
        if not runs:
            raise UserError(f"no run with at least one row of progress.txt under {path}")
        found.append(runs)
    return found


def _read(file: Path) -> Run:
    """A run, without a last row that is still being written."""
    text = file.read_text(encoding="utf-8")
    header, *rows = list(csv.reader(text[: text.rfind("\n") + 1].splitlines(), delimiter="\t")) or [
        []
    ]
    table = np.array([[_number(cell) for cell in row] for row in rows if len(row) == len(header)])
    try:
        config = json.loads((file.parent / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = {}
    flat = dict(_flatten(config))
    return Run(file.parent, flat, dict(zip(header, table.reshape(-1, len(header)).T)))


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _flatten(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested dicts as `outer:inner`, the way Spinning Up names them; objects it wrote as strings
    are left out."""
    for key, value in config.items():
        if isinstance(value, dict) and key not in IGNORED:
            yield from _flatten(value, f"{prefix}{key}:")
        elif not (isinstance(value, str) and value.startswith("<")):
            yield prefix + key, value


def column(run: Run, name: str) -> np.ndarray:
    """A column by name; `Performance` is the test return, or the training return where there is
    none."""
    if name == "Performance":
        name = "AverageTestEpRet" if "AverageTestEpRet" in run.columns else "AverageEpRet"
    if name not in run.columns:
        raise UserError(
            f"{run.directory} has no column {name}; the closest are {closest(name, run.columns)}"
        )
    return run.columns[name]


def smooth(values: np.ndarray, window: int) -> np.ndarray:
    """Centred moving average over `window` rows; at the edges, over the rows that exist; nan rows
    don't count."""
    valid = np.isfinite(values)
    ones = np.ones(window)
    sums, counts = (_same(np.where(valid, x, 0), ones) for x in (values, 1.0))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _same(values: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Centred convolution of the length of `values`, also where the window is longer."""
    first = (len(window) - 1) // 2
    return np.convolve(values, window)[first : first + len(values)]


def align(curves: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Runs on the grid of all their x: x `(points,)` and y `(runs, points)`, nan outside a run's
    own range."""
    curves = [(x[np.isfinite(x * y)], y[np.isfinite(x * y)]) for x, y in curves]
    grid = np.unique(np.concatenate([x for x, _ in curves]))
    rows = [
        np.interp(grid, x, y, np.nan, np.nan) if len(x) else np.full(len(grid), np.nan)
        for x, y in curves
    ]
    return grid, np.stack(rows)


def _iqm(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean of the middle half of the runs, the outermost counted in part."""
    ordered, count = np.sort(values, axis), np.isfinite(values).sum(axis)
    edges = np.arange(values.shape[axis])[:, None]
    weights = np.clip(
        np.minimum(edges + 1, 0.75 * count) - np.maximum(edges, 0.25 * count), 0, None
    )
    return np.nansum(weights * np.where(np.isfinite(ordered), ordered, 0), axis) / weights.sum(axis)


# name -> estimate over runs, from y (runs, points)
ESTIMATORS: dict[str, Callable[..., Any]] = {
    "mean": np.nanmean,
    "median": np.nanmedian,
    "iqm": _iqm,
}
ESTIMATORS |= {"max": np.nanmax, "min": np.nanmin}


def band(y: np.ndarray, centre: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper edge `(points,)`: "sd" one standard deviation over runs, "se" one standard
    error, "range"."""
    if kind == "range":
        return np.nanmin(y, 0), np.nanmax(y, 0)
    spread = np.nanstd(y, 0) / (np.sqrt(np.isfinite(y).sum(0)) if kind == "se" else 1)
    return centre - spread, centre + spread


def differences(groups: Mapping[str, Sequence[Run]]) -> tuple[list[str], list[list[str]]]:
    """The hyper-parameters that differ between groups: their names, and a row of values per
    group."""
    configs = [runs[0].config for runs in groups.values()]
    names = sorted(
        {name for config in configs for name in config if name.split(":")[0] not in IGNORED}
    )
    rows = [[_show(config.get(name, "")) for name in names] for config in configs]
    differing = [i for i in range(len(names)) if len({row[i] for row in rows}) > 1]
    return [names[i] for i in differing], [[row[i] for i in differing] for row in rows]


def _show(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
