"""From the runs of methods to the results of each env."""

from typing import Iterable, Sequence

from rl.config import UserError, closest
from rl.experiments.comparison.beside import Beside
from rl.experiments.comparison.comparisons import IntervalOptions, summarise
from rl.experiments.comparison.methods import Method, read_methods
from rl.experiments.comparison.report import EnvReport
from rl.experiments.comparison.run_scores import Scoring
from rl.experiments.plots.columns import is_rate
from rl.experiments.plots.groups import Group
from rl.experiments.plots.text import warn


def make_env_reports(
    groups: Sequence[Group],
    scoring: Scoring,
    options: IntervalOptions,
    baseline: str | None,
    target: float | None,
    besides: Sequence[Beside] = (),
) -> list[EnvReport]:
    """The results of each env; warns on stderr of what is left out.

    Args:
      groups: of runs that have the column and env steps. baseline: the label that the others are
        tested against; None: the first of each env. target: as EnvReport's. besides: what tables
        have beside the scores.

    Raises:
      UserError: no run has a score, no method with a score is called `baseline`, or no run of an
        env has a column of `besides`.
    """
    methods_of_envs = read_methods(groups, scoring, besides)
    labels = [method.label for methods in methods_of_envs.values() for method in methods]
    check_baseline(baseline, labels)
    reports = []
    for env, methods in methods_of_envs.items():
        chosen = _choose_baseline(baseline, env, methods)
        rate = is_rate(scoring.value) and inside_unit(methods)
        summaries = summarise(methods, chosen, rate, options)
        label = "" if chosen is None else chosen.label
        reports.append(EnvReport(env, summaries, label, scoring, options, target))
    return reports


def check_baseline(label: str | None, labels: Iterable[str]) -> None:
    """Raises a UserError if there is a baseline that none of `labels` is."""
    known = dict.fromkeys(labels)
    if label is not None and label not in known:
        raise UserError(f"no method is called {label}; the closest are {closest(label, known)}")


def inside_unit(methods: Sequence[Method]) -> bool:
    """Whether all scores are in [0, 1]."""
    return all(((method.scores >= 0) & (method.scores <= 1)).all() for method in methods)


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
