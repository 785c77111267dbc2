"""How alike the features of several networks are: representation similarity analysis.

Kriegeskorte et al., 2008: https://doi.org/10.3389/neuro.06.004.2008
"""

import numpy as np
from scipy.stats import rankdata

DIGITS = 10  # of dissimilarities: what differs in the order of sums alone has the same rank


def dissimilarity_matrix(features: np.ndarray) -> np.ndarray:
    """The RDM of a network's features `(probes, units)`: 1 - Pearson correlation of the features of
    two probes, `(probes, probes)` in [0, 2].

    Features that are the same in all units, as where all are cut off, correlate with none.
    """
    units = _standardised(features.astype(float))
    matrix = np.round(1 - units @ units.T, DIGITS)
    np.fill_diagonal(matrix, 0)
    return matrix


def affinities(features: np.ndarray) -> np.ndarray:
    """How alike the features of each two networks are: Spearman correlation of what their RDMs have
    above the diagonal, `(networks, networks)` in [-1, 1], 1 on the diagonal.

    Args:
      features: `(networks, probes, units)`, of the same probes.
    """
    above = np.triu_indices(features.shape[1], k=1)
    ranks = [rankdata(dissimilarity_matrix(of_network)[above]) for of_network in features]
    standardised = _standardised(np.stack(ranks))
    affinity = np.clip(standardised @ standardised.T, -1, 1)
    np.fill_diagonal(affinity, 1)
    return affinity


def _standardised(rows: np.ndarray) -> np.ndarray:
    """Rows `(..., size)` with mean 0 and length 1; zeros where all numbers of a row are the
    same."""
    is_same = (rows == rows[..., :1]).all(axis=-1, keepdims=True)
    centred = rows - rows.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    return np.where(is_same, 0, centred / np.where(is_same, 1, length))
