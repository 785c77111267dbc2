"""Replay: a ring with a task axis."""

import dataclasses
import resource
from pathlib import Path

import numpy as np
import pytest

from rl.buffers import PrioritisedReplay, ReplayBuffer, Rollout, VisitedReplay
from rl.files import load_tree, save_tree
from rl.spec import Field
from rl.training import checkpoint
from rl.training.checkpoint import Checkpoints
from tests.helpers_buffers import flat_spec, transition


def test_ring_forgets_the_oldest():
    buffer = ReplayBuffer(flat_spec(2, 1), capacity=4)
    for i in range(6):
        buffer.store(**transition(i, 1))
    assert len(buffer) == 4 and buffer.total == 6
    np.testing.assert_array_equal(buffer.data["rew"][0], [4, 5, 2, 3])


def test_many_envs_wrap_around():
    buffer = ReplayBuffer(flat_spec(2, 1), capacity=4)
    for i in range(0, 9, 3):
        buffer.store(**transition(i, 3))
    np.testing.assert_array_equal(buffer.data["rew"][0], [8, 5, 6, 7])
    np.testing.assert_array_equal(buffer.data["obs2"][0, :, 1], [9, 6, 7, 8])


def test_sample_keeps_fields_together_and_ignores_empty_rows():
    buffer = ReplayBuffer(flat_spec(2, 1), capacity=100)
    buffer.store(**transition(1, 7))
    batch, _ = buffer.sample(3, 50, np.random.default_rng(0))
    assert batch.obs.shape == (3, 50, 2) and batch.done.shape == (3, 50)
    assert set(batch.rew.reshape(-1)) == set(range(1, 8))
    np.testing.assert_array_equal(batch.obs[..., 0], batch.rew)
    np.testing.assert_array_equal(batch.obs2[..., 1], batch.rew + 1)
    np.testing.assert_array_equal(batch.done, batch.rew % 2)


def test_sample_is_uniform():
    buffer = ReplayBuffer(flat_spec(1, 1), capacity=10)
    buffer.store(**transition(0, 10, 1))
    picks = buffer.sample(100, 100, np.random.default_rng(1))[0].rew.astype(int)
    counts = np.bincount(picks.reshape(-1), minlength=10)
    assert (
        np.square(counts - 1000).sum() / 1000 < 27.9
    )  # chi-squared, 9 degrees of freedom, p = 0.001


def test_tasks_keep_apart():
    buffer = ReplayBuffer(flat_spec(2, 1, num_tasks=3), capacity=6)
    for i in range(4):
        values = transition(0, 6)  # two envs for each of three tasks
        values["rew"] = np.repeat([0, 10, 20], 2) + np.float32(i)
        buffer.store(**values)
    batch, _ = buffer.sample(5, 8, np.random.default_rng(0))
    assert batch.obs.shape == (5, 3, 8, 2) and batch.rew.shape == (5, 3, 8)
    for task in range(3):
        assert (batch.rew[:, task] // 10 == task).all()


@pytest.mark.parametrize("num_tasks", [0, 2])
def test_rows_round_trip_past_the_end(num_tasks):
    buffer, copy = (ReplayBuffer(flat_spec(2, 1, num_tasks), 5) for _ in range(2))
    for i in range(8):
        buffer.store(**transition(10 * i, 2 if num_tasks else 1))
    copy.put_rows(3, buffer.rows(3, 8))
    for key, array in buffer.data.items():
        np.testing.assert_array_equal(copy.data[key], array)


def test_a_large_buffer_costs_nothing_until_filled():
    resident = lambda: int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    before = resident()
    buffer = ReplayBuffer(flat_spec(500, 10), capacity=1_000_000)  # 4 GB when full
    buffer.store(**transition(0, 1, 500, 10))
    assert len(buffer) == 1 and resident() - before < 50e6


# Images: what a step led to is stored once -----------------------------------------


def image_spec(num_tasks=None):
    return dataclasses.replace(flat_spec(24, 1, num_tasks), obs=Field((2, 3, 4), "uint8"))


KINDS = {"uniform": ReplayBuffer, "prioritised": PrioritisedReplay, "visited": VisitedReplay}


def twins(kind, num_tasks, capacity, **options):
    """Replay of images, and replay of the same observations flat."""
    specs = (image_spec(num_tasks), flat_spec(24, 1, num_tasks))
    return [KINDS[kind](spec, capacity, **options) for spec in specs]


def live(buffers, steps, envs, kind, rng, obs=None, cuts=()):
    """Steps of random episodes from `obs` on, into all of `buffers`; `cut` after those of `cuts`.
    Returns the last observations."""
    obs = rng.integers(0, 256, (envs, 24), np.uint8) if obs is None else obs
    for step in range(steps):
        obs2 = rng.integers(0, 256, (envs, 24), np.uint8)
        done = rng.random(envs) < 0.15
        end = done | (rng.random(envs) < 0.15)
        row = {"act": rng.normal(size=(envs, 1)), "rew": rng.normal(size=envs)}
        row |= {"done": done, "end": end}
        if kind == "visited":
            row["task"] = rng.integers(0, 2, envs)
        for buffer in buffers:
            shape = (envs, *buffer.spec.obs.shape)
            buffer.store(obs=obs.reshape(shape), obs2=obs2.reshape(shape), **row)
        over = end | (step in cuts)
        obs = np.where(over[:, None], rng.integers(0, 256, (envs, 24), np.uint8), obs2)
        if step in cuts:
            for buffer in buffers:
                buffer.cut()
    return obs


def same_batches(images, flat):
    batch, rows = images.sample(3, 40, np.random.default_rng(1))
    wanted, wanted_rows = flat.sample(3, 40, np.random.default_rng(1))
    np.testing.assert_array_equal(rows, wanted_rows)
    for values, wanted_values in zip(batch, wanted):
        np.testing.assert_array_equal(values.reshape(wanted_values.shape), wanted_values)
    assert batch.obs.dtype == batch.obs2.dtype == np.uint8


@pytest.mark.parametrize("n_step", [1, 3])
@pytest.mark.parametrize("num_envs", [1, 3])
@pytest.mark.parametrize(
    "kind, num_tasks", [("uniform", None), ("uniform", 2), ("prioritised", None), ("visited", 2)]
)
def test_images_are_sampled_as_if_stored_twice(kind, num_tasks, num_envs, n_step):
    """Before the ring is full and after it has wrapped around, with ends and cuts."""
    buffers = twins(kind, num_tasks, 31, num_envs=num_envs, n_step=n_step)
    rng = np.random.default_rng(0)
    envs = num_envs if kind == "visited" else num_envs * (num_tasks or 1)
    obs = None
    for _ in range(5):
        obs = live(buffers, 9, envs, kind, rng, obs, cuts=(4,))
        same_batches(*buffers)


@pytest.mark.parametrize("kind, num_tasks", [("uniform", None), ("uniform", 2), ("visited", 2)])
def test_images_survive_checkpoints(tmp_path, monkeypatch, kind, num_tasks):
    """In small files, of which the oldest begins before the ring does."""
    monkeypatch.setattr(checkpoint, "SEGMENT", 7)
    images, flat = twins(kind, num_tasks, 20, num_envs=2)
    rng = np.random.default_rng(0)
    envs = 2 if kind == "visited" else 2 * (num_tasks or 1)
    checkpoints = Checkpoints(tmp_path)
    obs = None
    for step in range(5):
        obs = live([images, flat], 6, envs, kind, rng, obs, cuts=(5,) if step == 2 else ())
        checkpoints.save(step + 1, {"replay": images.state()}, images, best=False)
    copy = KINDS[kind](image_spec(num_tasks), 20, num_envs=2)
    copy.load_state(Checkpoints(tmp_path).load(copy)["replay"])
    same_batches(copy, flat)
    live([copy, flat], 8, envs, kind, rng, obs)  # it goes on alike
    same_batches(copy, flat)


def test_a_segment_of_images_that_lacks_some_is_damaged(tmp_path, capsys):
    images = ReplayBuffer(image_spec(), 20)
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        live([images], 4, 1, "uniform", np.random.default_rng(0))
        checkpoints.save(step, {"x": step}, images, best=False)
    path = tmp_path / "checkpoints" / "replay_000000004_000000008.npz"
    segment = load_tree(path)
    segment["final_obs"] = segment["final_obs"][1:]
    save_tree(path, segment)
    copy = ReplayBuffer(image_spec(), 20)
    assert Checkpoints(tmp_path).load(copy)["x"] == 1 and copy.total == 4
    assert "final_obs is not uint8" in capsys.readouterr().out


def test_segments_of_images_have_fewer_transitions(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SEGMENT_BYTES", 100)  # a transition is 24 + 4 * 4 + 1 bytes
    images = ReplayBuffer(image_spec(), 20)
    live([images], 6, 1, "uniform", np.random.default_rng(0))
    Checkpoints(tmp_path).save(1, {}, images, best=False)
    assert len(list((tmp_path / "checkpoints").glob("replay_*.npz"))) == 3


def test_an_image_takes_its_bytes_once():
    images = ReplayBuffer(image_spec(), 1000)
    live([images], 500, 1, "uniform", np.random.default_rng(0))
    assert images.data["obs"].nbytes == 24_000 and "obs2" not in images.data
    assert images.data["held"].sum() == (images.data["end"] > 0).sum() + (
        images.data["end"][0, 499] == 0
    )


def test_a_rollout_of_images():
    rollout = Rollout(image_spec(), 4, 2)
    for step in range(4):
        obs = np.full((2, 2, 3, 4), step, np.uint8)
        rollout.store(obs=obs, obs2=obs + 1, act=np.ones((2, 1)), rew=[step] * 2)
    data = {name: rollout.flat(rollout.data[name]) for name in ("obs", "act")}
    data |= {"adv": np.arange(8.0), "log_prob": np.zeros(8)}
    batches = rollout.batches(data, rollout.minibatch_order(2, 4, np.random.default_rng(0)))
    assert batches.obs.shape == (4, 4, 2, 3, 4)
    assert batches.obs.dtype == np.uint8
    assert batches.adv.dtype == np.float32
    np.testing.assert_array_equal(batches.obs[..., 0, 0, 0], batches.adv // 2)
