"""The flags of which runs are compared, and how: those of `compare`, which `report` has too."""

import argparse
import math
import os

import numpy as np

from rl.config import Parser, UserError
from rl.experiments.comparison.comparisons import KINDS, IntervalOptions
from rl.experiments.comparison.run_scores import CHOICES, EVAL, LAST_ROWS, Scoring
from rl.experiments.statistics.bootstrap import UNITS

MOST_RESAMPLES = 100_000  # of whole runs, a thousand scores take less than a gigabyte


def add_run_flags(parser: Parser) -> None:
    """Adds those that say which runs there are, and which of them make a method."""
    add = parser.add_argument
    text = "run or experiment folders, or parts of their names, as in plot"
    add("logdir", nargs="+", type=os.path.expanduser, help=text)
    text = (
        "a label per logdir; runs of one label and env become one method, whatever their flags "
        "(default: the experiments' names, and the flags or folders in which their runs differ)"
    )
    add("--legend", "-l", nargs="*", help=text)
    text = "only runs whose path contains all of these"
    add("--select", nargs="*", default=[], help=text)
    add("--exclude", nargs="*", default=[], help="no runs whose path contains any of these")


def add_flags(parser: Parser) -> None:
    """Adds those that say how methods are compared."""
    add = parser.add_argument
    text = (
        "how a run's rows become its score, or eval: what eval --save found; best is too good for "
        "a method that is tested often (default: mean)"
    )
    add("--score", choices=(*CHOICES, EVAL), default="mean", help=text)
    text = f"of how many of the last rows (default: {LAST_ROWS} for mean, all for best)"
    add("--last", type=int, help=text)
    text = "env steps after which no row counts (default: all rows do)"
    add("--at", type=float, metavar="STEPS", help=text)
    text = "what the scores of tasks are divided by before they are averaged (default: 1)"
    add("--scale", nargs="+", type=parse_scale, metavar="TASK=NUMBER", default=[], help=text)
    text = "label that the others are tested against (default: the first of each env)"
    add("--baseline", metavar="LABEL", help=text)
    text = (
        "of 95%%; bootstrap ones are too narrow up to 20 runs, and of fewer than 5 runs they are t "
        "intervals as well (default: t)"
    )
    add("--interval", choices=KINDS, default="t", help=text)
    text = (
        "what the bootstrap resamples: whole runs, or the runs of each task apart, as rliable does "
        "(default: run)"
    )
    add("--unit", choices=UNITS, default="run", help=text)
    text = "of the bootstrap in tables (default: 10000)"
    add("--resamples", type=int, default=10_000, help=text)
    text = "of the bootstrap in tables and of large tests (default: 0)"
    add("--seed", type=int, default=0, help=text)
    text = "score for the optimality gap: how far scores are below it, those above counted as it"
    add("--target", type=float, metavar="SCORE", help=text)


def parse_scale(text: str) -> tuple[str, float]:
    """A task and its scale. Raises what argparse makes a line of."""
    task, _, number = text.rpartition("=")
    try:
        scale = float(number)
    except ValueError:
        scale = 0.0
    if not task or not 0 < scale < math.inf:
        raise argparse.ArgumentTypeError(f"expected TASK=NUMBER, above 0, got {text}")
    return task, scale


def check_flags(args: argparse.Namespace) -> None:
    """Raises a UserError where they can't be, or don't go together."""
    if args.score == EVAL and (args.last is not None or args.at is not None):
        raise UserError("--last and --at are of rows, and --score eval reads none")
    if args.last is not None and args.score == "last":
        raise UserError("--last has no effect with --score last, which is of one row")
    if args.last is not None and args.last < 1:
        raise UserError(f"--last must be at least 1, got {args.last}")
    if args.at is not None and not args.at > 0:
        raise UserError(f"--at must be above 0, got {args.at:g}")
    if not 1 <= args.resamples <= MOST_RESAMPLES:
        raise UserError(f"--resamples must be in [1, {MOST_RESAMPLES}], got {args.resamples}")
    if args.seed < 0:
        raise UserError(f"--seed must be at least 0, got {args.seed}")
    if args.target is not None and not np.isfinite(args.target):
        raise UserError(f"--target must be finite, got {args.target}")


def scoring_of(args: argparse.Namespace, value: str) -> Scoring:
    """How the column `value` becomes a run's score."""
    rows = args.last
    if rows is None and args.score == "mean":
        rows = LAST_ROWS
    return Scoring(value, args.score, rows, args.at, dict(args.scale))


def interval_options_of(args: argparse.Namespace) -> IntervalOptions:
    """How intervals are made."""
    return IntervalOptions(args.interval, args.unit, args.resamples, args.seed)
