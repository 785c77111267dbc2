"""Learning curves as data: read run directories, smooth, put runs on one grid. NumPy only."""

import json
import os
import re
import stat
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Sequence

import numpy as np

from rl.config import UserError, closest
from rl.files import read_text


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

    Runs without a complete row yet are left out.

    Args:
      select: keep runs whose path contains all of these. exclude: and none of these.

    Raises:
      UserError: a path without a run, or with one that can't be read.
    """
    found = []
    for path in paths:
        files = []
        for file in _progress_files(path):
            selected = all(part in str(file) for part in select)
            excluded = any(part in str(file) for part in exclude)
            if selected and not excluded:
                files.append(file)
        runs = [run for run in map(_read_run, files) if run is not None]
        if not runs:
            others = [f"; {file} is not a regular file" for file in files if not _is_regular(file)]
            note = others[0] if others else ""
            raise UserError(f"no run with at least one row of progress.txt under {path}{note}")
        found.append(runs)
    return found


def _progress_files(path: str) -> list[Path]:
    roots = [Path(path)]
    if not os.path.isdir(path):
        parent = Path(path).parent
        beside = parent.iterdir() if parent.is_dir() else ()
        roots = sorted(folder for folder in beside if Path(path).name in folder.name)
    return sorted(file for root in roots for file in root.rglob("progress.txt"))


def _is_regular(file: Path) -> bool:
    return stat.S_ISREG(os.lstat(file).st_mode)


def read_regular(file: Path) -> str | None:
    """The text of a file; None where there is none, or where it isn't a regular file.

    Links are not followed: they could lead out of the run directory. Pipes would block.

    Raises:
      UserError: it can't be read, or isn't UTF-8.
    """
    try:
        if not _is_regular(file):
            return None
        return read_text(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is not text in UTF-8") from None


def _read_run(file: Path) -> Run | None:
    """A run, without a last row that is still being written; None if it has no row yet."""
    text = read_regular(file)
    if text is None:
        return None
    complete = text[: text.rfind("\n") + 1]
    header, *rows = [line.rstrip("\r").split("\t") for line in complete.split("\n")]
    if not all(name.isprintable() for name in header):
        raise UserError(f"{file} is not a table of columns")
    table = [[_number(cell) for cell in row] for row in rows if len(row) == len(header)]
    if not any(header) or not table:
        return None
    columns = dict(zip(header, np.array(table).T))
    return Run(file.parent, _read_config(file.parent / "config.json"), columns)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")


def _read_config(file: Path) -> dict[str, Any]:
    """The flags of a run; none where it has no config.json. Raises a UserError for one that can't
    be read: runs of different flags could be taken for alike."""
    if not os.path.lexists(file):
        return {}
    text = read_regular(file)
    if text is None:
        raise UserError(f"{file} is not a regular file")
    try:
        config = json.loads(text)
        if isinstance(config, dict):
            return dict(_flatten(config))
    except (ValueError, RecursionError):
        pass
    raise UserError(f"{file} is not a JSON object")


def _flatten(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested dicts as `outer:inner`, the way Spinning Up names them; objects it wrote as strings
    are left out."""
    for key, value in config.items():
        if isinstance(value, dict):
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
    ones = np.ones(min(window, 2 * len(values)))  # a longer window averages over all rows, too
    sums = _same(np.where(valid, values, 0), ones)
    counts = _same(np.where(valid, 1.0, 0), ones)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _same(values: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Centred convolution of the length of `values`, also where the window is longer."""
    first = (len(window) - 1) // 2
    return np.convolve(values, window)[first : first + len(values)]


def align(curves: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Runs on the grid of all their x: x `(points,)` and y `(runs, points)`, nan outside a run's
    own range.

    Rows that lack x or y are left out, and so are runs that have no others.
    """
    finite = []
    for x, y in curves:
        valid = np.isfinite(x) & np.isfinite(y)
        order = np.argsort(x[valid], kind="stable")
        if valid.any():
            finite.append((x[valid][order], y[valid][order]))
    if not finite:
        return np.empty(0), np.empty((0, 0))
    grid = np.unique(np.concatenate([x for x, _ in finite]))
    return grid, np.stack([np.interp(grid, x, y, np.nan, np.nan) for x, y in finite])


def read_curves(
    runs: Sequence[Run], xaxis: str, value: str, window: int
) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed values of runs on one grid: x `(points,)`, y `(runs with data, points)`."""
    return align([(column(run, xaxis), smooth(column(run, value), window)) for run in runs])


def shorten(text: str, length: int) -> str:
    """`text` on one printable line of at most `length` characters, with an ellipsis in the
    middle."""
    text = re.sub(r"\s+", " ", text)
    text = "".join(character if character.isprintable() else "?" for character in text)
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return text[: length - 1 - tail] + "…" + text[len(text) - tail :]
