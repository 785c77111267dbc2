"""Schedules: first, middle and last values; plateau; saving."""

import numpy as np
import pytest

from rl.training.schedule import Config, Schedule

# of 101 updates, down to 0.2: the 0th, 50th, 100th; cyclic with one triangle
VALUES = {
    "constant": (1, 1, 1),
    "linear": (1, 0.6, 0.2),
    "cosine": (1, 0.6, 0.2),
    "exponential": (1, np.sqrt(0.2), 0.2),
    "cyclic": (0.2, 1, 0.2),
    "plateau": (1, 1, 1),
}


def make(name, **flags):
    return Schedule(Config(lr_schedule=name, **{"lr_end": 0.2, "lr_cycles": 1, **flags}))


@pytest.mark.parametrize("name", VALUES)
def test_first_middle_and_last(name):
    values = make(name)(0, 101, 101)
    assert values.dtype == np.float32 and values.shape == (101,)
    np.testing.assert_allclose(values[[0, 50, 100]], VALUES[name], rtol=1e-6)
    np.testing.assert_array_equal(make(name)(30, 20, 101), values[30:50])  # in pieces as in one


@pytest.mark.parametrize("end", [0.0, 0.3])
def test_cosine_ends_exactly(end):
    assert make("cosine", lr_end=end)(99_950, 50, 100_000)[-1] == np.float32(end)


def test_shapes_of_cosine_and_cycles():
    np.testing.assert_allclose(
        make("cosine", lr_end=0)(0, 5, 5), (1 + np.cos(np.pi * np.arange(5) / 4)) / 2, atol=1e-7
    )
    np.testing.assert_allclose(
        make("cyclic", lr_end=0, lr_cycles=2)(0, 9, 9), [0, 0.5, 1, 0.5, 0, 0.5, 1, 0.5, 0]
    )


def test_updates_past_the_end_stay_there():
    np.testing.assert_allclose(make("linear")(100, 3, 101), 0.2, rtol=1e-6)


def test_plateau_lowers_after_patience_and_stops_at_the_end():
    schedule, scales = make("plateau", lr_patience=2, lr_factor=0.5), []
    for score in (1, 2, 2, 1, 3, 0, 0, 0, 0, 0, 0):
        schedule.observe(score)
        scales.append(float(schedule(0, 1, 1)[0]))
    np.testing.assert_allclose(
        scales, [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2, 0.2, 0.2], rtol=1e-6
    )


def test_state_round_trip():
    schedule, copy = make("plateau", lr_patience=2), make("plateau", lr_patience=2)
    for score in (3, 2):
        schedule.observe(score)
    copy.load_state(schedule.state())
    for plateau in (schedule, copy):
        plateau.observe(1)
    assert schedule.state() == copy.state() and copy.scale == 0.5
