"""Plot: reads what Spinning Up and we write, averages rightly, needs no TensorFlow and no
screen."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rl.__main__ import main
from rl.experiments.plots import curves, estimates
from rl.experiments.plots.columns import column
from rl.experiments.plots.groups import differences, label_runs
from rl.experiments.plots.runs import find_runs
from rl.experiments.plots.structure import history
from rl.experiments.statistics import bootstrap
from tests.helpers import refused
from tests.plot_runs import drawn, legends, make_run, make_runs, panels

ROOT = Path(__file__).parents[1]


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


def test_runs_without_data_and_unordered_rows():
    nothing = (np.array([1.0, np.nan]), np.array([np.nan, 2.0]))
    grid, y = curves.align([nothing, (np.array([3.0, 1, 2]), np.array([30.0, 10, 1e300]))])
    assert grid.tolist() == [1, 2, 3] and y.tolist() == [[10, 1e300, 30]]
    grid, y = curves.align([nothing])
    assert grid.shape == (0,) and y.shape == (0, 0)


def test_estimators_and_bands():
    y = np.array([[1.0, 4, 4], [2, 5, np.nan], [3, 8, 8], [10, 7, 6]])
    wanted = {"mean": [4, 6], "median": [2.5, 6], "max": [10, 8], "min": [1, 4], "iqm": [2.5, 6]}
    for name, values in wanted.items():
        # where a run has no data, there is no estimate
        estimate = estimates.ESTIMATORS[name](y, axis=0)
        np.testing.assert_allclose(estimate, [*values, np.nan], err_msg=name)
    low, high = estimates.band(y[:, :2], "sd")
    np.testing.assert_allclose(high, [4 + np.sqrt(50 / 3), 6 + np.sqrt(10 / 3)])
    np.testing.assert_allclose(4 - low[0], high[0] - 4)
    low, high = estimates.band(y[:, :2], "range")
    assert low.tolist() == [1, 4] and high.tolist() == [10, 8]


def test_iqm_counts_the_outer_runs_in_part():
    y = np.array([[1.0], [2], [3], [4], [100]])  # middle 2.5 of 5: 0.75 of 2, 3, 0.75 of 4
    np.testing.assert_allclose(
        estimates.ESTIMATORS["iqm"](y, axis=0), [(0.75 * 2 + 3 + 0.75 * 4) / 2.5]
    )
    resampled = estimates.ESTIMATORS["iqm"](np.stack([y, y + 1]), axis=1)
    np.testing.assert_allclose(resampled, [[3], [4]])


def test_t_interval_of_three_numbers():
    y = np.array([[2.0], [4], [9]])
    low, high = estimates.band(y, "ci")  # mean 5, sd sqrt(26 / 2), t(0.975, 2) = 4.3027
    half = 4.302653 * np.sqrt(13 / 3)
    np.testing.assert_allclose([low[0], high[0]], [5 - half, 5 + half], rtol=1e-6)


def test_bootstrap_intervals(monkeypatch):
    """Of two runs, a quarter of the resamples holds only one of them: the interval is from run to
    run. Of many, it is near the normal one."""
    two = np.array([[0.0, 10], [1, 30]])
    low, high = estimates.band(two, "bootstrap", "median")
    assert low.tolist() == [0, 10] and high.tolist() == [1, 30]
    many = np.random.default_rng(1).normal(size=(200, 3))
    low, high = estimates.band(many, "bootstrap", "mean")
    half = 1.96 * many.std(0, ddof=1) / np.sqrt(200)
    np.testing.assert_allclose(high - low, 2 * half, rtol=0.1)
    np.testing.assert_allclose((high + low) / 2, many.mean(0), atol=0.02)
    monkeypatch.setattr(bootstrap, "CHUNK", 1)
    in_parts = estimates.band(many, "bootstrap", "mean")
    np.testing.assert_allclose(in_parts, (low, high), rtol=1e-12)


def test_half_written_last_row_is_left_out(tmp_path):
    make_run(tmp_path / "a", [1, 2, 3], extra="3\t1\t9")
    make_run(
        tmp_path / "b", [1, 2, 3], extra="3\t1\t9\t40"
    )  # all cells, but no end of line: the last may be cut
    for name in "ab":
        ((run,),) = find_runs([str(tmp_path / name)])
        assert run.columns["AverageTestEpRet"].tolist() == [1, 2, 3]


def test_spinning_ups_own_directories(tmp_path):
    config = {
        "ac_kwargs": {"hidden_sizes": [64, 64]},
        "env_fn": "<function>",
        "logger": {"<obj>": {"a": 1}},
    }
    make_run(tmp_path / "exp" / "exp_s0", [1], config=config, name="StdEpRet")
    ((run,),) = find_runs([str(tmp_path / "exp")])
    assert run.config["ac_kwargs:hidden_sizes"] == [64, 64]
    assert "env_fn" not in run.config
    assert column(run, "Performance").tolist() == [0]  # no test return: the training return


def sizes(groups):
    return {group.label: len(group.runs) for group in groups}


def test_labels_count_and_legend(tmp_path):
    for exp in ("one", "two"):
        for seed in range(2):
            make_run(tmp_path / exp / f"{exp}_s{seed}", [1], seed=seed, exp_name=exp)
    found = find_runs([str(tmp_path / "one"), str(tmp_path / "two")])
    assert sizes(label_runs(found, None, False)) == {"one": 2, "two": 2}
    assert list(sizes(label_runs(found, None, True))) == ["one-0", "one-1", "two-0", "two-1"]
    assert sizes(label_runs(found, ["a", "a"], False)) == {"a": 4}
    (tmp_path / "again").symlink_to(tmp_path / "one")
    twice = find_runs([str(tmp_path / "one"), str(tmp_path / "one"), str(tmp_path / "again")])
    assert sizes(label_runs(twice, None, False)) == {"one": 2}  # not counted double
    assert list(sizes(label_runs(twice, None, True))) == ["one-0", "one-1"]


def test_runs_of_one_experiment_with_other_flags_are_told_apart(tmp_path, monkeypatch, capsys):
    for seed in range(4):
        config = {
            "q_lr": 1e-3 if seed < 2 else 1e-4,
            "hidden_sizes": [64, 64],
            "polyak": 1.0 if seed else 1,
            "data_dir": f"data{seed}",
            "git_commit": str(seed),
            "git_dirty": bool(seed),
            "commit": str(seed),
            "resumed_from": seed,
            "resumes": [seed],
            "versions": {"numpy": str(seed)},
            "split_map": f"data/y/y_s{seed}/splits.json",
        }
        make_run(tmp_path / f"x_s{seed}", [seed, 1], seed=seed, exp_name="x", config=config)
    figure = drawn(monkeypatch, tmp_path, tmp_path)
    assert legends(figure)[0][1:] == ["x q_lr=0.001 (n=2)", "x q_lr=0.0001 (n=2)"]
    assert len(panels(figure)[0].get_lines()) == 2
    assert capsys.readouterr().err == ""
    figure = drawn(monkeypatch, tmp_path, tmp_path, "-l", "all")
    assert legends(figure)[0][1:] == ["all (n=4)"]
    error = capsys.readouterr().err
    assert error == "main.py: warning: curves of runs with different flags: all (q_lr)\n"


def test_a_flag_that_some_runs_lack_tells_them_apart(tmp_path):
    for seed, config in enumerate(({"tau": 1}, {"tau": 1}, {})):
        make_run(tmp_path / f"x_s{seed}", [1], seed=seed, exp_name="x", config=config)
    groups = label_runs(find_runs([str(tmp_path)]), None, False)
    assert sizes(groups) == {"x tau=1": 2, "x": 1}


def test_seeds_in_the_names_of_other_runs(tmp_path):
    """x begins with the run of its own seed, y always with the same, z with that of another
    experiment."""
    starts = {
        "x": lambda seed: f"data/a/a_s{seed}",
        "y": lambda seed: "data/a/a_s0",
        "z": lambda seed: f"data/{'b' if seed else 'a'}/b_s{seed}",
    }
    for name, start in starts.items():
        for seed in range(3):
            config = {"start_from": start(seed)}
            place = tmp_path / name / f"{name}_s{seed}"
            make_run(place, [1], seed=seed, exp_name=name, config=config)
    groups = label_runs(find_runs([str(tmp_path)]), None, False)
    assert sizes(groups) == {
        "x": 3,
        "y": 3,
        "z start_from=data/a/b_s0": 1,
        "z start_from=data/b/b_s<seed>": 2,
    }


def test_runs_from_before_a_flag_was_added(tmp_path):
    """They have its default; a run of another program lacks what it lacks."""
    known = {"algo": "ddpg", "env": "Pendulum-v1", "gamma": 0.99, "versions": {}}
    for seed, config in enumerate(({}, {"lr_schedule": "constant"}, {"lr_schedule": "linear"})):
        place = tmp_path / f"x_s{seed}"
        make_run(place, [1], seed=seed, exp_name="x", config=known | config)
    groups = label_runs(find_runs([str(tmp_path)]), None, False)
    assert sizes(groups) == {"x lr_schedule=constant": 2, "x lr_schedule=linear": 1}


def test_a_run_under_two_labels_is_told(tmp_path, capsys):
    for name in ("sac", "sac_pcgrad"):
        make_run(tmp_path / name / f"{name}_s0", [1], exp_name=name)
    argv = ["plot", tmp_path / "sa", tmp_path / "sac_pcgrad", "-l", "sum", "PCGrad"]
    assert main([*map(str, argv), "-o", str(tmp_path / "o.png")]) == 0
    shared = tmp_path / "sac_pcgrad" / "sac_pcgrad_s0"
    assert f"in curves of several labels: {shared}" in capsys.readouterr().err


def test_bands_of_too_few_runs_are_told(tmp_path, capsys):
    for name, runs in (("one", 1), ("few", 4), ("many", 5)):
        make_runs(tmp_path / name, name, [[1, number] for number in range(runs)])
    out = ("-o", str(tmp_path / "o.png"))
    assert main(["plot", str(tmp_path), "--est", "median", *out]) == 0
    told = capsys.readouterr().err
    assert told == "main.py: warning: bootstrap bands of fewer than 5 runs are too narrow: few\n"
    assert main(["plot", str(tmp_path), *out]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "argv",
    [
        ("--structure", "-y", "LossQ"),
        ("--structure", "--smooth", "9"),
        ("--structure", "--est", "iqm"),
        ("--structure", "--by_task"),
        ("--by_task", "--band", "sd"),
    ],
)
def test_flags_without_effect_are_refused(capsys, argv):
    assert "has no effect with --" in refused(capsys, "plot", "data/x", *argv)


def test_what_runs_found_tells_apart_only_those_that_looked(tmp_path):
    for seed, start in enumerate(("push", "reach", None)):
        config = {"meta_start": {"door": start}} if start else {}
        make_run(tmp_path / f"x_s{seed}", [1], seed=seed, exp_name="x", config=config)
    groups = label_runs(find_runs([str(tmp_path)]), None, False)
    assert sizes(groups) == {"x meta_start=True": 2, "x": 1}


def test_flags_that_differ_only_between_envs_are_no_part_of_labels(tmp_path):
    for seed, (env, steps) in enumerate((("A", 1), ("A", 1), ("B", 2))):
        config = {"env": env, "max_ep_len": steps}
        make_run(tmp_path / f"x_s{seed}", [1], seed=seed, exp_name="x", config=config)
    groups = label_runs(find_runs([str(tmp_path)]), None, False)
    assert [(group.label, group.env, len(group.runs)) for group in groups] == [
        ("x", "A", 2),
        ("x", "B", 1),
    ]


def test_select_exclude_and_beginnings_of_names(tmp_path):
    for name in ("td3_a", "td3_b", "ddpg_a"):
        make_run(tmp_path / name / f"{name}_s0", [1])
    names = lambda *args, **kwargs: [r.directory.name for r in find_runs(*args, **kwargs)[0]]
    assert names([str(tmp_path / "td3")]) == ["td3_a_s0", "td3_b_s0"]
    assert names([str(tmp_path / "d3_b")]) == ["td3_b_s0"]
    assert names([str(tmp_path)], select=["_a_s0"], exclude=["ddpg_a_s0"]) == ["td3_a_s0"]


def test_table_of_differences(tmp_path):
    make_run(tmp_path / "a", [1], config={"q_lr": 1e-3, "sizes": [4, 4], "versions": {"x": 1}})
    make_run(
        tmp_path / "b",
        [1],
        config={"q_lr": 1e-4, "sizes": [4, 4], "versions": {"x": 2}, "new": True},
        seed=1,
    )
    found = find_runs([str(tmp_path / name) for name in "ab"])
    groups = label_runs(found, ["a", "b"], False)
    assert differences(groups) == (["new", "q_lr"], [["", "0.001"], ["True", "0.0001"]])


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
        (["{}/a", "--est", "median", "--band", "ci"], "bootstrap"),
        (["{}/a", "-y"], "--value"),
        (["{}/a**"], "no run"),
        (["{}/a", "--smoth", "3"], "--smooth"),
        ([], "logdir"),
    ],
)
def test_bad_input(tmp_path, argv, words, capsys):
    make_run(tmp_path / "a", [1])
    assert main(["plot", *(a.format(tmp_path) for a in argv)]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("progress.txt", b"", "no run"),
        ("progress.txt", b"\n\n", "no run"),
        ("progress.txt", b"\x80\xff" * 99 + b"\n", "progress.txt is not text"),
        ("progress.txt", b"\x00\x01\t\x1b[31m\n1\t2\n", "progress.txt is not a table"),
        ("progress.txt", b'"\n' + b"x" * 200_000 + b"\n", "no column"),
        ("config.json", b"[1, 2]", "config.json is not a JSON object"),
        ("config.json", b"{", "config.json is not a JSON object"),
        ("config.json", b"\xff\xfe", "config.json is not text"),
        ("config.json", b"[" * 100_000, "config.json is not a JSON object"),
        ("config.json", b'{"a":' * 2000 + b"1" + b"}" * 2000, "config.json is not a JSON object"),
    ],
)
def test_unreadable_files(tmp_path, name, content, words, capsys):
    make_run(tmp_path / "a", [1])
    (tmp_path / "a" / name).write_bytes(content)
    assert main(["plot", str(tmp_path / "a"), "-o", str(tmp_path / "o.png")]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1 and error[:-1].isprintable()


@pytest.mark.parametrize("name", ["progress.txt", "config.json", "splits.json"])
@pytest.mark.parametrize("kind", ["folder", "fifo", "link"])
def test_files_that_are_none_are_not_read(tmp_path, name, kind, capsys):
    make_run(tmp_path / "elsewhere", [1, 2], exp_name="secret")
    make_run(tmp_path / "a", [1, 2])
    file = tmp_path / "a" / name
    file.unlink(missing_ok=True)
    if kind == "folder":
        file.mkdir()
    elif kind == "fifo":
        os.mkfifo(file)
    else:
        file.symlink_to(tmp_path / "elsewhere" / name)
    argv = ["plot", str(tmp_path / "a"), "-o", str(tmp_path / "o.png")]
    assert main([*argv, *(["--splits"] if name == "splits.json" else [])]) == 2
    error = capsys.readouterr().err
    assert str(file) in error or f"no {name}" in error
    assert error.count("\n") == 1


def test_where_no_picture_can_be(tmp_path, capsys):
    make_run(tmp_path / "a", [1, 2])
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("")
    for out in ("folder.png", "file/o.png", "n" * 300 + ".png", "/proc/none/o.png"):
        assert main(["plot", str(tmp_path / "a"), "-o", str(tmp_path / out)]) == 2
        error = capsys.readouterr().err
        assert "o.png" in error or "folder.png" in error or "nnn" in error
        assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "file", "folder.png"]


def test_a_picture_that_fails_leaves_the_old_one(tmp_path, monkeypatch, capsys):
    make_run(tmp_path / "a", [1, 2])
    out = tmp_path / "o.png"
    out.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    assert main(["plot", str(tmp_path / "a"), "-o", str(out)]) == 2
    assert out.read_bytes() == b"old" and "full" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "o.png"]


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_values_without_bounds(tmp_path):
    """Numbers near the largest, nothing finite, windows of any length."""
    make_run(tmp_path / "x" / "x_s0", [1e308, -1e308, np.inf])
    make_run(tmp_path / "x" / "x_s1", [1e308, -1e308, np.nan], seed=1)
    make_run(tmp_path / "y" / "y_s0", [np.nan] * 3, exp_name="y", name="TestSuccess/push")
    for argv in (["x"], ["x", "-s", str(10**12)], ["y", "--by_task", "-y", "TestSuccess"]):
        path = str(tmp_path / argv[0])
        assert main(["plot", path, *argv[1:], "-o", str(tmp_path / "o.png")]) == 0


def test_the_table_of_flags_as_text(tmp_path, capsys):
    """All flags that differ, also those that the figure has no room for; none for equal ones."""
    for name, value in (("one", 1), ("three", 3)):
        config = {f"flag_{number}": value for number in range(12)}
        make_run(tmp_path / name / f"{name}_s0", [1, 2], exp_name=name, config=config)
    out = str(tmp_path / "o.png")
    argv = ["plot", str(tmp_path / "one"), str(tmp_path / "three"), "--table", "-o", out]
    assert main(argv) == 0
    header, first, second, place = capsys.readouterr().out.splitlines()
    assert header.split() == ["curve", *sorted(f"flag_{number}" for number in range(12))]
    assert first.split() == ["one", *["1"] * 12] and second.split() == ["three", *["3"] * 12]
    assert place == out
    assert main(["plot", str(tmp_path / "one"), "--table", "-o", out]) == 0
    assert capsys.readouterr().out == f"the curves differ in no flag\n{out}\n"
    assert main([*argv, "--splits"]) == 2
    assert "--table has no effect with --structure" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{}", '{"tasks": [], "networks": {"LossQ": {}}}', "[1]"])
def test_a_structure_that_no_run_writes(tmp_path, capsys, text):
    make_run(tmp_path / "a_s0", [1, 2])
    (tmp_path / "a_s0" / "splits.json").write_text(text)
    argv = ("plot", tmp_path / "a_s0", "--structure", "-o", tmp_path / "o.png")
    assert "splits.json is not as a run writes it" in refused(capsys, *argv)


def test_a_seed_that_is_no_number(tmp_path):
    """Nor a pattern."""
    make_run(tmp_path / "a_s0", [1, 2], seed="(")
    assert main(["plot", str(tmp_path), "-o", str(tmp_path / "o.png")]) == 0


def test_fast_and_without_tensorflow(tmp_path):
    for seed in range(10):
        make_run(tmp_path / "x" / f"x_s{seed}", np.arange(250), seed=seed)
    code = "import sys; from rl.__main__ import main; code = main(); assert 'tensorflow' not in sys.modules; sys.exit(code)"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
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
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Of a processor, since others may keep the machine busy.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2.5


def test_maps_over_time(tmp_path):
    events = [
        {"updates": 10, "region": 1, "copy": 1, "moved": [1, 2], "score": 5.0, "tasks": [0, 1]}
    ]
    events += [
        {"updates": 15, "region": 0, "copy": None, "moved": [2], "score": 5.0, "tasks": [0, 2]}
    ]
    events += [{"updates": 30, "region": 1, "copy": 2, "moved": [2], "score": 4.0, "tasks": [1, 2]}]
    network = {"maps": [[0, 0, 0], [0, 1, 2]], "events": events, "updates": 40, "sharing": 0.5}
    heads = [0, 1, 2]  # apart from the start
    assert history(network | {"maps": [*network["maps"], heads]})[1][:, 2].tolist() == [heads] * 3
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
