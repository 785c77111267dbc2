"""`plot`: learning curves of run directories, the Spinning Up way, without a screen and without
TensorFlow."""

import argparse
import contextlib
import io
import os
from pathlib import Path
from typing import Sequence

import numpy as np
from matplotlib.figure import Figure

from rl.config import Parser, UserError
from rl.experiments.plots.columns import STEPS, choose_runs
from rl.experiments.plots.estimates import BANDS, ESTIMATORS, choose_band
from rl.experiments.plots.flag_table import MOST_COLUMNS
from rl.experiments.plots.groups import Group, differences, label_runs, pooled_differences
from rl.experiments.plots.heatmap import draw_tasks
from rl.experiments.plots.panels import Options, draw
from rl.experiments.plots.runs import find_runs
from rl.experiments.plots.text import warn
from rl.experiments.plots.tree import draw_splits

DPI = 150
MOST_PIXELS = 60_000  # in a side of the picture; the renderer draws fewer than 2 ** 16


def main(argv: Sequence[str]) -> int:
    """The command `main.py plot DIR ...`; prints the path of the figure."""
    args = parse(argv)
    save(make_figure(args), args.out)
    print(args.out, flush=True)  # here, where a reader that is gone ends the program quietly
    return 0


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The flags of the command. Raises a UserError where they can't be, or don't go together."""
    args = make_parser().parse(argv)
    args.logdir = [os.path.expanduser(path) for path in args.logdir]
    args.out = Path(os.path.expanduser(args.out))
    if args.smooth < 1:
        raise UserError(f"--smooth must be at least 1, got {args.smooth}")
    if args.out.suffix not in (".png", ".svg", ".pdf"):
        raise UserError(f"--out must end with .png, .svg or .pdf, got {args.out}")
    if os.path.isdir(args.out):
        raise UserError(f"--out must be a file, and {args.out} is a folder")
    if not args.value:
        raise UserError("--value needs at least one column")
    if args.legend and len(args.legend) != len(args.logdir):
        raise UserError(
            f"--legend needs one label per logdir: {len(args.logdir)}, got {len(args.legend)}"
        )
    choose_band(args.band, args.est)
    return args


def make_parser() -> Parser:
    """What can be asked for. The names are Spinning Up's, where it has them."""
    parser = Parser("plot", description="Plot learning curves. Reads runs, never changes them.")
    add = parser.add_argument
    text = (
        "run or experiment folders, or parts of their names; runs of Spinning Up, "
        "Stable-Baselines3, garage and rllab are read too"
    )
    add("logdir", nargs="+", help=text)
    text = (
        "a label per logdir; runs of one label and env become one curve, whatever their flags "
        "(default: the experiments' names, and the flags or folders in which their runs differ)"
    )
    add("--legend", "-l", nargs="*", help=text)
    add("--xaxis", "-x", default=STEPS, help="column (default: %(default)s)")
    text = (
        "columns, a panel each for every env; Performance is the test return where there is one "
        "(default: Performance)"
    )
    add("--value", "-y", nargs="*", default=["Performance"], help=text)
    add("--by_task", action="store_true", help="values of every task over time, as colours")
    text = "how the networks of one run split, layer by layer"
    add("--splits", action="store_true", help=text)
    text = "a curve per run instead of one per experiment"
    add("--count", action="store_true", help=text)
    add("--smooth", "-s", type=int, default=1, help="window in rows (default: 1)")
    text = "only runs whose path contains all of these"
    add("--select", nargs="*", default=[], help=text)
    add("--exclude", nargs="*", default=[], help="no runs whose path contains any of these")
    text = (
        "over the runs of a curve, where all of them have data; where only some do, a thin line "
        "goes on (default: mean)"
    )
    add("--est", default="mean", choices=tuple(ESTIMATORS), help=text)
    text = (
        "shaded around the estimate: ci is the 95%% t interval of the mean, bootstrap the "
        "estimate's 95%% percentile interval over resampled runs, sd one standard deviation over "
        "runs, se one standard error of the mean, range from the lowest run to the highest "
        "(default: ci; with --est median or iqm bootstrap, with max or min range)"
    )
    add("--band", choices=tuple(BANDS), help=text)
    text = "PNG, SVG or PDF (default: plot.png)"
    add("--out", "-o", type=Path, default=Path("plot.png"), help=text)
    return parser


def make_figure(args: argparse.Namespace) -> Figure:
    """The figure that `args` ask for; warns on stderr of what it can't show."""
    found = find_runs(args.logdir, args.select, args.exclude)
    if args.splits:
        return draw_splits(label_runs(found, args.legend, args.count))
    chosen = choose_runs(found, args.xaxis, args.value, args.by_task)
    groups = label_runs(chosen, args.legend, args.count)
    _warn_of_pooling(groups)
    options = Options(args.xaxis, tuple(args.value), args.smooth, args.est, args.band)
    if args.by_task:
        return draw_tasks(groups, options)
    names = differences(groups)[0]
    if len(names) > MOST_COLUMNS:
        hidden = ", ".join(names[MOST_COLUMNS:])
        warn(f"the table has {MOST_COLUMNS} of {len(names)} differing flags; the others: {hidden}")
    with np.errstate(over="ignore", invalid="ignore"):  # diverged runs have the largest numbers
        return draw(groups, options)


def _warn_of_pooling(groups: Sequence[Group]) -> None:
    pooled = pooled_differences(groups)
    if pooled:
        parts = [f"{label} ({', '.join(names)})" for label, names in pooled.items()]
        warn(f"curves of runs with different flags: {'; '.join(parts)}")


def save(figure: Figure, out: Path) -> None:
    """Writes the picture in one go: an old one stays until the new one is whole.

    Raises:
      UserError: it can't be written there.
    """
    picture = io.BytesIO()
    dpi = min(DPI, MOST_PIXELS / max(figure.get_size_inches()))
    figure.savefig(picture, format=out.suffix[1:], bbox_inches="tight", dpi=dpi)
    part = out.with_name(f".{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(picture.getvalue())
        os.replace(part, out)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise UserError(f"cannot write {out}: {error.strerror}") from None
