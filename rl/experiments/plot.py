"""`plot`: learning curves of run directories, the Spinning Up way, without a screen and without
TensorFlow."""

from pathlib import Path
from typing import Any, Sequence

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rl.config import Parser, UserError
from rl.experiments.curves import (
    ESTIMATORS,
    Run,
    align,
    band,
    column,
    differences,
    find_runs,
    smooth,
)
from rl.experiments.heatmap import draw_tasks
from rl.experiments.tree import draw_splits

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999933")
MOST_COLUMNS = 8  # of the table below the panels


def main(argv: Sequence[str]) -> int:
    """The command `main.py plot DIR ...`; prints the path of the figure."""
    parser = Parser(
        prog="main.py plot", description="Plot learning curves. Reads runs, never changes them."
    )
    parser.add_argument(
        "logdir", nargs="+", help="run or experiment folders, or the beginnings of their names"
    )
    parser.add_argument(
        "--legend", "-l", nargs="*", help="a label per logdir; runs of one label become one curve"
    )
    parser.add_argument(
        "--xaxis", "-x", default="TotalEnvInteracts", help="column (default: %(default)s)"
    )
    text = (
        "columns, a panel each; Performance is the test return where there is one "
        "(default: Performance)"
    )
    parser.add_argument("--value", "-y", nargs="*", default=["Performance"], help=text)
    parser.add_argument(
        "--by_task", action="store_true", help="values of every task over time, as colours"
    )
    parser.add_argument(
        "--splits", action="store_true", help="how the networks of one run split, layer by layer"
    )
    parser.add_argument(
        "--count", action="store_true", help="a curve per run instead of one per experiment"
    )
    parser.add_argument("--smooth", "-s", type=int, default=1, help="window in rows (default: 1)")
    parser.add_argument(
        "--select", nargs="*", default=[], help="only runs whose path contains all of these"
    )
    parser.add_argument(
        "--exclude", nargs="*", default=[], help="no runs whose path contains any of these"
    )
    parser.add_argument(
        "--est", default="mean", choices=tuple(ESTIMATORS), help="over runs (default: mean)"
    )
    bands = ("sd", "se", "range", "none")
    parser.add_argument(
        "--band", default="sd", choices=bands, help="shaded around the estimate (default: sd)"
    )
    parser.add_argument(
        "--out",
        "-o",
        type=Path,
        default=Path("plot.png"),
        help="PNG, SVG or PDF (default: plot.png)",
    )
    args = parser.parse(argv)
    if args.smooth < 1:
        raise UserError(f"--smooth must be at least 1, got {args.smooth}")
    if args.out.suffix not in (".png", ".svg", ".pdf"):
        raise UserError(f"--out must end with .png, .svg or .pdf, got {args.out}")
    if args.legend and len(args.legend) != len(args.logdir):
        raise UserError(
            f"--legend needs one label per logdir: {len(args.logdir)}, got {len(args.legend)}"
        )
    groups = label_runs(find_runs(args.logdir, args.select, args.exclude), args.legend, args.count)
    if args.splits:
        figure = draw_splits(groups)
    else:
        figure = draw_tasks(groups, args) if args.by_task else draw(groups, args)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.out, bbox_inches="tight", dpi=150)
    print(args.out)
    return 0


def label_runs(
    found: Sequence[Sequence[Run]], legend: Sequence[str] | None, count: bool
) -> dict[str, list[Run]]:
    """Curves by label: the legend's, else the experiment's name; with `count`, one per run."""
    groups: dict[str, list[Run]] = {}
    for i, runs in enumerate(found):
        for run in runs:
            label = legend[i] if legend else str(run.config.get("exp_name", run.directory.name))
            if count:
                label = f"{label}-{sum(name.startswith(label + '-') for name in groups)}"
            if all(run.directory != other.directory for other in groups.setdefault(label, [])):
                groups[label].append(run)
    return groups


def draw(groups: dict[str, list[Run]], args: Any) -> Figure:
    """A panel per value, a curve and a band per group, and the table of what differs between
    groups."""
    style = {
        "axes.grid": True,
        "grid.alpha": 0.3,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    names, rows = differences(groups)
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(6.4 * len(args.value), 4.4))
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(args.value), squeeze=False)[0]
        for panel, value in zip(panels, args.value):
            for i, (label, runs) in enumerate(groups.items()):
                _curve(panel, runs, value, args, {"label": label, "color": COLORS[i % len(COLORS)]})
            panel.set(xlabel=args.xaxis, ylabel=value)
            panel.ticklabel_format(style="sci", axis="x", scilimits=(0, 4))
        panels[0].legend(loc="best", frameon=False)
        if names:
            shown = names[:MOST_COLUMNS]
            cells = [[label, *row[:MOST_COLUMNS]] for label, row in zip(groups, rows)]
            height = 0.06 * (len(cells) + 1)
            table = panels[0].table(
                cells, colLabels=["", *shown], bbox=(0, -0.22 - height, len(args.value), height)
            )
            table.auto_set_font_size(False)
            table.set_fontsize(8)
            if len(names) > len(shown):
                print(
                    f"the table shows {len(shown)} of {len(names)} differing flags; the others: "
                    f"{names[MOST_COLUMNS:]}"
                )
    return figure


def _curve(panel: Any, runs: Sequence[Run], value: str, args: Any, look: dict[str, str]) -> None:
    x, y = align(
        [(column(run, args.xaxis), smooth(column(run, value), args.smooth)) for run in runs]
    )
    if len(x) == 0:
        return
    centre = ESTIMATORS[args.est](y, axis=0)
    panel.plot(x, centre, linewidth=1.6, **look)
    if args.band != "none" and len(runs) > 1:
        low, high = band(y, centre, args.band)
        panel.fill_between(x, low, high, alpha=0.2, linewidth=0, color=look["color"])
