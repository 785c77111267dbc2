"""Stable-Baselines3's Monitor: episodes as rows, in a file for each env of a run.

The first line is a comment: JSON with `t_start`, the time of day in seconds, and `env_id`. Then
come comma-separated columns: `r`, the return; `l`, the length in steps; `t`, seconds since t_start.

Source: https://github.com/DLR-RM/stable-baselines3, stable_baselines3/common/monitor.py
"""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple, Sequence

import numpy as np

from rl.config import UserError
from rl.experiments.plots.columns import STEPS
from rl.experiments.plots.text import warn
from rl.experiments.plots.text_table import TextTable, parse_table, read_file

LENGTH = "l"
SECONDS = "t"


class Monitor(NamedTuple):
    """What one file holds: its columns, each `(episodes,)`, and its comment's two values."""

    columns: dict[str, np.ndarray]
    start: float
    env: str


def is_monitor(name: str) -> bool:
    """Whether a file of this name is a Monitor's."""
    return name.endswith("monitor.csv")


def read_monitors(files: Sequence[Path]) -> tuple[TextTable, str]:
    """The episodes of all envs of a run in the order of their ends, and the env's id.

    Steps are the episodes' lengths, added up; they become the column TotalEnvInteracts.

    Raises:
      UserError: one of the files can't be read.
    """
    monitors = []
    for file in files:
        monitor = _read_monitor(file)
        if monitor is not None:
            monitors.append(monitor)
    if not monitors:
        return TextTable([STEPS], np.empty((0, 1)), []), ""
    first_start = min(monitor.start for monitor in monitors)
    for monitor in monitors:
        monitor.columns[SECONDS] += monitor.start - first_start
    names = [name for name in monitors[0].columns if _is_in_all(name, monitors)]
    merged = {}
    for name in names:
        merged[name] = np.concatenate([monitor.columns[name] for monitor in monitors])
    order = np.argsort(merged[SECONDS], kind="stable")
    columns = [merged[name][order] for name in names]
    columns.append(np.nancumsum(merged[LENGTH][order]))
    return TextTable([*names, STEPS], np.stack(columns, axis=1), []), monitors[0].env


def _is_in_all(name: str, monitors: Sequence[Monitor]) -> bool:
    return all(name in monitor.columns for monitor in monitors)


def _read_monitor(file: Path) -> Monitor | None:
    """What a file holds; None if it has no episode yet."""
    text = read_file(file)
    comment = ""
    if text.startswith("#"):
        comment, _, text = text.partition("\n")
    table = parse_table(text, file)
    if table.restarts:
        # Their steps would begin at 0 again.
        last = table.restarts[-1]
        warn(f"{file}: its header comes again; the rows after it replace the {last} before")
        table = table._replace(rows=table.rows[last:])
    if not table.rows.size:
        return None
    columns = table.columns()
    if LENGTH not in columns or SECONDS not in columns:
        raise UserError(f"{file} has no columns {LENGTH} and {SECONDS}")
    values = _parse_comment(comment.removeprefix("#"))
    start = _finite(values.get("t_start"))
    env = values.get("env_id")
    if not isinstance(env, str) or not env.isprintable():
        env = ""
    return Monitor(columns, start, env)


def _finite(value: Any) -> float:
    """A number from JSON; 0 for all else."""
    try:
        number = float(value) if isinstance(value, (int, float)) else 0.0
    except OverflowError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def _parse_comment(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
