"""Damaged run directories and bad command lines, drawn at random from seeds.

None of them may run code, follow a link, hang, end in a traceback or go on silently wrong.
"""

import contextlib
import dataclasses
import io
import json
import os
import random
import shutil
import signal
import typing
import zipfile
from pathlib import Path

import numpy as np
import pytest

from rl import flags
from rl.__main__ import main
from rl.config import LONGEST
from tests.helpers import command, rows, train

LONG_ENOUGH = 120  # seconds that a command may take; a hang takes all of them
EPOCHS = 3
SLOW, FAST = range(300), range(30)
CASES = [pytest.param(i, marks=[] if i in FAST else [pytest.mark.slow]) for i in SLOW]


def run_command(argv):
    """Exit code and what was written to standard output and error, in at most LONG_ENOUGH."""

    def ring(*_):
        raise TimeoutError("it hangs")

    out, err = io.StringIO(), io.StringIO()
    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(LONG_ENOUGH)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(arg) for arg in argv])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return code, out.getvalue(), err.getvalue()


# Damaged run directories ------------------------------------------------------------


@pytest.fixture(scope="module", name="made")
def fixture_made(tmp_path_factory):
    """Runs by algorithm: as they were stopped, and what they are when they are whole."""
    folder = tmp_path_factory.mktemp("made")
    found = {}
    for algo in ("ddpg", "ppo"):
        # By a schedule over the run, what is extended would depend on when it was.
        given = ("--epochs", EPOCHS - 1, "--obs_norm", "--lr_schedule", "constant")
        stopped = train(folder / algo, *given, algo=algo)
        whole = shutil.copytree(stopped, folder / f"{algo}_whole")
        assert run_command(["resume", whole, "--epochs", EPOCHS])[0] == 0
        scores = {}
        for step in (200, 400):
            code, out, _ = run_command(["eval", stopped, "--episodes", "1", "--checkpoint", step])
            assert code == 0
            scores[step] = json.loads(out)["return_mean"]
        found[algo] = {"stopped": stopped, "rows": rows(whole), "scores": scores}
    return found


def files_of(run):
    """The files of a run that hold its state, sorted."""
    found = [path for path in run.rglob("*") if path.is_file() and "tb" not in path.parts]
    return sorted(found)


def cut(run, outside, rng):
    path = rng.choice(files_of(run))
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size)])


def flip_bits(run, outside, rng):
    path = rng.choice(files_of(run))
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 10, 1000))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def fill_with_noise(run, outside, rng):
    path = rng.choice(files_of(run))
    path.write_bytes(rng.choice((b"", b"\0" * 1000, rng.randbytes(1000))))


def remove(run, outside, rng):
    rng.choice(files_of(run)).unlink()


def remove_folder(run, outside, rng):
    shutil.rmtree(run / "checkpoints")


def put_a_link(run, outside, rng):
    path = rng.choice([*files_of(run), run / "checkpoints"])
    target = outside / path.name
    if path.is_dir():
        shutil.copytree(path, target)
        shutil.rmtree(path)
    else:
        target.write_bytes(path.read_bytes())
        path.unlink()
    path.symlink_to(rng.choice((target, target, "/dev/zero", "/nowhere")))


def put_a_pipe(run, outside, rng):
    path = rng.choice(files_of(run))
    path.unlink()
    os.mkfifo(path)


def put_a_folder(run, outside, rng):
    path = rng.choice(files_of(run))
    path.unlink()
    path.mkdir()


def plant_temporaries(run, outside, rng):
    """Links at the names that files are first written to."""
    for path in [*files_of(run), run / "checkpoints" / "step_000000600.npz"]:
        planted = path.with_name(path.name + ".tmp")
        planted.symlink_to(outside / "sentinel")


def edit_config(run, outside, rng):
    path = run / "config.json"
    config = json.loads(path.read_text())
    name = rng.choice(sorted(config))
    values = [None, True, -1, 0, 3, 10**30, 0.5, float("nan"), "x", "", [], [3], {}, {"x": 1}]
    config[rng.choice((name, name, name, "surprise"))] = rng.choice(values)
    path.write_text(json.dumps(config))


def set_a_trap(run, outside, rng):
    """An env whose module is to be imported, or arguments for its constructor."""
    path = run / "config.json"
    config = json.loads(path.read_text())
    config |= rng.choice(({"env": "trap:Pendulum-v1"}, {"env_kwargs": '{"g": 1}'}))
    path.write_text(json.dumps(config))


def edit_rows(run, outside, rng):
    path = run / "progress.txt"
    lines = path.read_text().splitlines()
    number = rng.randrange(len(lines))
    lines[number] = rng.choice((lines[number][:-1], "\0" * 50, "9\t9", "", lines[0] + "\tmore"))
    path.write_text("\n".join(lines) + rng.choice(("", "\n")))


class Trap:
    """Code that a pickle runs when it is loaded."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (Path.touch, (self.marker,))


def put_a_pickle(run, outside, rng):
    path = rng.choice([path for path in files_of(run) if path.suffix == ".npz"])
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays[rng.choice(sorted(arrays))] = np.array([Trap(outside / "sprung")], dtype=object)
    np.savez(path, **arrays)


def change_an_array(run, outside, rng):
    """Another shape or type, in a file that is whole."""
    path = rng.choice([path for path in files_of(run) if path.suffix == ".npz"])
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    name = rng.choice(sorted(arrays))
    array = arrays[name]
    changed = [array.astype(np.complex64), array[None], array.reshape(-1)[:-1], array.astype("U9")]
    arrays[name] = rng.choice(changed)
    np.savez(path, **arrays)


def forge_an_entry(run, outside, rng):
    """A header that promises a huge array, an entry that is compressed, or JSON without end."""
    path = rng.choice([path for path in files_of(run) if path.suffix == ".npz"])
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    kind = rng.choice(("huge", "compressed", "deep"))
    method = zipfile.ZIP_DEFLATED if kind == "compressed" else zipfile.ZIP_STORED
    name = rng.choice(sorted(entries))
    if kind == "huge":
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "<f4", "fortran_order": False, "shape": (10**12,)}
        )
        entries[name] = header.getvalue()
    elif kind == "deep":
        text = io.BytesIO()
        np.save(text, np.frombuffer(b"[" * 10**6, np.uint8))
        entries["json.npy"] = text.getvalue()
    else:
        entries[name] = b"\0" * 10**7
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def add_odd_files(run, outside, rng):
    names = (
        "step_99999999999999999999.npz",
        "step_000000999.npz",
        "replay_000000000_000000001.npz",
    )
    for name in names:
        (run / "checkpoints" / name).write_bytes(rng.randbytes(10))
    (run / "checkpoints" / "step_000000500.npz").mkdir()


DAMAGES = [
    cut,
    flip_bits,
    fill_with_noise,
    remove,
    remove_folder,
    put_a_link,
    put_a_pipe,
    put_a_folder,
    plant_temporaries,
    edit_config,
    set_a_trap,
    edit_rows,
    put_a_pickle,
    change_an_array,
    forge_an_entry,
    add_odd_files,
]


def contents(folder):
    """What is in a folder, by path."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


@pytest.mark.parametrize("case", CASES)
def test_damaged_run_directories(made, tmp_path, monkeypatch, case):
    rng = random.Random(case)
    original = made[rng.choice(sorted(made))]
    run = shutil.copytree(original["stopped"], tmp_path / "run" / "x_s0")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "sentinel").write_text("untouched")
    (outside / "trap.py").write_text(f"open({str(outside / 'sprung')!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(str(outside))
    damages = [DAMAGES[case % len(DAMAGES)], *rng.sample(DAMAGES, rng.choice((0, 0, 1)))]
    for damage in damages:
        with contextlib.suppress(OSError, ValueError, IndexError, KeyError, zipfile.BadZipFile):
            damage(run, outside, rng)  # a second one may find nothing left to damage
    before = contents(outside)
    about = [damage.__name__ for damage in damages]

    code, out, err = run_command(["plot", run, "-o", tmp_path / "plot.png"])
    assert code in (0, 2) and "Traceback" not in out + err, (about, out, err)

    code, out, err = run_command(["eval", run, "--episodes", "1"])
    assert code in (0, 2) and "Traceback" not in out + err, (about, out, err)
    if code == 0:
        result = json.loads(out[out.index("{") :])
        assert result["return_mean"] == original["scores"][result["step"]], about

    code, out, err = run_command(["resume", run, "--epochs", EPOCHS])
    assert code in (0, 2) and "Traceback" not in out + err, (about, out, err)
    assert err.count("\n") <= 1, err
    if code == 0:
        assert rows(run) == original["rows"], about
    assert contents(outside) == before, about


# Bad command lines -------------------------------------------------------------------


ODD = ("", " ", "-", "--", "nan", "-inf", "1e309", "0x10", "٣", "½", "None", "[1]", "{}", "'", "\0")
ODD += ("a\nb", "\x1b[2J", "\udc80", "x" * (LONGEST + 1), "../../x", "/dev/null", "1" * 5000)
# Texts that are no value of these flags; any text may be one of the others.
NAMES = {"env", "exp_name", "env_kwargs", "data_dir"}


def bad_value(field, kind, rng):
    """A text that the flag can't have."""
    meta = field.metadata
    if meta["choices"]:
        first = next(iter(meta["choices"]))
        return rng.choice([*ODD[4:], first.upper(), first + "x"])
    if kind is bool:
        return rng.choice(("2", "maybe", "nan", "-1"))
    texts = ["many", "nan", "inf", "-inf", "1e309", "1,5", "None", "[1]"]
    if kind is int:
        texts += ["1.5", "1e-3", str(2**31), "1" * 5000]
    if meta["low"] is not None:
        texts.append(str(meta["low"] - 1))
    if meta["above"] is not None:
        texts += [str(meta["above"]), "-1"]
    if meta["high"] is not None:
        texts.append(str(meta["high"] + 1))
    return rng.choice(texts)


def bad_flag(algo, rng):
    """A flag with a value that it can't have."""
    parts = [part for part in flags.sections({"algo": algo}).values() if dataclasses.fields(part)]
    part = rng.choice(parts)
    field = rng.choice([f for f in dataclasses.fields(part) if f.name not in NAMES])
    kind = typing.get_type_hints(part)[field.name]
    if typing.get_origin(kind) is tuple:
        kind = typing.get_args(kind)[0]
    if kind is str and not field.metadata["choices"]:
        return [f"--{field.name}"]
    return [f"--{field.name}={bad_value(field, kind, rng)}"]


def odd_name(algo, rng):
    """A name that is none: not printable, too long, of nothing, or away from its folder."""
    texts = {
        "env": (
            *ODD,
            "Pendulum-v99",
            "MT10-",
            "MT:reach,reach",
            "ML1-",
            "PointMass-",
            "nomodule:x",
        ),
        "exp_name": (" ", "-", "--", "\0", "a\nb", "../x", "..", ".", "a/b", "x" * 200, "\udc80"),
        "env_kwargs": ("{", "[]", "1", "null", '{"a": 1}', '{"render_mode": "human"}', "[" * 10**5),
    }
    name = rng.choice(sorted(texts))
    text = rng.choice(texts[name])
    if (name, text) == ("env_kwargs", ""):
        text = "{"
    return [f"--{name}={text}"]


def unknown_flag(algo, rng):
    known = [
        f.name for part in flags.sections({"algo": algo}).values() for f in dataclasses.fields(part)
    ]
    name = list(rng.choice(known))
    name.insert(rng.randrange(len(name)), rng.choice("xyz_"))
    return [f"--{''.join(name)}", "1"]


def idle_flag(algo, rng):
    choices = ["--goals=fixed", "--split=test", "--gradient_stats"]
    return [rng.choice([*choices, "--lr_cycles=3", "--task_onehot=false", "--num_workers=2"])]


def flag_of_another(algo, rng):
    """Of a network or a gradient method that wasn't chosen."""
    return [rng.choice(["--modules=2", "--cagrad_c=0.1", "--split_z=2", "--split_map=nothing"])]


def huge_size(algo, rng):
    names = ["--hidden_sizes", "--batch_size", "--num_envs"]
    return [rng.choice(names), str(rng.randrange(10**9, 2**31)), "--steps_per_epoch", "7"]


def stray_word(algo, rng):
    return [rng.choice(("stray", "3", "x=1", "\u2014env"))]


def no_value(algo, rng):
    return [rng.choice(("--gamma", "--epochs", "--env", "--hidden_sizes", "--seed"))]


FAULTS = [bad_flag, bad_flag, odd_name, unknown_flag, idle_flag, flag_of_another]
FAULTS += [huge_size, stray_word, no_value]


@pytest.mark.parametrize("case", CASES)
def test_bad_command_lines(tmp_path, monkeypatch, case):
    rng = random.Random(case)
    algo = rng.choice(sorted(flags.ALGORITHMS))
    monkeypatch.chdir(tmp_path)
    fault = FAULTS[case % len(FAULTS)](algo, rng)
    argv = command("--data_dir", tmp_path / "data", "--epochs", "1", algo=algo)
    code, out, err = run_command([*argv, *fault])
    assert code == 2, (fault, out, err)
    assert err.count("\n") == 1 and "Traceback" not in err and len(err) < 2000, (fault, err)
    assert not list(tmp_path.iterdir()), fault


@pytest.mark.parametrize(
    "argv",
    [
        ["resume"],
        ["resume", "."],
        ["resume", ".", "."],
        ["eval"],
        ["eval", "\0"],
        ["eval", ".", "--seed", "-1"],
        ["eval", ".", "--episodes", "1e30"],
        ["plot"],
        ["plot", "\0"],
        ["compare"],
        ["compare", "\0"],
        ["report"],
        ["report", "\0"],
        ["meta-test"],
        ["meta-test", ".", "--start", "worst"],
        ["branch"],
        ["branch", ".", "--budget", "nan"],
        ["nothing"],
        ["train", "stray"],
        [""],
    ],
)
def test_other_commands(tmp_path, monkeypatch, argv):
    monkeypatch.chdir(tmp_path)
    code, _, err = run_command(argv)
    assert code == 2 and err.count("\n") == 1 and not list(tmp_path.iterdir()), err
