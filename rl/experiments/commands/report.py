"""`report`: one HTML page about runs, which needs no other file and no network. Without
TensorFlow."""

import argparse
from pathlib import Path
from typing import Sequence

import numpy as np

from rl.config import Parser, UserError
from rl.experiments.comparison.env_reports import check_baseline
from rl.experiments.comparison.flags import (
    add_flags,
    add_run_flags,
    check_flags,
    interval_options_of,
    scoring_of,
)
from rl.experiments.plots.columns import STEPS, choose_runs
from rl.experiments.plots.groups import Group, check_legend, label_runs, warn_of_pooling
from rl.experiments.plots.options import Options
from rl.experiments.plots.output import check_output, write_output
from rl.experiments.plots.runs import find_runs
from rl.experiments.report.page import make_page
from rl.experiments.report.sections import Request
from rl.files import expanded


def main(argv: Sequence[str]) -> int:
    """The command `main.py report DIR ...`; prints the path of the page."""
    args = parse(argv)
    groups = find_groups(args)
    with np.errstate(over="ignore", invalid="ignore"):  # diverged runs have the largest numbers
        page = make_page(groups, make_request(args))
    write_output(args.out, page.encode(errors="backslashreplace"))
    print(args.out)
    return 0


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The flags of the command. Raises a UserError where they can't be, or don't go together."""
    args = make_parser().parse(argv)
    check_legend(args.legend, args.logdir)
    check_output(args.out, (".html",))
    if args.smooth < 1:
        raise UserError(f"--smooth must be at least 1, got {args.smooth}")
    if not args.value:
        raise UserError("--value needs at least one column")
    check_flags(args)
    return args


def make_parser() -> Parser:
    """What can be asked for; the flags that `plot` and `compare` have too mean the same."""
    text = "Write one HTML page about runs. Reads runs, never changes them."
    parser = Parser("report", description=text)
    add = parser.add_argument
    add_run_flags(parser)
    add("--xaxis", "-x", default=STEPS, help="column (default: %(default)s)")
    text = (
        "columns that are drawn and compared, with a column for each task where there is one; "
        "Performance is the test return where there is one (default: Performance)"
    )
    add("--value", "-y", nargs="*", default=["Performance"], help=text)
    add("--smooth", "-s", type=int, default=1, help="window of curves in rows (default: 1)")
    add_flags(parser)
    add("--title", default="Report", help="of the page (default: %(default)s)")
    text = "the page (default: report.html)"
    add("--out", "-o", type=expanded, default=Path("report.html"), help=text)
    return parser


def find_groups(args: argparse.Namespace) -> list[Group]:
    """The runs of each method that `args` ask for; warns on stderr of what is left out.

    Raises:
      UserError: there are none, or the baseline is no label of theirs.
    """
    found = find_runs(args.logdir, args.select, args.exclude)
    chosen = choose_runs(found, args.xaxis, args.value, by_task=False)
    groups = label_runs(chosen, args.legend, count=False)
    check_baseline(args.baseline, [group.label for group in groups])
    warn_of_pooling(groups)
    return groups


def make_request(args: argparse.Namespace) -> Request:
    """What the page is to be about."""
    values = tuple(dict.fromkeys(args.value))
    options = Options(args.xaxis, values, args.smooth)
    scorings = tuple(scoring_of(args, value) for value in values)
    intervals = interval_options_of(args)
    return Request(args.title, options, scorings, intervals, args.baseline, args.target)
