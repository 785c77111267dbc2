"""The flags that say what a run does, and those in which runs differ."""

import re
from typing import Any, Mapping, Sequence

from rl.experiments.plots.columns import Run
from rl.flags.binding import FREE

# Flags that say where a run is and what made it, not what it does. The id in a Monitor's comment is
# not a flag at all.
IGNORED = (
    *FREE,
    "seed",
    "meta_run",
    "versions",
    "code",
    "resumes",
    "schedule_from",
    "stopped_early",
    "track_id",
    "logger",
    "logger_kwargs",
    "env_id",
)
IGNORED_BEGINNINGS = ("git_", "commit", "resumed")
# Found by a run, other in each seed: only whether a run has it counts.
FOUND = ("meta_start",)
# How the name of a run directory ends, and what stands for that where runs have other seeds.
ANY_SEED = re.compile(r"_s\d+(?!\d)")
SEED = "_s<seed>"


def flag_values(runs: Sequence[Run]) -> list[dict[str, str]]:
    """Of each run the flags that say what it does, as text.

    Where runs name a run directory, each the one of its own seed, the seed is left out; where all
    name the same one it stays.
    """
    all_values = [_flag_values(run) for run in runs]
    texts = _texts_alike(all_values)
    for run, values in zip(runs, all_values):
        own_seed = re.compile(rf"_s{re.escape(str(run.config.get('seed')))}(?!\d)")
        for name, text in values.items():
            if len(texts[name, ANY_SEED.sub(SEED, text)]) > 1:
                values[name] = own_seed.sub(SEED, text)
    return all_values


def _texts_alike(all_values: Sequence[Mapping[str, str]]) -> dict[tuple[str, str], set[str]]:
    """Of each flag, the texts that differ in seeds alone, by what they have in common."""
    found: dict[tuple[str, str], set[str]] = {}
    for values in all_values:
        for name, text in values.items():
            found.setdefault((name, ANY_SEED.sub(SEED, text)), set()).add(text)
    return found


def _flag_values(run: Run) -> dict[str, str]:
    values = {}
    for name, value in run.config.items():
        first = name.split(":")[0]
        if first in FOUND:
            values[first] = "True"
        elif first not in IGNORED and not first.startswith(IGNORED_BEGINNINGS):
            values[name] = _text(value)
    return values


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(map(_text, value))
    if isinstance(value, float) and value.is_integer():
        return str(int(value)) if abs(value) < 1e15 else f"{value:g}"
    return str(value)


def differing(all_values: Sequence[Mapping[str, str]]) -> list[str]:
    """The names of the flags that are not the same in all runs, sorted.

    Args:
      all_values: of each run, its flags; runs without any say nothing, and don't count.
    """
    speaking = [values for values in all_values if values]
    names: set[str] = set()
    for values in speaking:
        names.update(values)
    found = []
    for name in sorted(names):
        if len({values.get(name) for values in speaking}) > 1:
            found.append(name)
    return found


def differing_within_envs(
    runs: Sequence[Run], values_of_runs: Sequence[dict[str, str]]
) -> list[str]:
    """The flags in which some runs of one env differ, sorted; of what `flag_values` has of the
    runs."""
    by_env: dict[str, list[dict[str, str]]] = {}
    for run, values in zip(runs, values_of_runs):
        by_env.setdefault(run.env, []).append(values)
    names: set[str] = set()
    for all_values in by_env.values():
        names.update(differing(all_values))
    return sorted(names)


def join_values(all_values: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The flags of several runs; where they differ, the values of all."""
    joined: dict[str, str] = {}
    for values in all_values:
        joined = joined or dict(values)
    for name in differing(all_values):
        joined[name] = " | ".join(sorted({values.get(name, "") for values in all_values}))
    return joined
