"""Replay: a ring with a task axis."""

import resource
from pathlib import Path

import numpy as np
import pytest

from rl.buffers.replay import ReplayBuffer
from tests.helpers_buffers import transition


def test_ring_forgets_the_oldest():
    buffer = ReplayBuffer(2, 1, capacity=4)
    for i in range(6):
        buffer.store(**transition(i, 1))
    assert len(buffer) == 4 and buffer.total == 6
    np.testing.assert_array_equal(buffer.data["rew"][0], [4, 5, 2, 3])


def test_many_envs_wrap_around():
    buffer = ReplayBuffer(2, 1, capacity=4)
    for i in range(0, 9, 3):
        buffer.store(**transition(i, 3))
    np.testing.assert_array_equal(buffer.data["rew"][0], [8, 5, 6, 7])
    np.testing.assert_array_equal(buffer.data["obs2"][0, :, 1], [9, 6, 7, 8])


def test_sample_keeps_fields_together_and_ignores_empty_rows():
    buffer = ReplayBuffer(2, 1, capacity=100)
    buffer.store(**transition(1, 7))
    batch, _ = buffer.sample(3, 50, np.random.default_rng(0))
    assert batch.obs.shape == (3, 50, 2) and batch.done.shape == (3, 50)
    assert set(batch.rew.reshape(-1)) == set(range(1, 8))
    np.testing.assert_array_equal(batch.obs[..., 0], batch.rew)
    np.testing.assert_array_equal(batch.obs2[..., 1], batch.rew + 1)
    np.testing.assert_array_equal(batch.done, batch.rew % 2)


def test_sample_is_uniform():
    buffer = ReplayBuffer(1, 1, capacity=10)
    buffer.store(**transition(0, 10, 1))
    picks = buffer.sample(100, 100, np.random.default_rng(1))[0].rew.astype(int)
    counts = np.bincount(picks.reshape(-1), minlength=10)
    assert (
        np.square(counts - 1000).sum() / 1000 < 27.9
    )  # chi-squared, 9 degrees of freedom, p = 0.001


def test_tasks_keep_apart():
    buffer = ReplayBuffer(2, 1, capacity=6, batch_dims=(3,))
    for i in range(4):
        values = transition(0, 6)  # two envs for each of three tasks
        values["rew"] = np.repeat([0, 10, 20], 2) + np.float32(i)
        buffer.store(**values)
    batch, _ = buffer.sample(5, 8, np.random.default_rng(0))
    assert batch.obs.shape == (5, 3, 8, 2) and batch.rew.shape == (5, 3, 8)
    for task in range(3):
        assert (batch.rew[:, task] // 10 == task).all()


@pytest.mark.parametrize("batch_dims", [(), (2,)])
def test_rows_round_trip_past_the_end(batch_dims):
    buffer, copy = (ReplayBuffer(2, 1, 5, batch_dims) for _ in range(2))
    for i in range(8):
        buffer.store(**transition(10 * i, 2 if batch_dims else 1))
    copy.put_rows(3, buffer.rows(3, 8))
    for key, array in buffer.data.items():
        np.testing.assert_array_equal(copy.data[key], array)


def test_a_large_buffer_costs_nothing_until_filled():
    resident = lambda: int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    before = resident()
    buffer = ReplayBuffer(500, 10, capacity=1_000_000)  # 4 GB when full
    buffer.store(**transition(0, 1, 500, 10))
    assert len(buffer) == 1 and resident() - before < 50e6
