"""`plot`: learning curves of run directories, the Spinning Up way, without a screen and without
TensorFlow."""

import argparse
import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Sequence

from rl.config import Parser, UserError
from rl.experiments.plots.columns import STEPS, choose_runs
from rl.experiments.plots.estimates import BANDS, ESTIMATORS, choose_band
from rl.experiments.plots.groups import (
    Group,
    check_legend,
    differences,
    label_runs,
    warn_of_few_runs,
    warn_of_pooling,
)
from rl.experiments.plots.options import Options
from rl.experiments.plots.output import PICTURES, check_output, save_figure
from rl.experiments.plots.runs import find_runs
from rl.experiments.plots.text import aligned
from rl.files import expanded

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# Figure that is asked for -> flags that have no effect then.
IDLE = {
    "structure": ("by_task", "value", "xaxis", "smooth", "est", "band", "table"),
    "by_task": ("band",),
}


def main(argv: Sequence[str]) -> int:
    """The command `main.py plot DIR ...`; prints the path of the figure, after the table of flags
    where it is asked for."""
    args = parse(argv)
    if args.structure and len(args.logdir) == 1 and os.path.isfile(args.logdir[0]):
        save_figure(_figures().draw_branches(Path(args.logdir[0])), args.out)
    else:
        groups = find_groups(args)
        save_figure(make_figure(groups, args), args.out)
        if args.table:
            print(flags_as_text(groups))
    print(args.out)
    return 0


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The flags of the command. Raises a UserError where they can't be, or don't go together."""
    parser = make_parser()
    args = parser.parse(argv)
    if args.smooth < 1:
        raise UserError(f"--smooth must be at least 1, got {args.smooth}")
    check_output(args.out, PICTURES)
    if not args.value:
        raise UserError("--value needs at least one column")
    check_legend(args.legend, args.logdir)
    choose_band(args.band, args.est)
    _check_effect(args, parser)
    return args


def _check_effect(args: argparse.Namespace, parser: Parser) -> None:
    """Raises a UserError where a flag has no effect beside another."""
    for figure, names in IDLE.items():
        for name in names:
            if getattr(args, figure) and getattr(args, name) != parser.get_default(name):
                raise UserError(f"--{name} has no effect with --{figure}")


def make_parser() -> Parser:
    """What can be asked for. The names are Spinning Up's, where it has them."""
    parser = Parser("plot", description="Plot learning curves. Reads runs, never changes them.")
    add = parser.add_argument
    text = (
        "run or experiment folders, or parts of their names; runs of Spinning Up, "
        "Stable-Baselines3, garage and rllab are read too"
    )
    add("logdir", nargs="+", type=os.path.expanduser, help=text)
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
    text = (
        "what the networks of one run decided: how they split, which routes or blocks tasks take; "
        "or the trees in a file of branch"
    )
    add("--structure", "--splits", action="store_true", help=text)
    text = "print the table of the flags that differ between curves, too"
    add("--table", action="store_true", help=text)
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
    add("--out", "-o", type=expanded, default=Path("plot.png"), help=text)
    return parser


def find_groups(args: argparse.Namespace) -> list[Group]:
    """The runs of each curve that `args` ask for; warns on stderr of what is left out."""
    found = find_runs(args.logdir, args.select, args.exclude)
    if args.structure:
        return label_runs(found, args.legend, args.count)
    chosen = choose_runs(found, args.xaxis, args.value, args.by_task)
    groups = label_runs(chosen, args.legend, args.count)
    warn_of_pooling(groups)
    return groups


def make_figure(groups: Sequence[Group], args: argparse.Namespace) -> "Figure":
    """The figure that `args` ask for; warns on stderr of what it can't show."""
    figures = _figures()
    if args.structure:
        return figures.draw_structure(groups)
    options = Options(args.xaxis, tuple(args.value), args.smooth, args.est, args.band)
    if args.by_task:
        return figures.draw_tasks(groups, options)
    warn_of_few_runs(groups, choose_band(args.band, args.est))
    return figures.draw_curves(groups, options)


def _figures() -> ModuleType:
    """What draws; not imported before, since matplotlib would slow `--help` down."""
    return importlib.import_module("rl.experiments.plots.figures")


def flags_as_text(groups: Sequence[Group]) -> str:
    """The table of the flags that differ between groups, all of them."""
    names, rows = differences(groups)
    if not names:
        return "the curves differ in no flag"
    table = [["curve", *names]]
    for group, row in zip(groups, rows):
        table.append([group.label, *row])
    return aligned(table)
