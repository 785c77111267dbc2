"""Estimates, intervals and tests: values worked by hand, SciPy's, rliable's, and coverage."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from rl.experiments.statistics import bootstrap, intervals, significance
from rl.experiments.statistics.area import mean_heights
from rl.experiments.statistics.estimators import iqm, optimality_gap
from rl.experiments.statistics.improvement import improvement_interval, probability_of_improvement
from rl.experiments.statistics.power import power, runs_needed
from rl.experiments.statistics.profiles import performance_profile, profile_band

RLIABLE = json.loads((Path(__file__).parent / "data" / "rliable.json").read_text())
SKEWED = np.array([0.1, 0.2, 0.2, 0.4, 0.5, 0.9, 1.6, 3.1, 4.0])
OTHER = np.array([0.3, 0.1, 0.0, 0.2, 0.6, 0.1, 0.4, 0.2])


def rng(seed=0):
    return np.random.default_rng(seed)


# Estimators ---------------------------------------------------------------------


def test_iqm_of_eight_numbers():
    values = np.array([8.0, 1, 2, 100, 5, 3, 4, 6])  # sorted, the middle half is 3, 4, 5, 6
    assert iqm(values, axis=0) == pytest.approx(4.5)
    assert iqm(values, axis=0) == pytest.approx(stats.trim_mean(values, 0.25))


def test_iqm_counts_outer_values_in_part():
    assert iqm(np.array([0.3]), axis=0) == pytest.approx(0.3)
    assert iqm(np.array([0.0, 6, 100]), axis=0) == pytest.approx(  # a quarter of each end is left
        (0.25 * 0 + 6 + 0.25 * 100) / 1.5
    )


def test_optimality_gap():
    assert optimality_gap(np.array([[0.5, 2.0], [1.0, 0.0]])) == pytest.approx((0.5 + 1) / 4)
    assert optimality_gap(np.array([50.0, 300]), target=200) == pytest.approx(75)


# Intervals ----------------------------------------------------------------------


def test_wilson():
    assert intervals.wilson(0, 50) == pytest.approx((0, 0.071), abs=5e-4)
    assert intervals.wilson(45, 50) == pytest.approx((0.786, 0.957), abs=5e-4)


@pytest.mark.parametrize("successes, episodes", [(0, 50), (45, 50), (1, 20), (20, 20)])
def test_wilson_inverts_the_score_test(successes, episodes):
    found = stats.binomtest(successes, episodes).proportion_ci(method="wilson")
    assert intervals.wilson(successes, episodes) == pytest.approx(tuple(found), abs=1e-9)


def test_t_interval():
    values = np.array([2.0, 4, 9])  # mean 5, variance 13, t(0.975, 2) = 4.302653
    half = 4.302653 * math.sqrt(13 / 3)
    assert intervals.t_interval(values) == pytest.approx((5 - half, 5 + half), rel=1e-6)


def test_the_jackknife_of_the_mean_is_the_t_interval():
    scores = rng().normal(size=(4, 3))
    wanted = intervals.t_interval(scores.mean(axis=1))
    assert intervals.jackknife_interval(scores, np.mean) == pytest.approx(wanted)


def test_the_jackknife_of_the_iqm_by_hand():
    """Of 0, 6, 12, 18 the IQM is 9; without one of them it is, of three, (x/4 + y + z/4) / 1.5."""
    scores = np.array([[0.0], [6], [12], [18]])
    without = np.array([12.0, (0 + 12 + 4.5) / 1.5, (0 + 6 + 4.5) / 1.5, 6.0])
    pseudo = 4 * 9 - 3 * without
    half = stats.t.ppf(0.975, 3) * pseudo.std(ddof=1) / 2
    found = intervals.jackknife_interval(scores, iqm)
    assert found == pytest.approx((9 - half, 9 + half))


def test_logit_t_interval_stays_inside():
    """Two runs with 49 and 40 of 50: logit(49.5 / 51) and logit(40.5 / 51), t(0.975, 1) = 12.706."""
    first = math.log(49.5 / 1.5)
    second = math.log(40.5 / 10.5)
    centre = (first + second) / 2
    half = 12.7062 * abs(first - second) / 2
    wanted = [1 / (1 + math.exp(half - centre)), 1 / (1 + math.exp(-half - centre))]
    found = intervals.logit_t_interval(np.array([0.98, 0.8]), 50)
    assert found == pytest.approx(wanted, rel=1e-4)
    assert 0 <= found.low < 0.8 and 0.98 < found.high <= 1
    everywhere = intervals.logit_t_interval(np.array([0.0, 1.0]), 10)
    assert 0 <= everywhere.low < 1e-6 and 1 - 1e-6 < everywhere.high <= 1


def test_logit_t_interval_holds_the_mean():
    """One success in 20 by one run of five: logit(0.5 / 21) four times and logit(1.5 / 21), whose
    mean less 2.7764 standard errors is that of 0.016, above the mean rate of 0.01."""
    found = intervals.logit_t_interval(np.array([0, 0, 0, 0.05, 0]), 20)
    assert found == pytest.approx((0.01, 0.0549), abs=1e-4)
    opposite = intervals.logit_t_interval(np.array([1, 1, 1, 0.95, 1]), 20)
    assert opposite == pytest.approx((1 - 0.0549, 0.99), abs=1e-4)


def test_equal_scores_have_intervals_without_width():
    scores = np.full((6, 3), 0.7)
    equal = pytest.approx((0.7, 0.7))
    for unit in bootstrap.UNITS:
        assert bootstrap.bootstrap_interval(scores, iqm, unit, 100, rng()) == equal
        difference = bootstrap.difference_interval(scores, scores, unit, 100, rng())
        assert difference == pytest.approx((0, 0))
        assert improvement_interval(scores, scores, unit, 100, rng()) == (0.5, 0.5)
    one = scores[:, 0]
    assert intervals.t_interval(one) == equal
    assert intervals.logit_t_interval(one, 50) == equal
    assert bootstrap.bca_difference_interval(one, one, 100, rng()) == pytest.approx((0, 0))
    assert significance.welch(one, one) == ((0, 0), 1)
    assert significance.permutation_p(one, one, rng()) == 1


# Bootstrap ----------------------------------------------------------------------


def test_what_is_drawn():
    """Whole runs are the same for all tasks; runs of each task are drawn apart. Each resample has
    as many as there are."""
    assert bootstrap.draw_runs(4, 3, "run", 7, rng()).shape == (7, 4, 1)
    assert bootstrap.draw_runs(4, 3, "task", 7, rng()).shape == (7, 4, 3)
    counts = bootstrap.count_runs(4, 3, "run", 50, rng())
    assert (counts == counts[:, :, :1]).all() and (counts.sum(axis=1) == 4).all()
    counts = bootstrap.count_runs(4, 3, "task", 50, rng())
    assert (counts != counts[:, :, :1]).any() and (counts.sum(axis=1) == 4).all()


def test_whole_runs_keep_their_tasks_together():
    """Of two runs, 0 and 1 in both tasks, whole ones are 0, 1/2 or 1 in the mean. Drawn apart, the
    mean is 0 in one of 16 resamples."""
    scores = np.array([[0.0, 0], [1, 1]])
    whole = bootstrap.resampled_means(scores, "run", 4000, rng())
    assert set(whole) == {0, 0.5, 1} and (whole == 0).mean() == pytest.approx(1 / 4, abs=0.03)
    apart = bootstrap.resampled_means(scores, "task", 4000, rng())
    assert set(apart) == {0, 0.25, 0.5, 0.75, 1}
    assert (apart == 0).mean() == pytest.approx(1 / 16, abs=0.015)


@pytest.mark.parametrize("unit", bootstrap.UNITS)
def test_intervals_are_the_same_under_a_seed_and_in_parts(unit, monkeypatch):
    scores = rng().normal(size=(6, 4))
    first = bootstrap.bootstrap_interval(scores, iqm, unit, 500, rng(3))
    assert bootstrap.bootstrap_interval(scores, iqm, unit, 500, rng(3)) == first
    assert bootstrap.bootstrap_interval(scores, iqm, unit, 500, rng(4)) != first
    monkeypatch.setattr(bootstrap, "CHUNK", 1)
    in_parts = bootstrap.bootstrap_interval(scores, iqm, unit, 500, rng(3))
    assert in_parts == pytest.approx(first, rel=1e-12)


def test_the_mean_resampled_twice_over():
    """Two ways to resample the same runs: by counts, and one by one."""
    scores = rng().normal(size=(6, 4))
    for unit in bootstrap.UNITS:
        means = bootstrap.resampled_means(scores, unit, 40_000, rng(1))
        found = bootstrap.bootstrap_interval(scores, np.mean, unit, 40_000, rng(2))
        assert bootstrap.percentiles(means) == pytest.approx(found, abs=0.02)


def test_bca_agrees_with_scipy():
    def difference(x, y, axis):
        return x.mean(axis) - y.mean(axis)

    found = bootstrap.bca_difference_interval(SKEWED, OTHER, 200_000, rng())
    wanted = stats.bootstrap(
        (SKEWED, OTHER), difference, n_resamples=200_000, method="BCa", random_state=rng(1)
    ).confidence_interval
    assert found == pytest.approx(tuple(wanted), abs=0.025)
    plain = bootstrap.difference_interval(SKEWED[:, None], OTHER[:, None], "run", 50_000, rng())
    assert found.low > plain.low + 0.05 and found.high > plain.high + 0.1  # it knows the skewness


# Tests --------------------------------------------------------------------------


def test_welch_agrees_with_scipy():
    test = significance.welch(SKEWED, OTHER)
    wanted = stats.ttest_ind(SKEWED, OTHER, equal_var=False)
    assert test.p == pytest.approx(wanted.pvalue)
    assert test.interval == pytest.approx(tuple(wanted.confidence_interval()))
    apart = significance.welch(np.full(3, 0.1), np.full(3, 0.7))
    assert math.isnan(apart.p) and apart.interval == pytest.approx((-0.6, -0.6))


def test_exact_permutation_test():
    """Of 5 runs against 5, all of them apart, only 2 of 252 divisions are as extreme."""
    low = np.arange(5.0)
    assert significance.permutation_p(low, low + 10, rng()) == pytest.approx(2 / 252)
    # of {0, 1, 2, 3} into pairs, sums 1, 2, 3, 3, 4, 5: those of 1 and 5 are as far apart
    found = significance.permutation_p(np.array([0.0, 1]), np.array([2.0, 3]), rng())
    assert found == pytest.approx(2 / 6)
    for odd in (math.nan, 1e308):
        assert math.isnan(significance.permutation_p(np.full(5, odd), -np.full(5, odd), rng()))


def test_sampled_permutation_test(monkeypatch):
    exact = significance.permutation_p(SKEWED[:7], OTHER[:7], rng())
    monkeypatch.setattr(significance, "MOST_DIVISIONS", 10)
    sampled = significance.permutation_p(SKEWED[:7], OTHER[:7], rng(), samples=5000)
    assert sampled == pytest.approx(exact, abs=4 * math.sqrt(exact / 5000))
    assert significance.permutation_p(np.zeros(20), np.ones(20), rng(), samples=99) == 1 / 100


def test_p_values_are_uniform_where_there_is_no_difference():
    random = rng(5)
    found = []
    for _ in range(400):
        x = random.exponential(size=5)
        y = random.exponential(size=5)
        found.append((significance.permutation_p(x, y, random), significance.welch(x, y).p))
    permuted, of_welch = np.array(found).T
    for level in (0.1, 0.25, 0.5, 0.75):
        spread = 3 * math.sqrt(level * (1 - level) / 400)
        assert (permuted <= level).mean() == pytest.approx(level, abs=spread + 1 / 252)
    assert (of_welch <= 0.05).mean() < 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_holm_by_hand():
    """0.01 * 3; 0.02 * 2; 0.04 * 1, but not below the one before. A nan is no test."""
    found = significance.holm([0.04, 0.01, math.nan, 0.021])
    assert found[0] == pytest.approx(0.042) and found[3] == pytest.approx(0.042)
    assert found[1] == pytest.approx(0.03) and math.isnan(found[2])
    assert significance.holm([0.6, 0.9]) == [1, 1]
    assert significance.holm([]) == []


# Improvement, profiles, areas, power ----------------------------------------------


def test_probability_of_improvement():
    x = np.array([[1.0], [3]])
    y = np.array([[2.0], [3], [0]])  # 1 beats 0; 3 beats 2 and 0, and ties with 3
    assert probability_of_improvement(x, y) == pytest.approx(3.5 / 6)
    assert probability_of_improvement(y, x) == pytest.approx(2.5 / 6)
    same = rng().random((5, 4))
    assert probability_of_improvement(same, same) == 0.5
    u, _ = stats.mannwhitneyu(SKEWED, OTHER)
    found = probability_of_improvement(SKEWED[:, None], OTHER[:, None])
    assert found == pytest.approx(u / (9 * 8))


@pytest.mark.parametrize("unit", bootstrap.UNITS)
def test_improvement_is_antisymmetric(unit):
    x = rng(1).random((6, 3)).round(1)
    y = rng(2).random((7, 3)).round(1)
    assert probability_of_improvement(x, y) + probability_of_improvement(y, x) == pytest.approx(1)
    low, high = improvement_interval(x, y, unit, 20_000, rng())
    turned = improvement_interval(y, x, unit, 20_000, rng())
    assert (1 - turned.high, 1 - turned.low) == pytest.approx((low, high), abs=0.02)
    assert low < probability_of_improvement(x, y) < high


def test_profile_by_hand():
    scores = np.array([[0.1, 0.5], [0.5, 0.9]])
    shares = performance_profile(scores, np.array([0.0, 0.1, 0.5, 0.9]))
    assert shares.tolist() == [1, 0.75, 0.25, 0]
    low, high = profile_band(np.repeat(scores, 4, axis=0), np.array([0.0, 0.3, 2]), "run", rng())
    assert (low[0], high[0], low[2], high[2]) == (1, 1, 0, 0)
    assert low[1] < 0.75 < high[1]


def test_areas_are_over_the_stretch_that_all_runs_have():
    """A line from 0 to 4 over [0, 4], and a step that is there over [1, 3] only."""
    x = np.array([0.0, 1, 2, 3, 4])
    y = np.array([[0.0, 1, 2, 3, 4], [np.nan, 0, 0, 4, np.nan]])
    assert mean_heights(x, y).tolist() == [2, 1]
    assert np.isnan(mean_heights(x, y[:, :1].repeat(5, axis=1))).all()


def test_power_agrees_with_the_notes_of_the_field():
    """Cohen's tables: a difference of one standard deviation takes 17 runs a method."""
    assert runs_needed(0.1, 0.1) == 17
    assert runs_needed(-0.5, 1) == 64
    assert power(0.1, 0.1, 17) == pytest.approx(0.807, abs=2e-3)
    assert power(0.2, 0.1, 5) == pytest.approx(0.79, abs=5e-3)
    assert runs_needed(0, 0.1) is None and runs_needed(0.1, 0) is None
    assert runs_needed(1e-4, 1) is None
    assert runs_needed(10, 0.1) == 2


# Coverage, and rliable ------------------------------------------------------------


def test_t_and_bootstrap_intervals_cover():
    """600 times, 20 runs of scores whose mean is 0."""
    random = rng(6)
    covered = {"t": 0, "bootstrap": 0}
    for _ in range(600):
        scores = random.normal(size=(20, 1))
        low, high = intervals.t_interval(scores[:, 0])
        covered["t"] += low < 0 < high
        means = bootstrap.resampled_means(scores, "run", 400, random)
        low, high = bootstrap.percentiles(means)
        covered["bootstrap"] += low < 0 < high
    assert covered["t"] / 600 == pytest.approx(0.95, abs=0.027)  # three standard errors
    assert covered["bootstrap"] / 600 == pytest.approx(0.935, abs=0.03)


def test_tasks_of_a_run_are_not_independent():
    """Runs that are good or bad in all 5 tasks: only whole runs tell how uncertain the mean is."""
    random = rng(7)
    covered = {unit: 0 for unit in bootstrap.UNITS}
    for _ in range(300):
        scores = random.normal(size=(10, 1)) + 0.3 * random.normal(size=(10, 5))
        for unit in bootstrap.UNITS:
            means = bootstrap.resampled_means(scores, unit, 300, random)
            low, high = bootstrap.percentiles(means)
            covered[unit] += low < 0 < high
    assert covered["run"] / 300 > 0.86
    assert covered["task"] / 300 < 0.75


@pytest.mark.parametrize("method", ["x", "y"])
def test_aggregates_agree_with_rliable(method):
    scores = np.array(RLIABLE[method])
    for name, estimate in {"mean": np.mean, "iqm": iqm}.items():
        value, low, high = RLIABLE[name][method]
        assert estimate(scores.ravel(), axis=0) == pytest.approx(value)
        found = bootstrap.bootstrap_interval(scores, estimate, "task", 20_000, rng())
        assert found == pytest.approx((low, high), abs=0.003)
    assert optimality_gap(scores) == pytest.approx(RLIABLE["optimality_gap"][method][0])


def test_improvement_and_profiles_agree_with_rliable():
    x = np.array(RLIABLE["x"])
    y = np.array(RLIABLE["y"])
    value, low, high = RLIABLE["improvement"]
    assert probability_of_improvement(x, y) == pytest.approx(value)
    found = improvement_interval(x, y, "task", 20_000, rng())
    assert found == pytest.approx((low, high), abs=0.006)
    thresholds = np.array(RLIABLE["thresholds"])
    assert performance_profile(x, thresholds) == pytest.approx(np.array(RLIABLE["profile"]))
    band = profile_band(x, thresholds, "task", rng())
    assert band == pytest.approx(np.array(RLIABLE["profile_band"]), abs=1 / 24 + 1e-9)
