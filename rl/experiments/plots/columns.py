"""A run's columns, by the names that different programs give them."""

from pathlib import Path
from typing import Any, Iterable, NamedTuple, Optional, Sequence

import numpy as np

from rl.config import UserError, closest
from rl.experiments.plots.text import listed, warn

STEPS = "TotalEnvInteracts"
PERFORMANCE = "Performance"
# name -> columns that are taken for it where a run has none of that name, best first. Those with a
# slash are Stable-Baselines3's, whose rollout/ep_rew_mean is over the last 100 episodes, and
# garage's. AverageReturn is rllab's; r, l and t are Monitor's; the others are of Spinning Up and of
# loggers made after it.
STAND_INS = {
    STEPS: (
        "total-env-interacts",
        "time/total_timesteps",
        "TotalEnvSteps",
        "Time Steps",
        "timesteps",
        "Epoch",
        "Iteration",
    ),
    PERFORMANCE: (
        "AverageTestEpRet",
        "average-test-episode-return",
        "eval/mean_reward",
        "Evaluation/AverageReturn",
        "AverageEpRet",
        "average-episode-return",
        "rollout/ep_rew_mean",
        "AverageReturn",
        "r",
    ),
    "AverageTestEpRet": ("average-test-episode-return", "eval/mean_reward"),
    "AverageEpRet": ("average-episode-return", "rollout/ep_rew_mean", "AverageReturn", "r"),
    "TestEpLen": ("test-episode-length", "eval/mean_ep_length"),
    "EpLen": ("episode-length", "rollout/ep_len_mean", "l"),
    "TestSuccess": ("eval/success_rate", "Evaluation/SuccessRate"),
    "Success": ("rollout/success_rate",),
    "Epoch": ("epoch", "Iteration", "Evaluation/Iteration"),
    "Time": ("time/time_elapsed", "t"),
}

# flags that name the env: ours, Spinning Up's, and what Monitor writes
ENV_NAMES = ("env", "env_name", "env_id")


class Run(NamedTuple):
    """One run: its directory, its flat config, and its columns, each `(rows,)` float64."""

    directory: Path
    config: dict[str, Any]
    columns: dict[str, np.ndarray]

    @property
    def env(self) -> str:
        """The env's id; "" where its config doesn't say."""
        for name in ENV_NAMES:
            if self.config.get(name):
                return str(self.config[name])
        return ""


def find_name(names: Iterable[str], name: str) -> Optional[str]:
    """`name` if it is one of `names`, or else the best one of them that is taken for it; None if
    there is none."""
    known = set(names)
    for candidate in (name, *STAND_INS.get(name, ())):
        if candidate in known:
            return candidate
    return None


def column(run: Run, name: str) -> np.ndarray:
    """A column `(rows,)` by its name, or the one that is taken for it.

    `Performance` is the test return, or the training return where there is none.

    Raises:
      UserError: the run has no such column.
    """
    found = find_name(run.columns, name)
    if found is None:
        raise UserError(_explain_lack(run, name, by_task=False))
    return run.columns[found]


def is_rate(name: str) -> bool:
    """Whether a column has success rates, which are in [0, 1]."""
    return "success" in name.lower()


def tasks_of(run: Run, value: str) -> list[str]:
    """The tasks that have a column `<value>/<task>`, in the run's order."""
    prefix = f"{value}/"
    return [name.removeprefix(prefix) for name in run.columns if name.startswith(prefix)]


def choose_runs(
    found: Sequence[Sequence[Run]], xaxis: str, values: Sequence[str], by_task: bool
) -> list[list[Run]]:
    """Of the runs of each path, those that have the x axis and at least one of the values, if any
    are asked for.

    Runs that lack a column are named on stderr, and so is what is taken for their x axis.

    Args:
      by_task: a run has a value if it has the value of a task, `<value>/<task>`.

    Raises:
      UserError: no run has the x axis, or one of the values.
    """
    runs = [run for runs_of_path in found for run in runs_of_path]
    with_axis = _having(runs, xaxis, by_task=False)
    for value in values:
        _having(with_axis, value, by_task)
    _tell_stand_ins(with_axis, xaxis)
    if PERFORMANCE in values and not by_task:
        _tell_mixture([run for run in with_axis if _has(run, PERFORMANCE, by_task=False)])
    chosen = []
    for runs_of_path in found:
        chosen.append([run for run in runs_of_path if _is_drawn(run, xaxis, values, by_task)])
    return chosen


def _having(runs: Sequence[Run], name: str, by_task: bool) -> list[Run]:
    """The runs that have a column; the others are named. Raises a UserError if there are none."""
    having = []
    lacking = []
    for run in runs:
        if _has(run, name, by_task):
            having.append(run)
        else:
            lacking.append(run)
    if not having:
        raise UserError(_explain_lack(runs[0], name, by_task))
    if lacking:
        warn(f"left out, having no {name}: {listed(run.directory for run in lacking)}")
    return having


def _has(run: Run, name: str, by_task: bool) -> bool:
    if by_task:
        return bool(tasks_of(run, name))
    return find_name(run.columns, name) is not None


def _is_drawn(run: Run, xaxis: str, values: Sequence[str], by_task: bool) -> bool:
    has_axis = _has(run, xaxis, by_task=False)
    return has_axis and (not values or any(_has(run, value, by_task) for value in values))


def _explain_lack(run: Run, name: str, by_task: bool) -> str:
    if not by_task:
        known = closest(name, run.columns)
        return f"{run.directory} has no column {name}; the closest are {known}"
    known = listed(sorted(column.split("/")[0] for column in run.columns if "/" in column))
    return f"{run.directory} has no column {name}/<task>; by task it has: {known or 'none'}"


def _tell_mixture(runs: Sequence[Run]) -> None:
    """Warns where Performance is the test return of some runs of an env, and the training return of
    others."""
    training = ("AverageEpRet", *STAND_INS["AverageEpRet"])
    by_env: dict[str, tuple[list[Path], list[Path]]] = {}
    for run in runs:
        tested, trained = by_env.setdefault(run.env, ([], []))
        is_training = find_name(run.columns, PERFORMANCE) in training
        (trained if is_training else tested).append(run.directory)
    for env, (tested, trained) in by_env.items():
        if tested and trained:
            place = f" in {env}" if env else ""
            warn(
                f"{PERFORMANCE}{place} is the training return of {listed(trained)}, which have no "
                "test return as the others have"
            )


def _tell_stand_ins(runs: Sequence[Run], xaxis: str) -> None:
    directories: dict[str, list[Path]] = {}
    for run in runs:
        name = find_name(run.columns, xaxis)
        if name is not None and name != xaxis:
            directories.setdefault(name, []).append(run.directory)
    if directories:
        parts = [f"{name} of {listed(places)}" for name, places in directories.items()]
        warn(f"taken for {xaxis} as the x axis: {'; '.join(parts)}")
