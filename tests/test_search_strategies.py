"""Strategies of a search: which configurations they try, worked by hand."""

import itertools
import math

import numpy as np
import pytest

from rl.experiments.searches.coordinates import CELLS, AutoIC, ICGrid, gain, read_tuning
from rl.experiments.searches.spaces import Choice, IntUniform, LogUniform, Uniform
from rl.experiments.searches.strategies import Grid, Random, Tried, best_of
from tests.helpers_search import RATES


def play(strategy, score, trials):
    """What a strategy tries, one after another."""
    tried = []
    for number in range(trials):
        proposal = strategy.propose(tried, np.random.default_rng([0, number]))
        if proposal is None:
            break
        value = score(proposal.params)
        tried.append(Tried(proposal.params, "complete", value, -1, proposal.note))
    return tried


def test_grid_visits_the_grid_once():
    tried = play(Grid(RATES), lambda params: 0.0, 20)
    grid = itertools.product(RATES["pi_lr"].grid(), RATES["gamma"].grid())
    assert [tuple(before.params.values()) for before in tried] == list(grid)


def test_best_of():
    values = [("complete", 1.0), ("complete", 3.0), ("pruned", 9.0), ("failed", None)]
    tried = [Tried({}, state, value, -1, {}) for state, value in values]
    assert best_of(tried) is tried[1]
    assert best_of(tried[3:]) is None


def test_iterated_coordinates():
    """x - 4 y on a 3 x 3 grid: from the middle, x is tuned, then y, then x again finds nothing."""
    space = {"x": IntUniform(0, 2), "y": IntUniform(0, 2)}
    tried = play(ICGrid(space), lambda params: params["x"] - 4 * params["y"], 20)
    points = [(before.params["x"], before.params["y"]) for before in tried]
    assert points[:5] == [(1, 1), (0, 1), (2, 1), (2, 0), (2, 2)]
    assert points[5:] == [(0, 0), (1, 0)]  # x again, around the best, and then nothing is left


def test_automatic_coordinates_by_hand():
    """On [0, 8] cells are 2 wide at first: 1, 3, 5, 7; around the best, 3, the next interval is
    [1, 5], of which 1.5, 2.5, 3.5, 4.5 are tried."""
    tried = play(AutoIC({"x": Uniform(0, 8)}), lambda params: -abs(params["x"] - 3.1), 9)
    points = [before.params["x"] for before in tried]
    assert points == pytest.approx([4, 1, 3, 5, 7, 1.5, 2.5, 3.5, 4.5])
    tuning = read_tuning(tried[-1])
    assert (tuning.low, tuning.high, tuning.number) == (1 / 8, 5 / 8, 2)


def test_automatic_coordinates_are_geometric_on_a_logarithmic_scale():
    space = {"x": LogUniform(1, 256)}
    tried = play(AutoIC(space), lambda params: -abs(math.log2(params["x"]) - 3.1), 9)
    points = [math.log2(before.params["x"]) for before in tried]
    assert points == pytest.approx([4, 1, 3, 5, 7, 1.5, 2.5, 3.5, 4.5])


def test_automatic_coordinates_tune_what_gains_most():
    """y changes nothing: after one tuning of each only x is tuned."""
    space = {"x": Uniform(0, 1), "y": Uniform(0, 1)}
    tried = play(AutoIC(space), lambda params: -((params["x"] - 0.4) ** 2), 1 + 5 * CELLS)
    flags = [read_tuning(before).parameter for before in tried]
    assert flags == [""] + ["x"] * CELLS + ["y"] * CELLS + ["x"] * 3 * CELLS


def test_the_gain_is_a_standard_deviation():
    tuning = [Tried({}, "complete", value, -1, {}) for value in (1.0, 3.0)]
    failed = Tried({}, "failed", None, -1, {})
    assert gain([*tuning, failed]) == 1.0
    assert gain(tuning[:1]) == 0.0


def test_coordinates_of_choices_end():
    """Every value once with the other flag at its best, and no configuration twice."""
    space = {"x": Choice(["a", "b"]), "y": Choice(["c", "d"])}
    tried = play(AutoIC(space), lambda params: float(params["x"] == "b"), 20)
    points = [tuple(before.params.values()) for before in tried]
    assert points == [("a", "c"), ("b", "c"), ("b", "d")]


def test_random_draws_depend_on_the_trial_alone():
    first = Random(RATES).propose([], np.random.default_rng([0, 3]))
    again = Random(RATES).propose([1, 2, 3], np.random.default_rng([0, 3]))
    assert first == again
    assert first != Random(RATES).propose([], np.random.default_rng([0, 4]))
