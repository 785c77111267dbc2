"""Sizes of the tests of criteria when tasks are identical, as the benchmark draws them."""

import numpy as np
import pytest

from benchmarks.splitting_sizes import Setting, watch
from rl.splitting import Config


def under_h0(name, mean):
    """Scores (regions,) of pairs of tasks whose gradients differ by noise alone, and the
    criterion's threshold."""
    setting = Setting(mean, np.eye(20), np.ones(600))
    configs = [Config(split_criterion=name, split_decay=1.0, split_memory=1.0, split_z=1.645)]
    ((criterion, stats),) = next(watch(configs, setting, [400], tasks=2))
    return criterion.judge(stats, setting.sizes).score[:, 0, 1], criterion.threshold()


@pytest.mark.parametrize("name", ["v1", "v1_region", "halfbatch"])
def test_moments_and_size_of_z_under_h0(name):
    """z has mean 0 and variance 1; a test of nominal size 5% rejects 5% of the time."""
    z, threshold = under_h0(name, np.full(20, 0.1))
    assert z.mean() == pytest.approx(0, abs=0.15) and z.std() == pytest.approx(1, abs=0.12)
    assert (z > threshold).mean() == pytest.approx(0.05, abs=0.035)


@pytest.mark.parametrize(
    "mean, size", [(4 * np.eye(2, 20), 0.05), (np.zeros(20), 0.0125), (np.full(20, 0.5), 0)]
)
def test_size_of_conflict_under_h0(mean, size):
    """5% of orthogonal gradients seem at odds; without a mean, if both squares of it seem positive;
    no others."""
    z, threshold = under_h0("conflict", mean)
    assert (z > threshold).mean() == pytest.approx(size, abs=0.7 * size)
