"""`compare`: which method is better, and how sure that is, from the scores of their runs. Without
TensorFlow."""

import argparse
import os
from pathlib import Path
from typing import Sequence

import numpy as np

from rl.config import Parser, UserError, closest
from rl.experiments.comparison.comparisons import KINDS, IntervalOptions, summarise
from rl.experiments.comparison.figure import draw_comparison
from rl.experiments.comparison.methods import Method, read_methods
from rl.experiments.comparison.report import EnvReport
from rl.experiments.comparison.run_scores import CHOICES, LAST_ROWS, Scoring
from rl.experiments.comparison.writers import WRITERS, as_text
from rl.experiments.plots.columns import STEPS, choose_runs, is_rate
from rl.experiments.plots.groups import check_legend, label_runs, warn_of_pooling
from rl.experiments.plots.output import PICTURES, check_output, save_figure, write_output
from rl.experiments.plots.runs import find_runs
from rl.experiments.plots.text import warn
from rl.experiments.statistics.bootstrap import UNITS
from rl.files import expanded

MOST_RESAMPLES = 100_000  # of which a thousand scores take less than a gigabyte


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
        save_figure(draw_comparison(reports, _are_rates(reports)), out)
    else:
        write_output(out, WRITERS[out.suffix](reports).encode(errors="backslashreplace"))


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The flags of the command. Raises a UserError where they can't be, or don't go together."""
    args = make_parser().parse(argv)
    check_legend(args.legend, args.logdir)
    for out in args.out:
        check_output(out, (*WRITERS, *PICTURES))
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
    return args


def make_parser() -> Parser:
    """What can be asked for; the flags that `plot` has too mean the same."""
    description = "Compare methods over their runs, env by env. Reads runs, never changes them."
    parser = Parser("compare", description=description)
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
    text = (
        "column that is the score, with a column for each task where there is one; Performance is "
        "the test return where there is one (default: Performance)"
    )
    add("--value", "-y", default="Performance", help=text)
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
    text = "files to write as well: .txt, .csv, .tex, or a figure as .png, .svg or .pdf"
    add("--out", "-o", type=expanded, nargs="+", action="extend", default=[], help=text)
    return parser


def make_reports(args: argparse.Namespace) -> list[EnvReport]:
    """The results that `args` ask for, of each env; warns on stderr of what is left out."""
    found = find_runs(args.logdir, args.select, args.exclude)
    chosen = choose_runs(found, STEPS, [args.value], by_task=False)
    groups = label_runs(chosen, args.legend, count=False)
    warn_of_pooling(groups)
    scoring = _scoring(args)
    methods_of_envs = read_methods(groups, scoring)
    _check_baseline(args.baseline, methods_of_envs)
    options = IntervalOptions(args.interval, args.unit, args.resamples, args.seed)
    reports = []
    for env, methods in methods_of_envs.items():
        baseline = _choose_baseline(args.baseline, env, methods)
        rate = is_rate(args.value) and _inside_unit(methods)
        summaries = summarise(methods, baseline, rate, options)
        label = "" if baseline is None else baseline.label
        reports.append(EnvReport(env, summaries, label, scoring, options, args.target))
    return reports


def _scoring(args: argparse.Namespace) -> Scoring:
    rows = args.last
    if rows is None and args.score == "mean":
        rows = LAST_ROWS
    return Scoring(args.value, args.score, rows, args.at)


def _check_baseline(label: str | None, methods_of_envs: dict[str, list[Method]]) -> None:
    labels: dict[str, None] = {}
    for methods in methods_of_envs.values():
        labels.update(dict.fromkeys(method.label for method in methods))
    if label is not None and label not in labels:
        raise UserError(f"no method is called {label}; the closest are {closest(label, labels)}")


def _choose_baseline(label: str | None, env: str, methods: Sequence[Method]) -> Method | None:
    """The method that the others of an env are tested against; None where there are no others, or
    where the env has no method of that label."""
    if label is None:
        return methods[0] if len(methods) > 1 else None
    for method in methods:
        if method.label == label:
            return method if len(methods) > 1 else None
    warn(f"nothing is tested in {env or 'runs without an env'}: it has no run of {label}")
    return None


def _inside_unit(methods: Sequence[Method]) -> bool:
    return all(((method.scores >= 0) & (method.scores <= 1)).all() for method in methods)


def _are_rates(reports: Sequence[EnvReport]) -> bool:
    methods = [summary.method for report in reports for summary in report.summaries]
    return is_rate(reports[0].scoring.value) and _inside_unit(methods)
