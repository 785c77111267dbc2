"""How much of the variation of the fitness a flag explains by itself, where there is no fANOVA."""

from typing import Sequence

import numpy as np

GROUPS = 4  # of a flag's values, about equally large
FEWEST = 8  # trials, of which there are groups with a spread


def explained_share(values: Sequence[object], fitness: np.ndarray) -> float:
    """The share of the variance of the fitness that lies between groups of a flag's values.

    Kelley's epsilon squared, 1935: https://doi.org/10.1073/pnas.21.9.554. It is 0 on average for a
    flag that has no effect, however many groups there are; below 0, 0 is returned. What flags do
    together counts for none of them.

    Args:
      values: of each trial: numbers, which are divided at their quartiles, or texts.
      fitness: `(trials,)`, of at least FEWEST trials.
    """
    groups = _groups(values)
    count = len(np.unique(groups))
    total = float(((fitness - fitness.mean()) ** 2).sum())
    if total == 0 or count < 2 or count == len(fitness):
        return 0.0
    within = 0.0
    for group in np.unique(groups):
        group_fitness = fitness[groups == group]
        within += float(((group_fitness - group_fitness.mean()) ** 2).sum())
    ratio = (within / (len(fitness) - count)) / (total / (len(fitness) - 1))
    return max(0.0, 1 - ratio)


def _groups(values: Sequence[object]) -> np.ndarray:
    """The number of each value's group; equal values are in the same one."""
    if any(isinstance(value, str) for value in values):
        return np.unique(np.array(values, dtype=str), return_inverse=True)[1]
    numbers = np.array(values, dtype=float)
    if len(np.unique(numbers)) <= GROUPS:
        return np.unique(numbers, return_inverse=True)[1]
    edges = np.quantile(numbers, np.arange(1, GROUPS) / GROUPS)
    return np.searchsorted(edges, numbers)
