"""Ways to group tasks.

A grouping has for every task the number of its group; groups are numbered in the order of their
first tasks. So it is also the map of a layer of which each group has a copy.
"""

import functools
import warnings

import numpy as np
from scipy.cluster.vq import kmeans2

FEW = 6  # things that may be grouped in every way, of which there are 203

Grouping = tuple[int, ...]


@functools.cache
def partitions(count: int) -> list[Grouping]:
    """Every grouping of `count` things."""
    if count == 0:
        return [()]
    found = []
    for shorter in partitions(count - 1):
        for group in range(max(shorter, default=-1) + 2):
            found.append((*shorter, group))
    return found


def candidates(grouping: Grouping, affinity: np.ndarray, every: bool) -> list[Grouping]:
    """Groupings whose groups are those of `grouping` or made of several of them: for each number of
    groups one, by spectral clustering.

    Args:
      affinity: `(tasks, tasks)`. every: all there are, where it has no more than FEW groups.
    """
    count = count_groups(grouping)
    if every and count <= FEW:
        mergers = partitions(count)
    else:
        between = affinity_of_groups(grouping, affinity)
        mergers = [spectral_clusters(between, size) for size in range(1, count + 1)]
    coarser = []
    for merger in mergers:
        coarser.append(tuple(merger[group] for group in grouping))
    return list(dict.fromkeys(coarser))


def count_groups(grouping: Grouping) -> int:
    """How many groups it has."""
    return max(grouping) + 1


def affinity_of_groups(grouping: Grouping, affinity: np.ndarray) -> np.ndarray:
    """The mean affinity of the tasks of two groups, `(groups, groups)`; 1 on the diagonal."""
    members = np.eye(count_groups(grouping))[:, list(grouping)]
    shares = members / members.sum(axis=1, keepdims=True)
    between = shares @ affinity @ shares.T
    np.fill_diagonal(between, 1)
    return between


def spectral_clusters(affinity: np.ndarray, count: int) -> Grouping:
    """A grouping into `count` groups, or fewer where things are too alike, by their affinities
    `(things, things)`, of which those under 0 count as 0.

    Ng et al., 2001: k-means on the first eigenvectors of the normalised Laplacian, rows of unit
    length. It starts from rows that are far from each other, so that no chance is in it:
    https://papers.nips.cc/paper/2092-on-spectral-clustering-analysis-and-an-algorithm
    """
    if count == 1:
        return (0,) * len(affinity)
    if count == len(affinity):
        return tuple(range(count))
    weights = np.maximum(affinity, 0)
    scale = 1 / np.sqrt(weights.sum(axis=1))
    # Its largest eigenvalues are the smallest of the Laplacian, which is 1 minus it.
    vectors = np.linalg.eigh(scale[:, None] * weights * scale)[1][:, -count:]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = vectors / np.where(lengths > 0, lengths, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of clusters that have become empty
        clusters = kmeans2(rows, _far_apart(rows, count), minit="matrix")[1]
    return numbered(clusters)


def _far_apart(rows: np.ndarray, count: int) -> np.ndarray:
    """The first row, then in turn the row that is farthest from all those so far."""
    chosen = [0]
    for _ in range(count - 1):
        distances = np.linalg.norm(rows[:, None] - rows[chosen], axis=2).min(axis=1)
        chosen.append(int(np.argmax(distances)))
    return rows[chosen]


def numbered(labels: np.ndarray) -> Grouping:
    """The grouping by labels `(things,)`."""
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels.tolist()))}
    return tuple(numbers[label] for label in labels.tolist())
