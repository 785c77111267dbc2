"""The flags of which runs are compared, and how: those of `compare`, which `report` has too."""

import argparse
import os

import numpy as np

from rl.config import Parser, UserError
from rl.experiments.comparison.comparisons import KINDS, IntervalOptions
from rl.experiments.comparison.run_scores import CHOICES, LAST_ROWS, Scoring
from rl.experiments.statistics.bootstrap import UNITS

MOST_RESAMPLES = 100_000  # of which a thousand scores take less than a gigabyte


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
        "how a run's rows become its score; best is too good for a method that is tested often "
        "(default: mean)"
    )
    add("--score", choices=CHOICES, default="mean", help=text)
    text = f"of how many of the last rows (default: {LAST_ROWS} for mean, all for best)"
    add("--last", type=int, help=text)
    text = "env steps after which no row counts (default: all rows do)"
    add("--at", type=float, metavar="STEPS", help=text)
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
    add("--resamples", type=int, default=10_000, help="of the bootstrap (default: 10000)")
    add("--seed", type=int, default=0, help="of the bootstrap and of large tests (default: 0)")
    text = "score for the optimality gap: how far scores are below it, those above counted as it"
    add("--target", type=float, metavar="SCORE", help=text)


def check_flags(args: argparse.Namespace) -> None:
    """Raises a UserError where they can't be, or don't go together."""
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
    return Scoring(value, args.score, rows, args.at)


def interval_options_of(args: argparse.Namespace) -> IntervalOptions:
    """How intervals are made."""
    return IntervalOptions(args.interval, args.unit, args.resamples, args.seed)
