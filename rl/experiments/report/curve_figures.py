"""Learning curves as the page draws them: the mean over runs, its band, and single runs."""

import dataclasses
from typing import Sequence

import numpy as np

from rl.experiments.comparison.comparisons import IntervalOptions
from rl.experiments.plots.columns import Run
from rl.experiments.plots.curves import read_curves, stretches
from rl.experiments.plots.estimates import band
from rl.experiments.plots.groups import Group
from rl.experiments.plots.options import Options
from rl.experiments.plots.text import shorten
from rl.experiments.report.numbers import exact
from rl.experiments.report.thinning import thin_curve

LABEL_LENGTH = 120  # characters


@dataclasses.dataclass(frozen=True)
class Line:
    """Points that are joined; None in y where it is not finite.

    Attributes:
      count: runs that y is the mean of.
    """

    x: list[float | None]
    y: list[float | None]
    count: int


@dataclasses.dataclass(frozen=True)
class Band:
    """Edges of the 95% interval of the mean."""

    x: list[float | None]
    low: list[float | None]
    high: list[float | None]
    kind: str  # "t" or "bootstrap"


@dataclasses.dataclass(frozen=True)
class RunLine:
    """One run by itself."""

    name: str
    x: list[float | None]
    y: list[float | None]


@dataclasses.dataclass(frozen=True)
class Curve:
    """The runs of a method.

    Attributes:
      style: number of its look, the same in all figures. lines: where all `count` runs have data,
        and beyond it a line for each stretch of the same runs.
    """

    label: str
    style: int
    count: int
    lines: list[Line]
    band: Band | None
    runs: list[RunLine]


@dataclasses.dataclass(frozen=True)
class CurveFigure:
    """The curves of an env and a value.

    Attributes:
      thinned: whether points of a curve were left out.
    """

    kind: str
    env: str
    value: str
    xaxis: str
    thinned: bool
    curves: list[Curve]


def make_curve_figure(
    groups: Sequence[Group],
    styles: dict[str, int],
    options: Options,
    intervals: IntervalOptions,
) -> CurveFigure | None:
    """The figure of one env; None where none of its runs has data.

    Args:
      groups: of one env. styles: number of each label's look. options: whose first value is drawn.
        intervals: whether bands are t or bootstrap intervals.
    """
    xaxis = options.xaxis
    value = options.values[0]
    curves = []
    thinned = False
    for group in groups:
        x, y = read_curves(group.runs, xaxis, value, options.window)
        if not y.size:
            continue
        label = shorten(group.label, LABEL_LENGTH)
        lines = _make_lines(x, y)
        band_of_runs = _make_band(x, y, intervals)
        runs = _make_run_lines(group.runs, options)
        style = styles[group.label]
        curves.append(Curve(label, style, len(y), lines, band_of_runs, runs))
        thinned = thinned or len(x) > sum(len(line.x) for line in lines)
    if not curves:
        return None
    return CurveFigure("curves", groups[0].env, value, xaxis, thinned, curves)


def _make_lines(x: np.ndarray, y: np.ndarray) -> list[Line]:
    lines = []
    for start, stop, present in stretches(np.isfinite(y)):
        mean = y[present, start:stop].mean(axis=0)
        kept = thin_curve(mean)
        lines.append(Line(exact(x[start:stop][kept]), exact(mean[kept]), int(present.sum())))
    return lines


def _make_band(x: np.ndarray, y: np.ndarray, intervals: IntervalOptions) -> Band | None:
    """Around the mean where all of at least two runs have data."""
    everywhere = np.isfinite(y).all(axis=0)
    if len(y) < 2 or not everywhere.any():
        return None
    shared = y[:, everywhere]
    kept = thin_curve(shared.mean(axis=0))
    kind = "bootstrap" if intervals.by_bootstrap(len(y)) else "ci"
    low, high = band(shared[:, kept], kind)
    name = "bootstrap" if kind == "bootstrap" else "t"
    return Band(exact(x[everywhere][kept]), exact(low), exact(high), name)


def _make_run_lines(runs: Sequence[Run], options: Options) -> list[RunLine]:
    lines = []
    for run in runs:
        x, y = read_curves([run], options.xaxis, options.values[0], options.window)
        if y.size:
            kept = thin_curve(y[0])
            name = shorten(run.directory.name, LABEL_LENGTH)
            lines.append(RunLine(name, exact(x[kept]), exact(y[0][kept])))
    return lines
