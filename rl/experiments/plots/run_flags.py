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


def flag_values(run: Run) -> dict[str, str]:
    """The flags that say what a run does, as text.

    Where a value names a run directory of the same seed, the seed is left out.
    """
    seed = re.compile(rf"_s{re.escape(str(run.config.get('seed')))}(?!\d)")
    values = {}
    for name, value in run.config.items():
        first = name.split(":")[0]
        if first in FOUND:
            values[first] = "True"
        elif first not in IGNORED and not first.startswith(IGNORED_BEGINNINGS):
            values[name] = seed.sub("_s<seed>", _text(value))
    return values


def _text(value: Any) -> str:
    if isinstance(value, list):
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


def differing_within_envs(runs: Sequence[Run]) -> list[str]:
    """The flags in which some runs of one env differ, sorted."""
    by_env: dict[str, list[dict[str, str]]] = {}
    for run in runs:
        by_env.setdefault(run.env, []).append(flag_values(run))
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
