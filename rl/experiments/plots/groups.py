"""Which runs make one curve, and what it is called."""

import os
from pathlib import Path
from typing import Iterable, Mapping, NamedTuple, Sequence

from rl.config import UserError
from rl.experiments.plots.columns import Run
from rl.experiments.plots.run_flags import (
    differing,
    differing_within_envs,
    flag_values,
    join_values,
)
from rl.experiments.plots.text import listed, warn
from rl.experiments.statistics.bootstrap import FEWEST_FOR_BOOTSTRAP


class Group(NamedTuple):
    """Runs of one env that make one curve."""

    label: str
    env: str  # "" where the runs don't say
    runs: list[Run]


def check_legend(legend: Sequence[str] | None, paths: Sequence[str]) -> None:
    """Raises a UserError if there is a legend without a label for each path."""
    if legend and len(legend) != len(paths):
        raise UserError(f"--legend needs one label per logdir: {len(paths)}, got {len(legend)}")


def label_runs(
    found: Sequence[Sequence[Run]], legend: Sequence[str] | None, count: bool
) -> list[Group]:
    """Runs by label and env: the legend's label, else the experiment's name.

    Without a legend, runs of one experiment and env that differ in flags, or are in different
    folders, are told apart: the flags, or the part of the paths that differs, become part of the
    label. A run that was found twice counts once. Runs that don't say their env are drawn with the
    others, if these have only one.

    Args:
      found: runs per path. legend: a label per path. count: a group for each run.
    """
    default_env = _only_env(found)
    pooled = bool(legend) or count
    groups: dict[tuple[str, str, Path], Group] = {}
    for name, runs in _by_name(found, legend).items():
        all_values = flag_values(runs)
        flags = [] if pooled else differing_within_envs(runs, all_values)
        for number, (run, values) in enumerate(zip(runs, all_values)):
            label = f"{name}-{number}" if count else _with_flags(name, values, flags)
            env = run.env or default_env
            folder = Path() if pooled else folder_of(run)
            group = groups.setdefault((label, env, folder), Group(label, env, []))
            group.runs.append(run)
    _tell_shared_runs(groups.values())
    return _tell_folders_apart(groups)


def _tell_shared_runs(groups: Iterable[Group]) -> None:
    """Names on stderr the runs that are in curves of several labels."""
    labels: dict[Path, set[str]] = {}
    for group in groups:
        for run in group.runs:
            labels.setdefault(run.directory.resolve(), set()).add(group.label)
    shared = [directory for directory, names in labels.items() if len(names) > 1]
    if shared:
        warn(f"in curves of several labels: {listed(shared)}")


def folder_of(run: Run) -> Path:
    """The folder that a run's directory is in, by which experiments of one name are told apart."""
    return Path(os.path.abspath(run.directory)).parent.resolve()  # the directory may be a link


def _only_env(found: Sequence[Sequence[Run]]) -> str:
    """The env of all runs that say theirs; "" if they have several, or none does."""
    envs: set[str] = set()
    for runs in found:
        envs.update(run.env for run in runs if run.env)
    return envs.pop() if len(envs) == 1 else ""


def _by_name(found: Sequence[Sequence[Run]], legend: Sequence[str] | None) -> dict[str, list[Run]]:
    named: dict[str, list[Run]] = {}
    seen = set()
    for place, runs in enumerate(found):
        for run in runs:
            name = str(run.config.get("exp_name", run.directory.name))
            if legend:
                name = legend[place]
            key = (name, run.directory.resolve())
            if key not in seen:
                seen.add(key)
                named.setdefault(name, []).append(run)
    return named


def _with_flags(name: str, values: Mapping[str, str], flags: Sequence[str]) -> str:
    parts = [f"{flag}={values[flag]}" for flag in flags if flag in values]
    return " ".join([name, *parts])


def _tell_folders_apart(groups: dict[tuple[str, str, Path], Group]) -> list[Group]:
    """The groups; those of one label and env in several folders get a part of the path each."""
    folders: dict[tuple[str, str], list[Path]] = {}
    for label, env, folder in groups:
        folders.setdefault((label, env), []).append(folder)
    told_apart = []
    for (label, env, folder), group in groups.items():
        alike = folders[label, env]
        if len(alike) > 1:
            part = differing_parts(alike)[alike.index(folder)]
            group = group._replace(label=f"{label} {part}")
        told_apart.append(group)
    return told_apart


def differing_parts(folders: Sequence[Path]) -> list[str]:
    """The shortest part of each path at one place, so that all are different."""
    depth = max(len(folder.parts) for folder in folders)
    for length in range(1, depth):
        for start in range(depth - length + 1):
            parts = ["/".join(folder.parts[start : start + length]) for folder in folders]
            if all(parts) and len(set(parts)) == len(parts):
                return parts
    return [str(folder) for folder in folders]


def pooled_differences(groups: Sequence[Group]) -> dict[str, list[str]]:
    """By label, the flags in which runs of one curve differ; only labels that have some.

    Folders count as a flag where the runs don't say their env, which may be other in each.
    """
    found: dict[str, list[str]] = {}
    for group in groups:
        names = differing(flag_values(group.runs))
        folders = {folder_of(run) for run in group.runs if not run.env}
        if len(folders) > 1:
            names.append("folder")
        if names:
            found[group.label] = sorted({*found.get(group.label, []), *names})
    return found


def warn_of_pooling(groups: Sequence[Group]) -> None:
    """Names on stderr the groups whose runs have different flags, and these flags."""
    pooled = pooled_differences(groups)
    if pooled:
        parts = [f"{label} ({', '.join(names)})" for label, names in pooled.items()]
        warn(f"curves of runs with different flags: {'; '.join(parts)}")


def warn_of_few_runs(groups: Sequence[Group], band: str) -> None:
    """Names on stderr the groups of which there are too few runs for their band."""
    few = [group.label for group in groups if 1 < len(group.runs) < FEWEST_FOR_BOOTSTRAP]
    if band == "bootstrap" and few:
        warn(
            f"bootstrap bands of fewer than {FEWEST_FOR_BOOTSTRAP} runs are too narrow: "
            f"{listed(few)}"
        )


def differences(groups: Sequence[Group]) -> tuple[list[str], list[list[str]]]:
    """The flags that differ between groups: their names, and a row of values per group.

    Where runs of a group differ, its cell has the values of all.
    """
    all_values = flag_values([run for group in groups for run in group.runs])
    group_flags = []
    first = 0
    for group in groups:
        after = first + len(group.runs)
        group_flags.append(join_values(all_values[first:after]))
        first = after
    names = differing(group_flags)
    rows = []
    for values in group_flags:
        rows.append([values.get(name, "") for name in names])
    return names, rows
