"""What runs cost: seconds, where they went, memory and processors, from their columns."""

from typing import Callable, Sequence

import numpy as np

from rl.experiments.comparison.report import NOTHING, number
from rl.experiments.plots.columns import STAND_INS, STEPS, Run, find_name
from rl.experiments.plots.groups import Group

TIME = "Time"
MEMORY = ("Memory", "GPUMemory")  # beginnings of columns whose largest value counts
SHARES = ("CPU",)  # of columns whose mean counts
COUNTS = ("Epoch", "Iteration")  # taken for env steps as an x axis, and are none


def cost_table(groups: Sequence[Group]) -> list[list[str]]:
    """A header, and a row for each run; seconds of parts such as TimeEnv are sums over rows."""
    runs = [run for group in groups for run in group.runs]
    parts = _columns(runs, (TIME,))
    parts = [name for name in parts if name not in (TIME, *STAND_INS[STEPS])]
    memory = _columns(runs, MEMORY)
    shares = _columns(runs, SHARES)
    header = ["run", "method", "rows", "env steps", "time", "steps/s"]
    header += [f"{name} (s)" for name in parts]
    header += [f"{name} (most)" for name in memory]
    header += [f"{name} (mean)" for name in shares]
    rows = [header]
    for group in groups:
        for run in group.runs:
            row = [run.directory.name, group.label, *_pace(run)]
            row += [number(_reduce(run, name, np.sum)) for name in parts]
            row += [number(_reduce(run, name, np.max)) for name in memory]
            row += [number(_reduce(run, name, np.mean)) for name in shares]
            rows.append(row)
    return rows


def _columns(runs: Sequence[Run], beginnings: tuple[str, ...]) -> list[str]:
    """Names of columns that begin so, which some run has."""
    names: dict[str, None] = {}
    for run in runs:
        names.update(dict.fromkeys(name for name in run.columns if name.startswith(beginnings)))
    return list(names)


def _pace(run: Run) -> list[str]:
    """Rows, env steps, time, and env steps per second."""
    steps = _last(run, STEPS)
    if find_name(run.columns, STEPS) in COUNTS:
        steps = float("nan")
    seconds = _last(run, TIME)
    count = len(next(iter(run.columns.values())))
    pace = steps / seconds if seconds > 0 else float("nan")
    steps_text = NOTHING if np.isnan(steps) else f"{steps:.0f}"
    return [str(count), steps_text, duration(seconds), number(pace)]


def _last(run: Run, name: str) -> float:
    """The last finite value of a column, or of the one that is taken for it; nan without one."""
    found = find_name(run.columns, name)
    if found is None:
        return float("nan")
    finite = run.columns[found][np.isfinite(run.columns[found])]
    return float(finite[-1]) if finite.size else float("nan")


def _reduce(run: Run, name: str, reduce: Callable[[np.ndarray], float]) -> float:
    values = run.columns.get(name, np.empty(0))
    finite = values[np.isfinite(values)]
    return float(reduce(finite)) if finite.size else float("nan")


def duration(seconds: float) -> str:
    """Such as "42 s", "5 min 10 s" or "3 h 20 min"."""
    if not np.isfinite(seconds):
        return NOTHING
    whole = int(round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
