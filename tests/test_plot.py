"""Plot: reads what Spinning Up and we write, averages rightly, needs no TensorFlow and no
screen."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

from rl.__main__ import main
from rl.experiments import curves
from rl.experiments.plot import label_runs
from rl.experiments.tree import history
from tests.helpers import ROOT


def make_run(
    directory,
    values,
    step=1000,
    seed=0,
    exp_name="exp",
    extra="",
    config=None,
    name="AverageTestEpRet",
):
    directory.mkdir(parents=True)
    lines = [f"Epoch\tAverageEpRet\t{name}\tTotalEnvInteracts"]
    lines += [f"{i}\t{v - 1}\t{v}\t{step * (i + 1)}" for i, v in enumerate(values)]
    (directory / "progress.txt").write_text("\n".join(lines) + "\n" + extra)
    settings = {"exp_name": exp_name, "seed": seed, "gamma": 0.99, **(config or {})}
    (directory / "config.json").write_text(json.dumps(settings))


def test_smoothing_at_the_edges():
    np.testing.assert_allclose(curves.smooth(np.array([1.0, 2, 3, 4, 8]), 3), [1.5, 2, 3, 5, 6])
    np.testing.assert_allclose(curves.smooth(np.full(7, 5.0), 4), np.full(7, 5.0))
    np.testing.assert_allclose(curves.smooth(np.array([1.0, 3]), 9), [2, 2])
    np.testing.assert_allclose(curves.smooth(np.array([1.0, np.nan, 3]), 3), [1, 2, 3])
    np.testing.assert_allclose(curves.smooth(np.array([1.0, 2]), 1), [1, 2])


def test_runs_of_unequal_length_and_spacing():
    grid, y = curves.align(
        [
            (np.array([1.0, 2, 3]), np.array([1.0, 2, 3])),
            (np.array([1.0, 3, 5]), np.array([5.0, 7, 9])),
        ]
    )
    assert grid.tolist() == [1, 2, 3, 5]
    np.testing.assert_array_equal(y, [[1, 2, 3, np.nan], [5, 6, 7, 9]])


def test_estimators_and_bands():
    y = np.array([[1.0, 4], [2, np.nan], [3, 8], [10, 6]])
    wanted = {"mean": [4, 6], "median": [2.5, 6], "max": [10, 8], "min": [1, 4], "iqm": [2.5, 6]}
    for name, values in wanted.items():
        np.testing.assert_allclose(curves.ESTIMATORS[name](y, axis=0), values, err_msg=name)
    low, high = curves.band(y, np.array([4.0, 6]), "sd")
    np.testing.assert_allclose(high - 4, [np.std([1, 2, 3, 10]), np.std([4, 8, 6]) + 2])
    np.testing.assert_allclose(4 - low[0], high[0] - 4)
    assert [list(edge) for edge in curves.band(y, y.mean(0), "range")] == [[1, 4], [10, 8]]


def test_iqm_counts_the_outer_runs_in_part():
    y = np.array([[1.0], [2], [3], [4], [100]])  # middle 2.5 of 5: 0.75 of 2, 3, 0.75 of 4
    np.testing.assert_allclose(
        curves.ESTIMATORS["iqm"](y, axis=0), [(0.75 * 2 + 3 + 0.75 * 4) / 2.5]
    )


def test_half_written_last_row_is_left_out(tmp_path):
    make_run(tmp_path / "a", [1, 2, 3], extra="3\t1\t9")
    make_run(
        tmp_path / "b", [1, 2, 3], extra="3\t1\t9\t40"
    )  # all cells, but no end of line: the last may be cut
    for name in "ab":
        ((run,),) = curves.find_runs([str(tmp_path / name)])
        assert run.columns["AverageTestEpRet"].tolist() == [1, 2, 3]


def test_spinning_ups_own_directories(tmp_path):
    config = {
        "ac_kwargs": {"hidden_sizes": [64, 64]},
        "env_fn": "<function>",
        "logger": {"<obj>": {"a": 1}},
    }
    make_run(tmp_path / "exp" / "exp_s0", [1], config=config, name="StdEpRet")
    ((run,),) = curves.find_runs([str(tmp_path / "exp")])
    assert run.config["ac_kwargs:hidden_sizes"] == [64, 64]
    assert "env_fn" not in run.config
    assert curves.column(run, "Performance").tolist() == [0]  # no test return: the training return


def test_labels_count_and_legend(tmp_path):
    for exp in ("one", "two"):
        for seed in range(2):
            make_run(tmp_path / exp / f"{exp}_s{seed}", [1], seed=seed, exp_name=exp)
    found = curves.find_runs([str(tmp_path / "one"), str(tmp_path / "two")])
    assert {k: len(v) for k, v in label_runs(found, None, False).items()} == {"one": 2, "two": 2}
    assert list(label_runs(found, None, True)) == ["one-0", "one-1", "two-0", "two-1"]
    assert {k: len(v) for k, v in label_runs(found, ["a", "a"], False).items()} == {"a": 4}
    twice = curves.find_runs([str(tmp_path / "one")] * 2)
    assert {k: len(v) for k, v in label_runs(twice, None, False).items()} == {
        "one": 2
    }  # not counted double


def test_select_exclude_and_beginnings_of_names(tmp_path):
    for name in ("td3_a", "td3_b", "ddpg_a"):
        make_run(tmp_path / name / f"{name}_s0", [1])
    names = lambda *args, **kwargs: [r.directory.name for r in curves.find_runs(*args, **kwargs)[0]]
    assert names([str(tmp_path / "td3")]) == ["td3_a_s0", "td3_b_s0"]
    assert names([str(tmp_path)], select=["_a_s0"], exclude=["ddpg_a_s0"]) == ["td3_a_s0"]


def test_table_of_differences(tmp_path):
    make_run(tmp_path / "a", [1], config={"q_lr": 1e-3, "sizes": [4, 4], "versions": {"x": 1}})
    make_run(
        tmp_path / "b",
        [1],
        config={"q_lr": 1e-4, "sizes": [4, 4], "versions": {"x": 2}, "new": True},
        seed=1,
    )
    groups = {name: curves.find_runs([str(tmp_path / name)])[0] for name in "ab"}
    assert curves.differences(groups) == (["new", "q_lr"], [["", "0.001"], ["True", "0.0001"]])


@pytest.mark.parametrize("kind, magic", [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_figures(tmp_path, kind, magic, capsys):
    for seed in range(2):
        make_run(tmp_path / "x" / f"x_s{seed}", np.arange(5 + seed), seed=seed)
    make_run(tmp_path / "y" / "y_s0", [np.nan] * 3, exp_name="y", config={"gamma": 0.9})
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    out = tmp_path / "figures" / f"o.{kind}"
    argv = [
        "plot",
        str(tmp_path / "x"),
        str(tmp_path / "y"),
        "-y",
        "Performance",
        "AverageEpRet",
        "-s",
        "3",
        "-o",
        str(out),
    ]
    assert main(argv) == 0
    assert out.read_bytes().startswith(magic) and capsys.readouterr().out.strip() == str(out)
    assert all(p.read_bytes() == data for p, data in before.items())


@pytest.mark.parametrize(
    "argv, words",
    [
        (["{}/none"], "no run"),
        (["{}/a", "-y", "AverageTestEpret"], "AverageTestEpRet"),
        (["{}/a", "-o", "x.bmp"], ".png, .svg or .pdf"),
        (["{}/a", "-s", "0"], "--smooth"),
        (["{}/a", "-l", "p", "q"], "--legend"),
        (["{}/a", "--est", "mode"], "mean"),
        (["{}/a", "--smoth", "3"], "--smooth"),
        ([], "logdir"),
    ],
)
def test_bad_input(tmp_path, argv, words, capsys):
    make_run(tmp_path / "a", [1])
    assert main(["plot", *(a.format(tmp_path) for a in argv)]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_fast_and_without_tensorflow(tmp_path):
    for seed in range(10):
        make_run(tmp_path / "x" / f"x_s{seed}", np.arange(250), seed=seed)
    code = "import sys; from rl.__main__ import main; code = main(); assert 'tensorflow' not in sys.modules; sys.exit(code)"
    begin = time.perf_counter()
    command = [
        sys.executable,
        "-c",
        code,
        "plot",
        str(tmp_path / "x"),
        "-o",
        str(tmp_path / "o.png"),
    ]
    subprocess.run(command, check=True, cwd=ROOT)
    assert time.perf_counter() - begin < 2.5


def test_maps_over_time(tmp_path):
    events = [
        {"updates": 10, "region": 1, "copy": 1, "moved": [1, 2], "score": 5.0, "tasks": [0, 1]}
    ]
    events += [
        {"updates": 15, "region": 0, "copy": None, "moved": [2], "score": 5.0, "tasks": [0, 2]}
    ]
    events += [{"updates": 30, "region": 1, "copy": 2, "moved": [2], "score": 4.0, "tasks": [1, 2]}]
    network = {"maps": [[0, 0, 0], [0, 1, 2]], "events": events, "updates": 40, "sharing": 0.5}
    updates, maps = history(network)
    assert (
        updates == [0, 10, 30]
        and maps[:, 1].tolist() == [[0, 0, 0], [0, 1, 1], [0, 1, 2]]
        and not maps[:, 0].any()
    )
    network |= {
        "layers": [{"name": "kernel_0", "regions": 1, "size": 6}] * 2,
        "cosines": np.eye(3)[None].repeat(2, 0).tolist(),
    }
    make_run(tmp_path / "a", [1, 2, 3])
    assert main(["plot", "--splits", str(tmp_path / "a"), "-o", str(tmp_path / "b.png")]) == 2
    for layers in (network["layers"], [{"name": "kernel_0", "regions": 2, "size": 3}]):
        report = {"tasks": ["x", "y", "z"], "networks": {"LossPi": network | {"layers": layers}}}
        (tmp_path / "a" / "splits.json").write_text(json.dumps(report))
        assert main(["plot", "--splits", str(tmp_path / "a"), "-o", str(tmp_path / "b.png")]) == 0
        assert (tmp_path / "b.png").stat().st_size > 1000
