"""`report`: what is on its page, and that its numbers are those of the runs."""

import json
import shlex
import time

import numpy as np
import pytest

from rl.experiments.report.thinning import thin_columns, thin_curve
from tests.helpers import refused
from tests.helpers_compare import examples, make_methods
from tests.helpers_report import (
    curve_figures,
    grid_figures,
    make_page,
    split_network,
    write_splits,
)
from tests.plot_runs import make_run, make_runs

# Structure ----------------------------------------------------------------------


def test_sections_headings_and_links(tmp_path):
    make_methods(tmp_path / "data", {"sac": 0.4, "ppo": 0.6})
    page = make_page(
        tmp_path / "o.html", tmp_path / "data", "-y", "TestSuccess", "--title", "A & B"
    )
    names = [section["id"] for section in page.attributes["section"]]
    assert names == ["methods", "curves", "comparison", "tasks", "costs", "commands", "code"]
    assert [link["href"] for link in page.attributes["a"]] == [f"#{name}" for name in names]
    assert page.texts["title"] == page.texts["h1"] == ["A & B"]
    assert len(page.texts["h2"]) == len(names)
    assert "10 runs, 2 methods, 1 env" in page.texts["p"]
    assert len(page.attributes["figure"]) == len(page.figures) == 3
    assert all(page.texts["figcaption"]) and all(page.texts["caption"])
    regions = [part for part in page.attributes["div"] if part.get("role") == "region"]
    assert all(part["aria-label"] and part["tabindex"] == "0" for part in regions)
    assert len(regions) == len(page.attributes["table"])


def test_the_tables_are_those_of_compare(tmp_path, capsys):
    make_methods(tmp_path / "data", {"sac": 0.4, "ppo": 0.6})
    argv = [tmp_path / "data", "-y", "TestSuccess", "--last", "1", "--baseline", "sac"]
    page = make_page(tmp_path / "o.html", *argv, "--target", "1")
    rows = page.table("TestSuccess in MT2")
    # The runs of sac have means of 0.36, 0.38, 0.4, 0.42 and 0.44.
    place = rows[0].index("mean [95%]")
    by_label = {row[0]: row for row in rows[1:]}
    assert by_label["sac"][place] == "0.400 [0.361, 0.439]"
    assert by_label["ppo"][rows[0].index("difference [95%]")].startswith("0.200 [")
    assert by_label["ppo"][rows[0].index("gap to 1.000")] == "0.400"
    tasks = page.table("TestSuccess in MT2, by task")
    assert [row[0] for row in tasks] == ["task", "reach", "push"]
    assert "score of a run: mean of the last 1 rows of TestSuccess, each of 2 tasks" in page.text
    assert capsys.readouterr().out == f"{tmp_path / 'o.html'}\n"


def test_flags_that_differ_between_methods(tmp_path):
    make_runs(tmp_path / "a", "x", [[1, 2]], env="Pendulum-v1", lr=0.1)
    make_runs(tmp_path / "b", "y", [[1, 2]], env="Pendulum-v1", lr=0.2, tau=1)
    page = make_page(tmp_path / "o.html", tmp_path / "a", tmp_path / "b")
    expected = [["flag", "x", "y"], ["lr", "0.1", "0.2"], ["tau", "-", "1"]]
    assert page.table("Flags in which methods differ") == expected


def test_runs_that_are_selected(tmp_path):
    make_runs(tmp_path / "x", "x", [[1], [2], [3]])
    argv = ["--select", "x_s", "--exclude", "x_s1", "-l", "label"]
    page = make_page(tmp_path / "o.html", tmp_path / "x", *argv)
    [figure] = curve_figures(page)
    assert [curve["label"] for curve in figure["curves"]] == ["label"]
    assert [run["name"] for run in figure["curves"][0]["runs"]] == ["x_s0", "x_s2"]


# Curves -------------------------------------------------------------------------


def test_numbers_are_those_of_the_runs(tmp_path):
    rows = [[1 / 3, 2.5, 7.1], [3.5, 4.5, 1e-9]]
    make_runs(tmp_path / "x", "x", rows, env="Pendulum-v1")
    page = make_page(tmp_path / "o.html", tmp_path / "x", "-y", "Performance", "Time")
    performance, seconds = curve_figures(page)
    assert (performance["env"], performance["value"]) == ("Pendulum-v1", "Performance")
    [curve] = performance["curves"]
    assert curve["count"] == 2
    assert [run["y"] for run in curve["runs"]] == rows
    assert [run["x"] for run in curve["runs"]] == [[1000, 2000, 3000]] * 2
    [line] = curve["lines"]
    assert line["count"] == 2
    assert line["y"] == pytest.approx([(1 / 3 + 3.5) / 2, 3.5, 3.55])
    # t interval of 2.5 and 4.5: standard error 1, and 12.706 of them for one degree of freedom.
    assert curve["band"]["low"][1] == pytest.approx(3.5 - 12.7062, abs=1e-3)
    assert curve["band"]["high"][1] == pytest.approx(3.5 + 12.7062, abs=1e-3)
    assert seconds["curves"][0]["lines"][0]["y"] == [0, 1, 2]


def test_another_axis_and_smoothing(tmp_path):
    make_run(tmp_path / "x", [0, 3, 6], times=[5, 10, 20])
    page = make_page(tmp_path / "o.html", tmp_path / "x", "-x", "Time", "-s", "3")
    [figure] = curve_figures(page)
    [run] = figure["curves"][0]["runs"]
    assert run["x"] == [5, 10, 20] and run["y"] == [1.5, 3, 4.5]


def test_runs_without_env_steps(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "progress.txt").write_text("Time\tScore\n1\t5\n2\t6\n")
    page = make_page(tmp_path / "o.html", tmp_path / "x", "-x", "Time", "-y", "Score")
    assert curve_figures(page)[0]["curves"][0]["lines"][0]["y"] == [5, 6]
    assert "Score is not compared: no run has TotalEnvInteracts" in page.texts["p"]


def test_runs_of_unequal_length(tmp_path):
    make_runs(tmp_path / "x", "x", [[1, 2, 3, 4], [3, 4]])
    page = make_page(tmp_path / "o.html", tmp_path / "x")
    [curve] = curve_figures(page)[0]["curves"]
    both, one = curve["lines"]
    assert (both["count"], both["y"]) == (2, [2, 3])
    assert (one["count"], one["x"], one["y"]) == (1, [2000, 3000, 4000], [2, 3, 4])
    assert curve["band"]["x"] == [1000, 2000]


def test_bands_by_bootstrap(tmp_path):
    make_runs(tmp_path / "x", "x", [[value] for value in range(6)])
    make_runs(tmp_path / "y", "y", [[value] for value in range(3)])
    argv = [tmp_path / "x", tmp_path / "y", "--interval", "bootstrap"]
    page = make_page(tmp_path / "o.html", *argv)
    many, few = curve_figures(page)[0]["curves"]
    assert (many["band"]["kind"], few["band"]["kind"]) == ("bootstrap", "t")
    assert many["band"]["low"][0] == pytest.approx(1.2, abs=0.2)  # by the normal: 2.5 - 1.96 * 0.70


def test_methods_of_one_run(tmp_path):
    make_run(tmp_path / "x", [1, 2], exp_name="x")
    make_run(tmp_path / "y", [5], exp_name="y")
    page = make_page(tmp_path / "o.html", tmp_path / "x", tmp_path / "y")
    one, other = curve_figures(page)[0]["curves"]
    assert one["band"] is None and one["count"] == 1
    assert other["lines"] == [{"x": [1000], "y": [5], "count": 1}]
    assert "x has one run: no interval and no test can be made of it" in page.texts["li"]


def test_values_that_are_not_finite(tmp_path):
    make_run(tmp_path / "x", [np.nan, 2, np.inf, 4e307, 1.7e308])
    page = make_page(tmp_path / "o.html", tmp_path / "x")
    [run] = curve_figures(page)[0]["curves"][0]["runs"]
    assert run["y"] == [2, 4e307, 1.7e308]
    make_run(tmp_path / "y", [np.nan, np.nan])
    page = make_page(tmp_path / "o.html", tmp_path / "y")
    assert not page.figures
    assert "No run has finite values of Performance." in page.texts["p"]
    assert any("Performance is not compared: no finite value" in text for text in page.texts["p"])


def test_a_value_that_only_some_runs_have(tmp_path):
    make_run(tmp_path / "x", [1, 2], exp_name="x")
    make_run(tmp_path / "y", [3, 4], exp_name="y", name="Other")
    argv = ["-y", "AverageTestEpRet", "Other"]
    page = make_page(tmp_path / "o.html", tmp_path / "x", tmp_path / "y", *argv)
    labels = []
    for figure in curve_figures(page):
        labels.append([(curve["label"], curve["style"]) for curve in figure["curves"]])
    assert labels == [[("x", 0)], [("y", 1)]]
    assert [row[0] for row in page.table("Other in env unknown")[1:]] == ["y"]


def test_thinned_curves_keep_ends_and_peaks():
    y = np.zeros(100_000)
    y[[777, 40_000, 99_998]] = [5, -3, 9]
    kept = thin_curve(y)
    assert len(kept) <= 500
    assert {0, 777, 40_000, 99_998, 99_999} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()
    assert thin_curve(np.arange(500.0)).tolist() == list(range(500))
    rising = thin_curve(np.arange(501.0))
    assert len(rising) <= 500 and rising[-1] == 500
    assert thin_columns(3).tolist() == [0, 1, 2]
    assert thin_columns(9, 5).tolist() == [0, 2, 4, 6, 8]


def test_a_page_of_long_runs_is_thin(tmp_path):
    values = np.random.default_rng(0).normal(size=(2, 5000)).tolist()
    make_runs(tmp_path / "x", "x", values)
    page = make_page(tmp_path / "o.html", tmp_path / "x")
    [figure] = curve_figures(page)
    [curve] = figure["curves"]
    assert figure["thinned"]
    assert all(400 < len(line["x"]) <= 500 for line in [*curve["lines"], *curve["runs"]])
    assert len(curve["band"]["x"]) == len(curve["lines"][0]["x"])
    run = curve["runs"][1]
    assert all(values[1][int(x) // 1000 - 1] == y for x, y in zip(run["x"], run["y"]))
    assert max(run["y"]) == max(values[1]) and min(run["y"]) == min(values[1])
    assert "Long curves are thinned to about 500 points, with all their peaks." in page.texts["p"]


# Tasks and splits ---------------------------------------------------------------


def test_heatmaps_of_tasks(tmp_path):
    make_methods(tmp_path / "data", {"sac": 0.4, "ppo": 0.6}, runs=2)
    page = make_page(tmp_path / "o.html", tmp_path / "data", "-y", "TestSuccess")
    ppo, sac = grid_figures(page)
    assert (ppo["title"], sac["title"]) == ("ppo (n=2)", "sac (n=2)")
    assert sac["rows"] == ["reach", "push"]
    assert sac["edges"] == [500, 1500, 2500]  # half-way between rows at 1000 and 2000
    assert sac["cells"] == [[0, 0.5], [0, 0.3]]
    assert (sac["low"], sac["high"], sac["colors"]) == (0, 1, "values")


def test_heatmaps_of_returns(tmp_path):
    """Columns of tasks have another name than the return of all has."""
    directory = tmp_path / "x"
    directory.mkdir()
    text = "TotalEnvInteracts\tAverageTestEpRet\tTestEpRet/a\tTestEpRet/b\n1000\t3\t1\t5\n"
    (directory / "progress.txt").write_text(text)
    page = make_page(tmp_path / "o.html", directory)
    [grid] = grid_figures(page)
    assert grid["cells"] == [[1], [5]]
    assert (grid["low"], grid["high"]) == (1, 5)


def test_splits(tmp_path):
    make_run(tmp_path / "x", [1, 2])
    write_splits(tmp_path / "x", split_network())
    page = make_page(tmp_path / "o.html", tmp_path / "x")
    first, _, second, cosines = grid_figures(page)
    assert first["edges"] == [0, 40] and first["cells"] == [[0], [0], [0]]
    assert second["colors"] == "copies"
    assert second["edges"] == [0, 10, 30, 40]
    assert second["cells"] == [[0, 0, 0], [0, 1, 1], [0, 1, 2]]
    assert cosines["cells"] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert cosines["columns"] == second["rows"]
    assert "Pi: sharing score 0.50" in page.texts["h3"]


def test_splits_of_units(tmp_path):
    make_run(tmp_path / "x", [1, 2])
    layers = [{"name": "kernel", "regions": 2, "size": 3}]
    write_splits(tmp_path / "x", split_network(layers=layers))
    page = make_page(tmp_path / "o.html", tmp_path / "x")
    sharing, _ = grid_figures(page)
    assert sharing["colors"] == "values" and sharing["high"] == 1
    assert sharing["edges"] == [0, 10, 40]  # the share doesn't change at 30
    assert sharing["cells"] == [[0, 0], [0, 0.5], [0, 0.5]]


@pytest.mark.parametrize(
    "changed",
    [
        {"maps": "no"},
        {"maps": [[0, 0, 0], [0, 1]]},
        {"events": [3]},
        {"updates": None},
        {"cosines": []},
        {"cosines": [[[1]], [[1]]]},
        {"sharing": "much"},
        {"layers": [{"name": "kernel", "regions": "many"}]},
        {"most": float("nan")},
        {"most": [1]},
    ],
)
def test_splits_that_no_run_wrote(tmp_path, capsys, changed):
    make_run(tmp_path / "x", [1, 2])
    write_splits(tmp_path / "x", split_network(**changed))
    page = make_page(tmp_path / "o.html", tmp_path / "x")
    assert not grid_figures(page)
    assert "splits.json is not as a run writes it" in capsys.readouterr().err


# The command --------------------------------------------------------------------


def test_what_is_refused(tmp_path, capsys):
    make_runs(tmp_path / "x", "x", [[1, 2]])
    folder = tmp_path / "folder.html"
    folder.mkdir()
    for flags, message in (
        (["-o", tmp_path / "o.pdf"], "--out must end with .html, got"),
        (["-o", folder], "is a folder"),
        (["-o", tmp_path / "x" / "x_s0" / "progress.txt" / "o.html"], "cannot write"),
        (["-y"], "--value needs at least one column"),
        (["-y", "Nothing"], "has no column Nothing"),
        (["-s", "0"], "--smooth must be at least 1"),
        (["-l", "a", "b"], "--legend needs one label per logdir"),
        (["--baseline", "y"], "no method is called y; the closest are x"),
        (["--last", "0"], "--last must be at least 1"),
    ):
        assert message in refused(capsys, "report", tmp_path / "x", *flags), flags
    assert "no run under" in refused(capsys, "report", tmp_path / "nothing")


def test_an_old_page_stays_until_the_new_one_is_whole(tmp_path, capsys):
    make_runs(tmp_path / "x", "x", [[1, 2]])
    out = tmp_path / "o.html"
    first = make_page(out, tmp_path / "x").text
    refused(capsys, "report", tmp_path / "x", "-y", "Nothing", "-o", out)
    assert out.read_text(encoding="utf-8") == first
    assert make_page(out, tmp_path / "x").text == first  # the same runs make the same page
    assert not list(tmp_path.glob("*.tmp"))


def test_ten_runs_are_fast_and_small(tmp_path):
    """Ten runs of ten tasks and 1000 rows."""
    rng = np.random.default_rng(0)
    tasks = [f"TestSuccess/task-{number}" for number in range(10)]
    header = "\t".join(["TotalEnvInteracts", "TestSuccess", "Time", *tasks])
    for exp_name in ("a", "b"):
        for seed in range(5):
            folder = tmp_path / exp_name / f"{exp_name}_s{seed}"
            folder.mkdir(parents=True)
            rows = rng.random((1000, 13))
            rows[:, 0] = np.arange(1000)
            np.savetxt(folder / "progress.txt", rows, delimiter="\t", header=header, comments="")
            (folder / "config.json").write_text(json.dumps({"exp_name": exp_name, "seed": seed}))
    before = time.process_time()
    page = make_page(tmp_path / "o.html", tmp_path / "a", tmp_path / "b", "-y", "TestSuccess")
    assert time.process_time() - before < 10
    assert len(page.text) < 5e6


def test_the_commands_of_the_documentation(tmp_path, monkeypatch):
    make_methods(tmp_path / "data", {"sac_MT10": 0.5, "sac_MT10_pcgrad": 0.6}, env="MT10")
    monkeypatch.chdir(tmp_path)
    commands = examples("Reports", "sh")[0].splitlines()
    assert len(commands) == 2
    for line in commands:
        python, script, command, *argv = shlex.split(line)
        assert (python, script, command) == ("python", "main.py", "report")
        page = make_page(tmp_path / "report.html", *argv)
    labels = [curve["label"] for curve in curve_figures(page)[0]["curves"]]
    assert labels == ["sum", "PCGrad"]
