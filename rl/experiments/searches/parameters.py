"""Spaces as Optuna knows them. Imports Optuna."""

from typing import Mapping

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from rl.experiments.searches.spaces import Choice, IntUniform, LogUniform, Point, Space


def distribution_of(space: Space) -> BaseDistribution:
    """Optuna's distribution of the points of a space."""
    if isinstance(space, Choice):
        return CategoricalDistribution(space.labels)
    if isinstance(space, IntUniform):
        return IntDistribution(space.low, space.high)
    return FloatDistribution(space.low, space.high, log=isinstance(space, LogUniform))


def suggest(trial: optuna.trial.Trial, spaces: Mapping[str, Space]) -> dict[str, Point]:
    """Has a trial's sampler choose a configuration, or the values that the trial is bound to."""
    params: dict[str, Point] = {}
    for name, space in spaces.items():
        if isinstance(space, Choice):
            params[name] = trial.suggest_categorical(name, space.labels)
        elif isinstance(space, IntUniform):
            params[name] = trial.suggest_int(name, space.low, space.high)
        else:
            is_log = isinstance(space, LogUniform)
            params[name] = trial.suggest_float(name, space.low, space.high, log=is_log)
    return params
