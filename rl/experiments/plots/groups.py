"""Which runs make one curve, what it is called, and by which flags curves differ."""

import re
from typing import Any, Mapping, NamedTuple, Sequence

from rl.experiments.plots.curves import Run
from rl.flags.binding import FREE

# Flags that say where a run is and what made it, not what it does.
IGNORED = (
    *FREE,
    "seed",
    "meta_run",
    "versions",
    "code",
    "resumes",
    "schedule_from",
    "logger",
    "logger_kwargs",
)
IGNORED_BEGINNINGS = ("git_", "commit", "resumed")
# Found by a run, other in each seed: only whether a run has it counts.
FOUND = ("meta_start",)


class Group(NamedTuple):
    """Runs of one env that make one curve."""

    label: str
    env: str  # "" where the runs don't say
    runs: list[Run]


def label_runs(
    found: Sequence[Sequence[Run]], legend: Sequence[str] | None, count: bool
) -> list[Group]:
    """Runs by label and env: the legend's label, else the experiment's name.

    Without a legend, runs of one experiment and env that differ in flags are told apart: these
    flags become part of the label. A run that was found twice counts once.

    Args:
      found: runs per path. legend: a label per path. count: a group for each run.
    """
    labelled = _by_label(found, legend)
    groups: dict[tuple[str, str], Group] = {}
    for name, runs in labelled.items():
        flags = [] if legend or count else differing_within_envs(runs)
        for number, run in enumerate(runs):
            label = f"{name}-{number}" if count else _with_flags(name, run, flags)
            env = env_of(run)
            groups.setdefault((label, env), Group(label, env, [])).runs.append(run)
    return list(groups.values())


def _by_label(found: Sequence[Sequence[Run]], legend: Sequence[str] | None) -> dict[str, list[Run]]:
    labelled: dict[str, list[Run]] = {}
    seen = set()
    for i, runs in enumerate(found):
        for run in runs:
            label = legend[i] if legend else str(run.config.get("exp_name", run.directory.name))
            key = (label, run.directory.resolve())
            if key not in seen:
                seen.add(key)
                labelled.setdefault(label, []).append(run)
    return labelled


def env_of(run: Run) -> str:
    """The env of a run; "" where its config doesn't say."""
    return str(run.config.get("env", run.config.get("env_name", "")))


def _with_flags(name: str, run: Run, flags: Sequence[str]) -> str:
    values = flag_values(run)
    parts = [f"{flag}={values[flag]}" for flag in flags if flag in values]
    return " ".join([name, *parts])


def flag_values(run: Run) -> dict[str, str]:
    """The flags that say what a run does, as text.

    Where a value names a run directory of the same seed, the seed is left out.
    """
    own_seed = re.compile(rf"_s{run.config.get('seed')}(?!\d)")
    values = {}
    for name, value in run.config.items():
        first = name.split(":")[0]
        if first in FOUND:
            values[first] = "True"
        elif first not in IGNORED and not first.startswith(IGNORED_BEGINNINGS):
            values[name] = own_seed.sub("_s<seed>", _text(value))
    return values


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_text, value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value)) if abs(value) < 1e15 else f"{value:g}"
    return str(value)


def differing(configs: Sequence[Mapping[str, str]]) -> list[str]:
    """The names of the flags that are not the same in all `configs`, sorted."""
    names = sorted({name for config in configs for name in config})
    return [name for name in names if len({config.get(name) for config in configs}) > 1]


def differing_within_envs(runs: Sequence[Run]) -> list[str]:
    """The flags in which some runs of one env differ, sorted."""
    by_env: dict[str, list[dict[str, str]]] = {}
    for run in runs:
        by_env.setdefault(env_of(run), []).append(flag_values(run))
    return sorted({name for configs in by_env.values() for name in differing(configs)})


def pooled_differences(groups: Sequence[Group]) -> dict[str, list[str]]:
    """By label, the flags in which runs of one curve differ; only labels that have some."""
    found: dict[str, list[str]] = {}
    for group in groups:
        names = differing([flag_values(run) for run in group.runs])
        if names:
            found[group.label] = sorted({*found.get(group.label, []), *names})
    return found


def differences(groups: Sequence[Group]) -> tuple[list[str], list[list[str]]]:
    """The flags that differ between groups: their names, and a row of values per group.

    Where runs of a group differ, its cell has the values of all.
    """
    configs = [_joined([flag_values(run) for run in group.runs]) for group in groups]
    names = differing(configs)
    return names, [[config.get(name, "") for name in names] for config in configs]


def _joined(configs: Sequence[Mapping[str, str]]) -> dict[str, str]:
    joined = dict(configs[0])
    for name in differing(configs):
        joined[name] = " | ".join(sorted({config.get(name, "") for config in configs}))
    return joined
