"""Learning curves as a figure: a row of panels per env, a panel per value, a curve per group."""

import dataclasses
import textwrap
from typing import Any, Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rl.experiments.plots.curves import read_curves, stretches
from rl.experiments.plots.estimates import BANDS, ESTIMATORS, band, choose_band
from rl.experiments.plots.flag_table import FlagTable
from rl.experiments.plots.groups import Group, differences
from rl.experiments.plots.options import Options
from rl.experiments.plots.text import shorten

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
PANEL_WIDTH = 5.2  # inches, without the legend
PANEL_HEIGHT = 3.6
THICK = 1.6  # points, of a line over all runs
THIN = 0.7  # over some of them
SETTINGS = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9,
    "grid.alpha": 0.3,
    "text.parse_math": False,  # a dollar in a name is a dollar
}


@dataclasses.dataclass(frozen=True)
class Curve:
    """Runs of a group on one grid: x `(points,)`, y `(runs with data, points)`, and how they
    look."""

    x: np.ndarray
    y: np.ndarray
    style: dict[str, Any]

    @property
    def count(self) -> int:
        """How many runs have data."""
        return len(self.y)


def line_style(number: int) -> dict[str, Any]:
    """Colour and dashes of the curve `number`; 32 are distinct."""
    dashes = DASHES[number // len(COLORS) % len(DASHES)]
    return {"color": COLORS[number % len(COLORS)], "linestyle": dashes}


def draw(groups: Sequence[Group], options: Options) -> Figure:
    """Curves with bands, the legend of each row right of it, and the table of what differs between
    groups.

    A label looks the same in all panels.
    """
    labels = list(dict.fromkeys(group.label for group in groups))
    styles = {label: line_style(number) for number, label in enumerate(labels)}
    by_env: dict[str, list[Group]] = {}
    for group in groups:
        by_env.setdefault(group.env, []).append(group)
    rows = list(by_env.values())
    legend_width = _legend_width(labels)
    widths = [PANEL_WIDTH] * len(options.values) + [legend_width]
    width = sum(widths)
    heights = [max(PANEL_HEIGHT, _legend_height(row)) for row in rows]
    height = sum(heights)
    with matplotlib.rc_context(SETTINGS):
        table = FlagTable([group.label for group in groups], *differences(groups), width)
        figure = Figure(figsize=(width, height + table.height))
        FigureCanvasAgg(figure)
        upper = figure
        if table.height:
            upper, lower = figure.subfigures(2, 1, height_ratios=(height, table.height))
            table.draw(lower)
        figure.set_layout_engine("constrained", h_pad=0.1)
        all_axes = upper.subplots(
            len(heights),
            len(widths),
            squeeze=False,
            height_ratios=heights,
            width_ratios=widths,
        )
        for axes, row in zip(all_axes, rows):
            _draw_row(axes[:-1], axes[-1], row, styles, options)
    return figure


def _draw_row(
    panels: Sequence[Any],
    legend_axes: Any,
    row: Sequence[Group],
    styles: dict[str, dict[str, Any]],
    options: Options,
) -> None:
    """The panels of one env, and their legend."""
    counts: list[list[int]] = [[] for _ in row]
    for panel, value in zip(panels, options.values):
        curves = []
        for group, group_counts in zip(row, counts):
            x, y = read_curves(group.runs, options.xaxis, value, options.window)
            curves.append(Curve(x, y, styles[group.label]))
            group_counts.append(len(y))
        _draw_panel(panel, curves, options)
        panel.set(xlabel=options.xaxis, ylabel=value)
        panel.set_title(shorten(row[0].env or value, 60))
    handles = []
    names = []
    for group, group_counts in zip(row, counts):
        handles.append(Line2D([], [], linewidth=THICK, **styles[group.label]))
        names.append(_legend_name(group.label, group_counts))
    legend_axes.set_axis_off()
    legend = legend_axes.legend(
        handles,
        [""] * len(names),
        title=_legend_title(options, max(map(max, counts))),
        loc="upper left",
        bbox_to_anchor=(0, 1),
        borderaxespad=0,
        frameon=False,
        alignment="left",
        handlelength=3,
    )
    for text, name in zip(legend.get_texts(), names):
        text.set_text(name)  # given as labels, names that begin with "_" would be left out


def _legend_name(label: str, counts: Sequence[int]) -> str:
    """A label with its number of runs; where panels differ in it, with that of each."""
    shown = counts[:1] if len(set(counts)) == 1 else counts
    return _wrapped(f"{label} (n={', '.join(map(str, shown))})")


def _legend_title(options: Options, most: int) -> str:
    """The estimate, and the band where one is drawn; none where every curve is one run."""
    if most < 2:
        return ""
    title = f"{options.est} over n runs"
    band_name = BANDS[choose_band(options.band, options.est)]
    if band_name:
        title += f",\nband: {band_name}"
    return title


def _wrapped(label: str) -> str:
    return textwrap.fill(shorten(label, 120), 34)


def _legend_width(labels: Sequence[str]) -> float:
    """In inches, of the longest line, and of the title."""
    longest = 18
    for label in labels:
        longest = max(longest, *map(len, _wrapped(label).split("\n")))
    return 0.9 + 0.075 * longest


def _legend_height(row: Sequence[Group]) -> float:
    """In inches, of a row's labels with room for the numbers of runs, and of the title."""
    lines = 4
    for group in row:
        lines += _legend_name(group.label, [100]).count("\n") + 1
    return 0.18 * lines


def _draw_panel(panel: Any, curves: Sequence[Curve], options: Options) -> None:
    for curve in curves:
        _draw_lines(panel, curve, ESTIMATORS[options.est])
    _draw_bands(panel, curves, options)
    panel.ticklabel_format(style="sci", axis="x", scilimits=(0, 4))
    if not any(curve.count for curve in curves):
        panel.text(0.5, 0.5, "no data", ha="center", va="center", transform=panel.transAxes)


def _draw_lines(panel: Any, curve: Curve, estimate: Any) -> None:
    """The estimate where all runs have data; beyond, a thin line for each stretch of the same
    runs."""
    for start, stop, runs in stretches(np.isfinite(curve.y)):
        values = estimate(curve.y[runs, start:stop], axis=0)
        marker = "o" if stop - start == 1 else ""  # a line of one point would not be seen
        width = THICK if runs.all() else THIN
        panel.plot(
            curve.x[start:stop],
            values,
            linewidth=width,
            marker=marker,
            markersize=2.5 * width,
            **curve.style,
        )


def _draw_bands(panel: Any, curves: Sequence[Curve], options: Options) -> None:
    """Bands where all of at least two runs have data.

    They may make the y axis three times as high as the runs themselves, and no higher: an interval
    of two runs would flatten every curve.
    """
    kind = choose_band(options.band, options.est)
    several = [curve for curve in curves if curve.count > 1]
    if kind == "none" or not several:
        return
    low = min(np.nanmin(curve.y) for curve in curves if curve.count)
    high = max(np.nanmax(curve.y) for curve in curves if curve.count)
    for curve in several:
        everywhere = np.isfinite(curve.y).all(axis=0)
        if everywhere.any():
            lower, upper = band(curve.y[:, everywhere], kind, options.est)
            color = curve.style["color"]
            panel.fill_between(
                curve.x[everywhere], lower, upper, alpha=0.2, linewidth=0, color=color
            )
    if high > low:
        bottom, top = panel.get_ylim()
        panel.set_ylim(max(bottom, low - (high - low)), min(top, high + (high - low)))
