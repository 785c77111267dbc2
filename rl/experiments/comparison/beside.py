"""Other columns of the runs that a table of methods has beside their scores: what they cost."""

import argparse
import math
from typing import Callable, NamedTuple, Sequence

import numpy as np

from rl.experiments.plots.columns import STEPS, Run, column, find_name

REDUCTIONS: dict[str, Callable[[np.ndarray], float]] = {
    "last": lambda values: float(values[-1]),
    "mean": lambda values: float(values.mean()),
    "sum": lambda values: float(values.sum()),
}


class Beside(NamedTuple):
    """A column, and how a run's rows become one number: `kind` is of REDUCTIONS."""

    name: str
    kind: str = "last"

    @property
    def title(self) -> str:
        """Such as "TimeUpdate, sum"; the name alone where the last row counts."""
        return self.name if self.kind == "last" else f"{self.name}, {self.kind}"


def parse_beside(text: str) -> Beside:
    """A column and a reduction, as in "TimeUpdate:sum". Raises what argparse makes a line of."""
    name, _, kind = text.rpartition(":")
    if not name:
        name = text
        kind = "last"
    if not name or kind not in REDUCTIONS:
        known = ", ".join(REDUCTIONS)
        raise argparse.ArgumentTypeError(f"expected COLUMN or COLUMN:{{{known}}}, got {text}")
    return Beside(name, kind)


def values_beside(runs: Sequence[Run], beside: Beside, steps: float | None) -> np.ndarray:
    """A number for each run, `(runs,)`; nan where it lacks the column, or a finite value in it.

    Args:
      steps: env steps after which no row counts; None: all rows do.

    Raises:
      UserError: no run has the column.
    """
    if all(find_name(run.columns, beside.name) is None for run in runs):
        column(runs[0], beside.name)
    return np.array([_value(run, beside, steps) for run in runs])


def _value(run: Run, beside: Beside, steps: float | None) -> float:
    if find_name(run.columns, beside.name) is None:
        return math.nan
    values = column(run, beside.name)
    counting = np.isfinite(values)
    if steps is not None:
        counting &= column(run, STEPS) <= steps
    if not counting.any():
        return math.nan
    return REDUCTIONS[beside.kind](values[counting])
