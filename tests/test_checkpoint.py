"""Checkpoints: whole, atomic, without pickle, cheap, and forgiving of damage."""

import errno
import os

import numpy as np
import pytest

from rl import files
from rl.buffers.replay import ReplayBuffer
from rl.config import UserError
from rl.files import load_tree, save_tree
from rl.training.checkpoint import Checkpoints
from tests.helpers_buffers import flat_spec

TREE = {
    "step": 3,
    "big": 2**100,
    "none": None,
    "nested": {
        "array": np.arange(3.0),
        "list": [np.zeros((2, 2), np.float32), {"flag": True}],
        "name": "x",
    },
    "inf": float("-inf"),
    "numpy": np.float32(0.5),
}


def fill(buffer, count):
    for _ in range(count):
        n = np.full((1, 1), buffer.total, np.float32)
        buffer.store(obs=n, act=n, rew=n[:, 0], obs2=n, done=0 * n[:, 0], end=0 * n[:, 0])


def make(tmp_path, capacity=10, **options):
    return Checkpoints(tmp_path, **options), ReplayBuffer(flat_spec(1, 1), capacity)


def reload(tmp_path, capacity=10):
    checkpoints, buffer = make(tmp_path, capacity)
    return checkpoints.load(buffer), buffer


def test_tree_round_trip(tmp_path):
    save_tree(tmp_path / "t.npz", TREE)
    loaded = load_tree(tmp_path / "t.npz")
    assert (loaded["step"], loaded["big"], loaded["none"], loaded["inf"]) == (
        3,
        2**100,
        None,
        -np.inf,
    )
    assert loaded["nested"]["name"] == "x" and loaded["nested"]["list"][1] == {"flag": True}
    assert loaded["nested"]["list"][0].dtype == np.float32 and loaded["numpy"] == 0.5
    np.testing.assert_array_equal(loaded["nested"]["array"], [0, 1, 2])


def test_nothing_is_pickled(tmp_path):
    with pytest.raises(TypeError, match="pickle"):
        save_tree(tmp_path / "t.npz", {"a": np.array([object()])})
    with pytest.raises(TypeError):
        save_tree(tmp_path / "t.npz", {"a": {1, 2}})
    np.savez(tmp_path / "evil.npz", json=np.array([object()], object))
    with pytest.raises(ValueError, match="pickle"):
        load_tree(tmp_path / "evil.npz")
    assert not (tmp_path / "t.npz").exists()


def test_ring_survives_many_checkpoints(tmp_path):
    checkpoints, buffer = make(tmp_path)
    for step in range(1, 8):
        fill(buffer, 4)
        checkpoints.save(step, {"x": step}, buffer, best=False)
        state, loaded = reload(tmp_path)
        assert state["x"] == step and loaded.total == buffer.total
        np.testing.assert_array_equal(loaded.data["rew"], buffer.data["rew"])


def test_a_checkpoint_writes_only_what_is_new(tmp_path):
    checkpoints, buffer = make(tmp_path, capacity=100_000)
    fill(buffer, 20_000)
    checkpoints.save(1, {}, buffer, best=False)
    fill(buffer, 10)
    checkpoints.save(2, {}, buffer, best=False)
    sizes = {p.name: p.stat().st_size for p in (tmp_path / "checkpoints").glob("replay_*")}
    assert (
        sizes["replay_000000000_000020000.npz"] > 300_000
        and sizes["replay_000020000_000020010.npz"] < 5000
    )


def test_more_new_transitions_than_the_ring_holds(tmp_path):
    checkpoints, buffer = make(tmp_path)
    fill(buffer, 35)
    checkpoints.save(1, {}, buffer, best=False)
    _, loaded = reload(tmp_path)
    np.testing.assert_array_equal(loaded.data["rew"], buffer.data["rew"])


def test_keeps_the_newest_and_the_best(tmp_path):
    checkpoints, buffer = make(tmp_path, keep=3)
    for step in range(1, 10):
        fill(buffer, 5)
        checkpoints.save(step, {"x": step}, buffer, best=step == 2)
    assert checkpoints.steps() == [7, 8, 9]
    assert load_tree(tmp_path / "checkpoints" / "best.npz")["x"] == 2
    kept = sorted(p.name for p in (tmp_path / "checkpoints").glob("replay_*"))
    assert (
        kept[0] == "replay_000000025_000000030.npz"
    )  # the oldest kept checkpoint has 35, of which 25 to 35 count


def test_the_best_is_there_before_a_checkpoint_says_so(tmp_path, monkeypatch):
    """Killed in between, the run goes on from before it, and finds it once more."""
    checkpoints, buffer = make(tmp_path)
    checkpoints.save(1, {"best": 1}, buffer, best=True)

    def die(path, write):
        raise KeyboardInterrupt(path, write)

    with monkeypatch.context() as patch:
        patch.setattr("rl.training.checkpoint.write_atomically", die)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(2, {"best": 2}, buffer, best=True)
    assert checkpoints.steps() == [1]
    assert load_tree(tmp_path / "checkpoints" / "best.npz")["best"] == 2
    checkpoints.save(2, {"best": 2}, buffer, best=True)
    folder = tmp_path / "checkpoints"
    assert (folder / "best.npz").read_bytes() == checkpoints.path(2).read_bytes()


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "segment"])
def test_a_torn_checkpoint_is_passed_over(tmp_path, damage, capsys):
    checkpoints, buffer = make(tmp_path)
    for step in (1, 2):
        fill(buffer, 4)
        checkpoints.save(step, {"x": step, "pad": np.arange(1000.0)}, buffer, best=False)
    folder = tmp_path / "checkpoints"
    victim = folder / (
        "replay_000000004_000000008.npz" if damage == "segment" else "step_000000002.npz"
    )
    data = bytearray(victim.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
    victim.write_bytes(
        data[: {"cut": len(data) // 2, "flip": len(data), "empty": 0, "segment": 50}[damage]]
    )
    state, loaded = reload(tmp_path)
    assert state["x"] == 1 and loaded.total == 4
    assert "step 2 is damaged" in capsys.readouterr().out
    assert Checkpoints(tmp_path).steps() == [
        1
    ]  # set aside, so that pruning never keeps it in place of a sound one


def test_all_checkpoints_damaged_is_said_and_changes_nothing(tmp_path):
    checkpoints, buffer = make(tmp_path)
    for step in (1, 2):
        fill(buffer, 4)
        checkpoints.save(step, {"x": step}, buffer, best=False)
    (tmp_path / "checkpoints" / "replay_000000000_000000004.npz").write_bytes(b"")
    with pytest.raises(UserError, match="no checkpoint"):
        reload(tmp_path)
    assert Checkpoints(tmp_path).steps() == [1, 2]


def test_no_checkpoint_at_all(tmp_path):
    assert reload(tmp_path)[0] is None


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch, moment):
    checkpoints, buffer = make(tmp_path)
    fill(buffer, 4)
    checkpoints.save(1, {"x": 1}, buffer, best=True)
    fill(buffer, 4)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, moment, full)
    with pytest.raises(OSError):
        checkpoints.save(2, {"x": 2}, buffer, best=True)
    monkeypatch.undo()
    assert not list((tmp_path / "checkpoints").glob("*.tmp"))
    assert (
        reload(tmp_path)[0]["x"] == 1 and load_tree(tmp_path / "checkpoints" / "best.npz")["x"] == 1
    )
    checkpoints.save(2, {"x": 2}, buffer, best=False)
    assert reload(tmp_path)[0]["x"] == 2
