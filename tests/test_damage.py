"""Run directories that somebody else has damaged, or prepared: nothing is lost, hangs, or leads
out."""

import io
import itertools
import json
import os
import shutil
import struct
import zipfile

import numpy as np
import pytest

from rl.__main__ import main
from rl.buffers.replay import ReplayBuffer
from rl.config import UserError
from rl.experiments.build import make_loop
from rl.experiments.plots.runs import find_runs
from rl.experiments.rundir import load_config
from rl.files import Damaged, check_tree, load_tree, read_bytes, save_tree, write_atomically
from rl.logging import Board, EpochLogger
from rl.splitting.maps import load_maps
from rl.training import restore
from rl.training.checkpoint import Checkpoints
from tests.helpers import (
    column,
    refused,
    rows,
    train,
)

TREE = {"x": 3, "pad": np.arange(1000.0)}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run of three epochs, of which every checkpoint is there."""
    return train(tmp_path_factory.mktemp("trained"), "--keep", "9")


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it."""
    return shutil.copytree(trained, tmp_path / "x_s0")


def files(directory):
    """Relative path -> content of every file."""
    found = (path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(directory): path.read_bytes() for path in found}


def plant(path, kind, outside):
    """Puts something at `path` that is no file or folder of the run's own."""
    if path.is_dir() and not path.is_symlink():
        shutil.move(path, outside)
    elif path.exists():
        path.rename(outside)
    if kind == "link":
        path.symlink_to(outside)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()


# What is no file of the run's own ---------------------------------------------


FILES = ["config.json", "progress.txt", "checkpoints/step_000000600.npz"]
FOLDERS = ["checkpoints", "tb"]


@pytest.mark.parametrize(
    "name, kind",
    [
        *itertools.product(FILES, ["link", "pipe", "device", "folder"]),
        *itertools.product(FOLDERS, ["link", "pipe", "device"]),
    ],
)
def test_resume_refuses_what_is_no_file(run, tmp_path, capsys, name, kind):
    values = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(values | {"tensorboard": True}))
    outside = tmp_path / "outside"
    plant(run / name, kind, outside)
    before = files(tmp_path)
    assert str(run / name) in refused(capsys, "resume", run, "--epochs", "4")
    assert files(tmp_path) == before


@pytest.mark.parametrize("kind", ["link", "pipe"])
@pytest.mark.parametrize("name", ["config.json", "checkpoints/step_000000600.npz", "checkpoints"])
def test_eval_refuses_what_is_no_file(run, tmp_path, capsys, name, kind):
    plant(run / name, kind, tmp_path / "outside")
    assert str(run / name) in refused(capsys, "eval", run, "--episodes", "1")


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
@pytest.mark.parametrize("name", ["config.json", "progress.txt"])
def test_plot_refuses_what_is_no_file(run, tmp_path, name, kind):
    plant(run / name, kind, tmp_path / "outside")
    with pytest.raises(UserError, match=f"{name} is not a regular file"):
        find_runs([str(run)])


def test_maps_are_not_read_through_a_link_of_the_run(tmp_path):
    maps = {"networks": {"LossPi": {"maps": [[0, 1]]}}}
    (tmp_path / "maps.json").write_text(json.dumps(maps))
    (tmp_path / "mine.json").symlink_to(tmp_path / "maps.json")
    assert load_maps(str(tmp_path / "mine.json"), ["LossPi"]) == {"LossPi": [[0, 1]]}
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "splits.json").symlink_to(tmp_path / "maps.json")
    with pytest.raises(UserError, match="not a regular file"):
        load_maps(str(tmp_path / "run"), ["LossPi"])


def test_a_board_writes_nothing_through_a_link(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "tb").symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match="tb is not a folder"):
        Board(tmp_path)


def test_overwrite_removes_links_and_not_what_they_lead_to(run, tmp_path):
    data = tmp_path / "data" / "x"
    data.mkdir(parents=True)
    shutil.move(run, data / "x_s0")
    run = data / "x_s0"
    outside = tmp_path / "outside"
    plant(run / "progress.txt", "link", outside)
    before = outside.read_bytes()
    train(tmp_path / "data", "--epochs", "1", "--overwrite")
    assert outside.read_bytes() == before
    assert column(run, "Epoch") == [1] and not (run / "progress.txt").is_symlink()


@pytest.mark.parametrize("kind", ["link", "file", "pipe"])
def test_a_temporary_file_is_made_anew(tmp_path, kind):
    outside = tmp_path / "outside"
    outside.write_text("precious")
    temporary = tmp_path / "config.json.tmp"
    if kind == "link":
        temporary.symlink_to(outside)
    elif kind == "pipe":
        os.mkfifo(temporary)
    else:
        temporary.write_text("of a killed process")
    write_atomically(tmp_path / "config.json", lambda file: file.write(b"new"))
    assert (tmp_path / "config.json").read_bytes() == b"new"
    assert outside.read_text() == "precious" and not temporary.exists()


def test_rows_are_not_appended_through_a_link(tmp_path):
    logger = EpochLogger(tmp_path, {"Epoch": "value"})
    (tmp_path / "progress.txt").symlink_to(tmp_path / "outside")
    with pytest.raises(UserError, match="progress.txt is not a regular file"):
        logger.dump(Epoch=1)
    assert not (tmp_path / "outside").exists()


def test_what_may_not_be_read_is_named(tmp_path, monkeypatch):
    save_tree(tmp_path / "t.npz", TREE)
    (tmp_path / "t.npz").chmod(0)

    def forbidden(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("rl.files.os.open", forbidden)  # root may read all
    with pytest.raises(UserError, match="cannot read .*t.npz: Permission denied"):
        load_tree(tmp_path / "t.npz")


# Rows -------------------------------------------------------------------------

DAMAGES = {
    "deleted": lambda path: path.unlink(),
    "cut": lambda path: os.truncate(path, 40),
    "empty": lambda path: path.write_bytes(b""),
    "edited": lambda path: path.write_bytes(path.read_bytes().replace(b"2", b"7")),
    "shortened": lambda path: path.write_bytes(path.read_bytes()[5:]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_rows_are_restored(tmp_path, capsys, damage):
    logger = EpochLogger(tmp_path, {"Epoch": "value", "LossQ": "mean"})
    for epoch in range(1, 5):
        logger.dump(Epoch=epoch)
    logger.saved()
    logger.dump(Epoch=5)
    wanted = (tmp_path / "progress.txt").read_text()
    state = logger.state()
    logger.saved()
    logger.dump(Epoch=6)
    DAMAGES[damage](tmp_path / "progress.txt")
    again = EpochLogger(tmp_path, {"Epoch": "value", "LossQ": "mean"})
    again.load_state(state)
    assert (tmp_path / "progress.txt").read_text() == wanted
    assert (tmp_path / "saved.txt").read_text() == wanted
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and "progress.txt is not as the checkpoint knows it" in out


def test_rows_of_a_run_are_restored(run, tmp_path, capsys):
    """The directory itself may be a link: users do that."""
    before = rows(run)
    os.truncate(run / "progress.txt", 40)
    (tmp_path / "mine").symlink_to(run)
    assert main(["resume", str(tmp_path / "mine"), "--epochs", "4"]) == 0
    assert "progress.txt is not as the checkpoint knows it" in capsys.readouterr().out
    assert rows(run)[:4] == before and column(run, "Epoch") == [1, 2, 3, 4]


def test_rows_that_are_lost_are_said(run, capsys):
    for name in ("progress.txt", "saved.txt"):
        DAMAGES["edited"](run / name)
    before = files(run)
    error = refused(capsys, "resume", run, "--epochs", "4")
    assert "progress.txt is not as the checkpoint knows it" in error and files(run) == before


@pytest.mark.parametrize(
    "damage", [os.unlink, lambda path: os.truncate(path, 4)], ids=["deleted", "cut"]
)
def test_rows_are_restored_while_a_run_goes_on(tmp_path, damage, capsys):
    logger = EpochLogger(tmp_path, {"Epoch": "value"})
    for epoch in (10, 11, 12, 13):
        logger.dump(Epoch=epoch)
    logger.saved()
    for name in ("progress.txt", "saved.txt"):
        damage(tmp_path / name)
    logger.dump(Epoch=14)
    logger.saved()
    wanted = "Epoch\n10\n11\n12\n13\n14\n"
    assert (tmp_path / "progress.txt").read_text() == wanted
    assert (tmp_path / "saved.txt").read_text() == wanted
    assert "was changed by somebody else" in capsys.readouterr().out


def test_rows_after_a_kill_between_the_checkpoint_and_their_copy(tmp_path):
    logger = EpochLogger(tmp_path, {"Epoch": "value"})
    logger.dump(Epoch=1)
    logger.saved()
    logger.dump(Epoch=2)
    state = logger.state()
    again = EpochLogger(tmp_path, {"Epoch": "value"})
    again.load_state(state)
    again.dump(Epoch=3)
    again.saved()
    assert (tmp_path / "saved.txt").read_text() == "Epoch\n1\n2\n3\n"


# Checkpoints ------------------------------------------------------------------


@pytest.mark.parametrize("how", ["folder", "files", "all"])
def test_a_run_without_its_checkpoints_is_refused(run, capsys, how):
    if how == "folder":
        shutil.rmtree(run / "checkpoints")
    for path in (run / "checkpoints").glob("*" if how == "all" else "*.npz"):
        path.unlink()
    before = files(run)
    assert "they are gone" in refused(capsys, "resume", run, "--epochs", "4")
    assert files(run) == before


def test_a_run_killed_before_its_first_checkpoint_starts_anew(tmp_path):
    logger = EpochLogger(tmp_path, {"Epoch": "value"})
    logger.dump(Epoch=1)
    logger.table.clear()
    assert not (tmp_path / "progress.txt").exists()


def test_a_finished_run_says_that_its_last_checkpoint_is_damaged(run, capsys):
    wanted = rows(run)
    path = run / "checkpoints" / "step_000000600.npz"
    path.write_bytes(path.read_bytes()[:-100])
    assert main(["resume", str(run)]) == 0
    assert "checkpoint at step 600 is damaged" in capsys.readouterr().out
    assert rows(run) == wanted and path.exists()
    assert "already has 600 of 600" in refused(capsys, "resume", run)


def npz(entries, compression=zipfile.ZIP_STORED):
    """A ZIP file of these entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(shape, descr="<f8"):
    """An NPY file that claims to be of a shape, with one number in it."""
    text = str({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(8)


def tree(text, **arrays):
    return npz({"json.npy": npy(np.frombuffer(text.encode("latin1"), np.uint8)), **arrays})


def patched(content, place, offset, value):
    """ZIP content with the 16 bits at `offset` of its first record of a kind replaced."""
    start = content.index(place) + offset
    return content[:start] + struct.pack("<H", value) + content[start + 2 :]


WHOLE = tree('{"x": 1}')
FORGED = {
    "not a zip": b"no zip",
    "empty": b"",
    "unknown compression": patched(WHOLE, b"PK\x01\x02", 10, 77),
    "encrypted": patched(WHOLE, b"PK\x01\x02", 8, 1),
    "compressed": npz({"json.npy": npy(np.zeros(10**6, np.uint8))}, zipfile.ZIP_DEFLATED),
    "huge shape": tree("{}", **{"a.npy": header((10**15,))}),
    "negative shape": tree("{}", **{"a.npy": header((-1, -1))}),
    "shape that overflows": tree("{}", **{"a.npy": header((2**62, 2**62))}),
    "too little": tree("{}", **{"a.npy": npy(np.zeros(9))[:-8]}),
    "too much": tree("{}", **{"a.npy": npy(np.zeros(9)) + b"more"}),
    "no header": tree("{}", **{"a.npy": b"\x93NUMPY\x01\x00\xff\xff{"}),
    "unknown dtype": tree("{}", **{"a.npy": header((1,), "zz9")}),
    "object dtype": tree("{}", **{"a.npy": header((1,), "|O")}),
    "new format": tree("{}", **{"a.npy": b"\x93NUMPY\x09\x00" + bytes(64)}),
    "no json": npz({"a.npy": npy(np.zeros(2))}),
    "half json": tree('{"x": 1'),
    "no utf-8": tree('{"x": "\xff"}'),
    "deep json": tree("[" * 100_000),
    "deep tree": tree('{"a":' * 900 + "1" + "}" * 900),
    "list": tree("[1, 2]"),
    "number": tree("7"),
    "missing array": tree('{"x": {"__array__": "b"}}'),
    "array with a list for a name": tree('{"x": {"__array__": [1]}}'),
    "json of floats": npz({"json.npy": npy(np.zeros(3))}),
    "without axes": npz({"json.npy": npy(np.float64(1))}),
    "sound, but another step's": WHOLE,
}


@pytest.mark.parametrize("forged", FORGED)
def test_any_damage_falls_back_to_the_checkpoint_before(tmp_path, forged, capsys):
    checkpoints, buffer = Checkpoints(tmp_path), ReplayBuffer(1, 1, 10)
    for step in (1, 2):
        checkpoints.save(step, {"x": step}, buffer, best=False)
    checkpoints.path(2).write_bytes(FORGED[forged])
    assert Checkpoints(tmp_path).load(buffer)["x"] == 1
    assert "step 2 is damaged" in capsys.readouterr().out


def test_every_byte_of_a_file_is_checked(tmp_path):
    """Whichever byte flips, the tree is the one that was saved, or is refused."""
    path = tmp_path / "t.npz"
    save_tree(path, {"x": 3, "a": np.arange(3.0)})
    whole = path.read_bytes()
    found = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            loaded = load_tree(path)
        except Damaged:
            found += 1
            continue
        assert loaded["x"] == 3 and loaded["a"].tolist() == [0, 1, 2]
    assert found > 0.5 * len(whole)


def test_no_more_memory_than_the_file_has(tmp_path, monkeypatch):
    """A header may claim what it likes: nothing is read by it before its size was compared."""
    (tmp_path / "t.npz").write_bytes(npz({"a.npy": header((10**15,))}))
    monkeypatch.setattr(np.lib.format, "read_array", None)
    with pytest.raises(Damaged, match="doesn't fill its entry"):
        load_tree(tmp_path / "t.npz")


@pytest.mark.parametrize(
    "key, value",
    [
        ("array", np.zeros((3, 2))),
        ("array", np.zeros((2, 3), np.float32)),
        ("array", [[0.0] * 3] * 2),
        ("array", 0.0),
        ("list", [1.0]),
        ("list", {}),
        ("number", "1"),
        ("number", 1.5),
        ("flag", 1),
        ("none_such", 1),
    ],
)
def test_a_tree_that_differs_is_told(key, value):
    like = {"array": np.zeros((2, 3)), "list": [1.0, 2.0], "number": 1, "flag": True, "any": None}
    check_tree(like | {"any": "thing"}, like)
    with pytest.raises(Damaged, match="state"):
        check_tree(like | {key: value}, like)


def test_lengths_that_vary(tmp_path):
    like = {"rows": np.zeros((0, 3)), "events": [], "scalar": np.zeros(())}
    check_tree({"rows": np.zeros((5, 3)), "events": [1, {}], "scalar": 2.0}, like, ("state",))
    with pytest.raises(Damaged, match="state/rows"):
        check_tree({"rows": np.zeros(5), "events": [], "scalar": 2.0}, like, ("state/rows",))


@pytest.mark.parametrize("change", ["shape", "dtype", "fewer", "rng"])
def test_a_state_that_does_not_fit_changes_nothing(run, monkeypatch, change, capsys):
    """The run goes on from the checkpoint before, as if the last one had never been."""
    path = run / "checkpoints" / "step_000000600.npz"
    state = load_tree(path)
    actor = state["algo"]["variables"]["actor"]
    if change == "shape":
        actor[-1] = np.zeros(7, np.float32)
    elif change == "dtype":
        actor[-1] = actor[-1].astype(np.float64)
    elif change == "fewer":
        actor.pop()
    else:
        state["loop"]["rng"] = {"bit_generator": "PCG64"}
    save_tree(path, state)
    loop = make_loop(load_config(run), run)
    put_back = []
    monkeypatch.setattr(loop.session.algo, "load_state", put_back.append)
    restore(loop)
    assert loop.step == 400 and len(put_back) == 1
    assert "checkpoint at step 600 is damaged (state/" in capsys.readouterr().out


def test_eval_passes_over_a_state_that_does_not_fit(run, capsys):
    path = run / "checkpoints" / "step_000000600.npz"
    state = load_tree(path)
    state["algo"]["variables"]["actor"][-1] = np.zeros(7, np.float32)
    save_tree(path, state)
    capsys.readouterr()
    assert main(["eval", str(run), "--episodes", "1"]) == 0
    out, error = capsys.readouterr()
    assert json.loads(out)["step"] == 400 and "using step_000000400.npz" in error
    assert "no sound checkpoint '600' (state/algo/variables/actor" in refused(
        capsys, "eval", run, "--checkpoint", "600"
    )


@pytest.mark.parametrize("change", ["shape", "dtype", "missing"])
def test_a_replay_that_does_not_fit_is_passed_over(tmp_path, change, capsys):
    checkpoints, buffer = Checkpoints(tmp_path), ReplayBuffer(1, 1, 10)
    for step in (1, 2):
        row = np.full((2, 1), step, np.float32)
        buffer.store(obs=row, act=row, rew=row[:, 0], obs2=row, done=[0, 0], end=[0, 0])
        checkpoints.save(step, {"x": step}, buffer, best=False)
    path = tmp_path / "checkpoints" / "replay_000000002_000000004.npz"
    segment = load_tree(path)
    if change == "missing":
        del segment["obs"]
    else:
        segment["obs"] = segment["obs"][:, :1] if change == "shape" else segment["obs"].astype(int)
    save_tree(path, segment)
    copy = ReplayBuffer(1, 1, 10)
    assert Checkpoints(tmp_path).load(copy)["x"] == 1 and copy.total == 2
    assert "obs is not float32" in capsys.readouterr().out


def test_transitions_of_a_killed_process_are_not_mixed_in(tmp_path):
    """It had stored 4 more when it was killed; the run went on by 2, then by 2."""
    checkpoints, buffer = Checkpoints(tmp_path), ReplayBuffer(1, 1, 20)

    def store(count, value):
        row = np.full((count, 1), value, np.float32)
        end = np.zeros(count)
        buffer.store(obs=row, act=row, rew=row[:, 0], obs2=row, done=end, end=end)

    store(4, 1.0)
    checkpoints.save(1, {}, buffer, best=False)
    save_tree(tmp_path / "checkpoints" / "replay_000000004_000000008.npz", buffer.rows(0, 4))
    for step in (2, 3):
        store(2, 5.0)
        checkpoints.save(step, {}, buffer, best=False)
    copy = ReplayBuffer(1, 1, 20)
    Checkpoints(tmp_path).load(copy)
    np.testing.assert_array_equal(copy.data["rew"], buffer.data["rew"])


def test_odd_names_are_ignored(tmp_path):
    checkpoints, buffer = Checkpoints(tmp_path), ReplayBuffer(1, 1, 10)
    checkpoints.save(1, {"x": 1}, buffer, best=False)
    sound = checkpoints.path(1).read_bytes()
    for name in (
        "step_99999999999999999999.npz",
        "step_0000000000002.npz",
        "step_2.npz",
        "step_-00000002.npz",
        "step_000000002.npz.tmp",
        "step_٠٠٠٠٠٠٠٠٢.npz",
        "replay_99999999999999999999_99999999999999999999.npz",
    ):
        (tmp_path / "checkpoints" / name).write_bytes(sound)
    assert Checkpoints(tmp_path).steps() == [1]
    assert Checkpoints(tmp_path).load(buffer)["x"] == 1


def test_a_checkpoint_under_another_name_is_not_of_that_step(tmp_path, capsys):
    checkpoints, buffer = Checkpoints(tmp_path), ReplayBuffer(1, 1, 10)
    checkpoints.save(1, {"x": 1}, buffer, best=False)
    shutil.copy(checkpoints.path(1), checkpoints.path(999_999_999))
    assert Checkpoints(tmp_path).load(buffer)["x"] == 1
    assert "step 999999999 is damaged (it is not of step" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_a_checkpoint_that_is_no_file(tmp_path, kind):
    checkpoints, buffer = Checkpoints(tmp_path), ReplayBuffer(1, 1, 10)
    checkpoints.save(1, {"x": 1}, buffer, best=False)
    plant(checkpoints.path(1), kind, tmp_path / "outside")
    with pytest.raises(UserError, match="step_000000001.npz is not a regular file"):
        Checkpoints(tmp_path).load(buffer)


def test_pruning_opens_no_checkpoint(tmp_path):
    """The oldest one may be damaged: what is dropped follows from the others."""
    checkpoints, buffer = Checkpoints(tmp_path, keep=3), ReplayBuffer(1, 1, 4)
    row = np.zeros((4, 1), np.float32)
    for step in range(1, 7):
        for path in (tmp_path / "checkpoints").glob("step_*.npz"):
            path.write_bytes(b"damaged")
        buffer.store(obs=row, act=row, rew=row[:, 0], obs2=row, done=row[:, 0], end=row[:, 0])
        checkpoints.save(step, {"x": step}, buffer, best=False)
    segments = sorted(path.name for path in (tmp_path / "checkpoints").glob("replay_*"))
    assert checkpoints.steps() == [4, 5, 6]
    assert segments[0] == "replay_000000012_000000016.npz"  # what the checkpoint at 4 needs
    again = Checkpoints(tmp_path, keep=3)
    assert again.load(buffer)["x"] == 6
    buffer.store(obs=row, act=row, rew=row[:, 0], obs2=row, done=row[:, 0], end=row[:, 0])
    again.save(7, {"x": 7}, buffer, best=False)
    assert not (tmp_path / "checkpoints" / segments[0]).exists()


def test_reading_a_pipe_does_not_wait(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe is not a regular file"):
        read_bytes(tmp_path / "pipe")


def test_an_array_that_was_replaced_is_told(tmp_path):
    """The file is whole, and the array of the right kind, but it isn't what was written."""
    path = tmp_path / "tree.npz"
    save_tree(path, TREE)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["/pad"] = arrays["/pad"] + 1
    np.savez(path, **arrays)
    with pytest.raises(Damaged, match="/pad is not what was written"):
        load_tree(path)
