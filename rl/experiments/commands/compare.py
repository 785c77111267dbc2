"""`compare`: which method is better, and how sure that is, from the scores of their runs. Without
TensorFlow."""

import argparse
from pathlib import Path
from typing import Sequence

import numpy as np

from rl.config import Parser
from rl.experiments.comparison.beside import parse_beside
from rl.experiments.comparison.env_reports import inside_unit, make_env_reports
from rl.experiments.comparison.flags import (
    add_flags,
    add_run_flags,
    check_flags,
    interval_options_of,
    scoring_of,
)
from rl.experiments.comparison.report import EnvReport
from rl.experiments.comparison.run_scores import EVAL
from rl.experiments.comparison.writers import WRITERS, as_text
from rl.experiments.plots.columns import STEPS, choose_runs, is_rate
from rl.experiments.plots.groups import check_legend, label_runs, warn_of_pooling
from rl.experiments.plots.output import PICTURES, check_output, save_figure, write_output
from rl.experiments.plots.runs import find_runs
from rl.files import expanded


def main(argv: Sequence[str]) -> int:
    """The command `main.py compare DIR ...`; prints a table for each env, and writes what --out
    names."""
    args = parse(argv)
    with np.errstate(over="ignore", invalid="ignore"):  # diverged runs have the largest numbers
        reports = make_reports(args)
        print(as_text(reports), end="")
        for out in args.out:
            _write(reports, out)
    return 0


def _write(reports: Sequence[EnvReport], out: Path) -> None:
    """Writes a file of the kind that its name says."""
    if out.suffix in PICTURES:
        # Not before, since matplotlib would slow `--help` down.
        # pylint: disable-next=import-outside-toplevel
        from rl.experiments.comparison.figure import draw_comparison

        save_figure(draw_comparison(reports, _are_rates(reports)), out)
    else:
        write_output(out, WRITERS[out.suffix](reports).encode(errors="backslashreplace"))


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The flags of the command. Raises a UserError where they can't be, or don't go together."""
    args = make_parser().parse(argv)
    check_legend(args.legend, args.logdir)
    for out in args.out:
        check_output(out, (*WRITERS, *PICTURES))
    check_flags(args)
    return args


def make_parser() -> Parser:
    """What can be asked for; the flags that `plot` has too mean the same."""
    description = "Compare methods over their runs, env by env. Reads runs, never changes them."
    parser = Parser("compare", description=description)
    add = parser.add_argument
    add_run_flags(parser)
    text = (
        "column that is the score, with a column for each task where there is one; Performance is "
        "the test return where there is one (default: Performance)"
    )
    add("--value", "-y", default="Performance", help=text)
    add_flags(parser)
    text = (
        "columns that the table has beside the scores, means over runs of their last rows, or of "
        "the mean or sum of all rows: Parameters TimeUpdate:sum"
    )
    add("--beside", nargs="+", type=parse_beside, metavar="COLUMN", default=[], help=text)
    text = "files to write as well: .txt, .csv, .tex, or a figure as .png, .svg or .pdf"
    add("--out", "-o", type=expanded, nargs="+", action="extend", default=[], help=text)
    return parser


def make_reports(args: argparse.Namespace) -> list[EnvReport]:
    """The results that `args` ask for, of each env; warns on stderr of what is left out."""
    found = find_runs(args.logdir, args.select, args.exclude)
    columns = [] if args.score == EVAL else [args.value]
    chosen = choose_runs(found, STEPS, columns, by_task=False)
    groups = label_runs(chosen, args.legend, count=False)
    warn_of_pooling(groups)
    scoring = scoring_of(args, args.value)
    options = interval_options_of(args)
    return make_env_reports(groups, scoring, options, args.baseline, args.target, args.beside)


def _are_rates(reports: Sequence[EnvReport]) -> bool:
    methods = [summary.method for report in reports for summary in report.summaries]
    return is_rate(reports[0].scoring.value) and inside_unit(methods)
