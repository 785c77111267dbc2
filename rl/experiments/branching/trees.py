"""The search for a tree of layers: from the deepest hidden layer to the shallowest, since groups of
tasks can only grow together on the way to the input."""

from typing import Iterable, NamedTuple, Optional, Sequence

import numpy as np

from rl.experiments.branching.groupings import FEW, Grouping, candidates, count_groups


class Tree(NamedTuple):
    """Who shares what.

    Attributes:
      cost: the sum of its groupings'. parameters: of a network of this kind.
      groupings: of each hidden layer, the shallowest first; of a partial tree, of the deepest ones.
    """

    cost: float
    parameters: int
    groupings: tuple[Grouping, ...]


def grouping_cost(grouping: Grouping, dissimilarity: np.ndarray) -> float:
    """The mean over groups of the largest dissimilarity inside, which is 0 for single tasks.

    Args:
      dissimilarity: `(tasks, tasks)`, 0 on the diagonal.
    """
    labels = np.array(grouping)
    largest = []
    for group in range(count_groups(grouping)):
        members = np.flatnonzero(labels == group)
        largest.append(dissimilarity[np.ix_(members, members)].max())
    return float(np.mean(largest))


def find_trees(
    affinity: np.ndarray,
    sizes: Sequence[int],
    fixed: int,
    budget: float,
    beam: int = 10,
    every: bool = False,
) -> list[Tree]:
    """Trees in the order of their parameters, each the cheapest that was found for as many or
    fewer; so the last is the cheapest within the budget.

    Args:
      affinity: `(hidden layers, tasks, tasks)`, of the features after each hidden layer, the
        shallowest first. sizes: parameters of a copy of each hidden layer. fixed: parameters of all
        else. budget: most parameters; enough for a tree that shares all hidden layers.
      beam: how many partial trees of each number of groups are followed.
      every: whether up to FEW groups are put together in every way, not by spectral clustering
        alone. Trees of up to FEW tasks are then the cheapest that there are: no beam is needed.

    Raises:
      ValueError: the budget is too small for any tree.
    """
    if fixed + sum(sizes) > budget:
        raise ValueError(f"{budget} parameters are too few: {fixed + sum(sizes)} are the least")
    is_exact = every and affinity.shape[-1] <= FEW
    trees = [Tree(0.0, fixed, ())]
    for layer in reversed(range(len(sizes))):
        left = budget - sum(sizes[:layer])
        grown = _grow(trees, affinity[layer], sizes[layer], left, every)
        trees = _kept(grown, None if is_exact else beam)
    return _undominated(trees)


def _grow(
    trees: Iterable[Tree], affinity: np.ndarray, size: int, budget: float, every: bool
) -> list[Tree]:
    """Every partial tree with each candidate for the next layer that fits into the budget."""
    dissimilarity = 1 - affinity
    costs: dict[Grouping, float] = {}
    coarser: dict[Grouping, list[Grouping]] = {}
    grown = []
    for tree in trees:
        finer = tree.groupings[0] if tree.groupings else tuple(range(len(affinity)))
        if finer not in coarser:
            coarser[finer] = candidates(finer, affinity, every)
        for grouping in coarser[finer]:
            parameters = tree.parameters + size * count_groups(grouping)
            if parameters > budget:
                continue
            if grouping not in costs:
                costs[grouping] = grouping_cost(grouping, dissimilarity)
            cost = tree.cost + costs[grouping]
            grown.append(Tree(cost, parameters, (grouping, *tree.groupings)))
    return grown


def _kept(trees: Iterable[Tree], most: Optional[int]) -> list[Tree]:
    """Of the partial trees with the same last grouping those that none is better than; of those, of
    each number of groups the `most` cheapest, None: all."""
    by_grouping: dict[Grouping, list[Tree]] = {}
    for tree in trees:
        by_grouping.setdefault(tree.groupings[0], []).append(tree)
    by_count: dict[int, list[Tree]] = {}
    for grouping, alike in by_grouping.items():
        by_count.setdefault(count_groups(grouping), []).extend(_undominated(alike))
    kept = []
    for same_count in by_count.values():
        kept.extend(sorted(same_count)[:most])
    return kept


def _undominated(trees: Iterable[Tree]) -> list[Tree]:
    """In the order of their parameters, the trees that cost less than all with fewer or as many."""
    kept: list[Tree] = []
    for tree in sorted(trees, key=lambda tree: (tree.parameters, tree)):
        if not kept or tree.cost < kept[-1].cost:
            kept.append(tree)
    return kept
