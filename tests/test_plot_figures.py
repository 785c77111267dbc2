"""What `plot` draws: lines, bands, legends, titles and the table."""

from pathlib import Path

import numpy as np
import pytest

from tests.plot_runs import bands, drawn, legends, lines, make_run, make_runs, panels

THICK, THIN = 1.6, 0.7
REFERENCES = Path(__file__).parent / "data" / "plots"


def test_a_mean_only_where_all_runs_have_data(tmp_path, monkeypatch):
    # the good run is faster, and ends first: no return ever falls
    make_run(tmp_path / "a" / "a_s0", [-500, -300, -100], times=[10, 20, 30])
    make_run(tmp_path / "a" / "a_s1", [-900, -800, -700, -600], times=[15, 30, 45, 60], seed=1)
    (panel,) = panels(drawn(monkeypatch, tmp_path, tmp_path / "a", "-x", "Time"))
    before, shared, after = lines(panel)
    assert shared[0] == THICK and shared[2] == [15, 20, 30]
    np.testing.assert_allclose(
        shared[3], [(-400 - 900) / 2, (-300 - 900 + 100 / 3) / 2, (-100 - 800) / 2]
    )
    assert before[0] == THIN and before[2:] == ([10, 15], [-500, -400])
    assert after[0] == THIN and after[2:] == ([30, 45, 60], [-800, -700, -600])
    assert all(np.all(np.diff(y) > 0) for *_, y in lines(panel))
    assert len({color for _, color, *_ in lines(panel)}) == 1
    (band,) = bands(panel)
    assert list(band) == [15, 20, 30]


@pytest.mark.parametrize(
    "est, end", [("mean", 2), ("median", 2), ("iqm", 2), ("max", 3), ("min", 1)]
)
def test_every_estimate_is_of_all_runs(tmp_path, monkeypatch, est, end):
    make_runs(tmp_path / "a", "a", [[1, 1], [2, 2], [3, 3, 30]])
    (panel,) = panels(drawn(monkeypatch, tmp_path, tmp_path / "a", "--est", est))
    shared, after = lines(panel)
    assert shared == (THICK, shared[1], [1000, 2000], [end, end])
    assert after == (THIN, shared[1], [2000, 3000], [3, 30])


def test_each_thin_line_is_of_the_same_runs(tmp_path, monkeypatch):
    make_runs(tmp_path / "a", "a", [[9], [3, 3], [1, 1, 1]])
    (panel,) = panels(drawn(monkeypatch, tmp_path, tmp_path / "a"))
    stretches = [line[2:] for line in lines(panel)]
    assert stretches == [([1000], [13 / 3]), ([1000, 2000], [2, 2]), ([2000, 3000], [1, 1])]


def test_the_band_is_a_t_interval(tmp_path, monkeypatch):
    make_runs(tmp_path / "a", "a", [[1], [2], [6]])
    figure = drawn(monkeypatch, tmp_path, tmp_path / "a")
    ((low, high),) = bands(panels(figure)[0])[0].values()
    # mean 3; deviations -2, -1, 3: variance 14 / 2; t(0.975, 2) = 4.302653
    half = 4.302653 * np.sqrt(7) / np.sqrt(3)
    np.testing.assert_allclose((low, high), (3 - half, 3 + half), rtol=1e-6)
    assert legends(figure) == [["mean over n runs,\nband: 95% t interval", "a (n=3)"]]


@pytest.mark.parametrize(
    "kind, low, high, name",
    [
        ("sd", 3 - np.sqrt(7), 3 + np.sqrt(7), "one standard deviation"),
        ("se", 3 - np.sqrt(7 / 3), 3 + np.sqrt(7 / 3), "one standard error"),
        ("range", 1, 6, "range of runs"),
    ],
)
def test_other_bands(tmp_path, monkeypatch, kind, low, high, name):
    make_runs(tmp_path / "a", "a", [[1], [2], [6]])
    figure = drawn(monkeypatch, tmp_path, tmp_path / "a", "--band", kind)
    np.testing.assert_allclose(list(bands(panels(figure)[0])[0].values()), [(low, high)])
    assert name in legends(figure)[0][0]


@pytest.mark.parametrize("est", ["median", "iqm"])
def test_the_default_band_of_other_estimates_is_the_bootstrap(tmp_path, monkeypatch, est):
    make_runs(tmp_path / "a", "a", [[1, 5], [2, 6], [6, 10], [7, 11], [100, 104]])
    figures = [drawn(monkeypatch, tmp_path, tmp_path / "a", "--est", est) for _ in range(2)]
    first, second = (bands(panels(figure)[0]) for figure in figures)
    assert first == second
    (low, high), later = first[0].values()
    assert low < 6 < high
    np.testing.assert_allclose(later, (low + 4, high + 4))  # whole runs are resampled
    assert legends(figures[0])[0][0] == f"{est} over n runs,\nband: 95% bootstrap interval"


def test_no_band_for_one_run_or_none(tmp_path, monkeypatch):
    make_runs(tmp_path / "a", "a", [[1, 2]])
    make_runs(tmp_path / "b", "b", [[1, 2], [3, 4]])
    one = drawn(monkeypatch, tmp_path, tmp_path / "a")
    assert not bands(panels(one)[0]) and legends(one) == [["a (n=1)"]]
    none = drawn(monkeypatch, tmp_path, tmp_path / "b", "--band", "none")
    assert not bands(panels(none)[0]) and legends(none) == [["mean over n runs", "b (n=2)"]]


def test_a_band_of_two_runs_does_not_flatten_the_curves(tmp_path, monkeypatch):
    make_runs(tmp_path / "a", "a", [[0, 100], [0, 140]])
    (panel,) = panels(drawn(monkeypatch, tmp_path, tmp_path / "a"))
    assert bands(panel)[0][2000][1] > 300  # half the difference, times t(0.975, 1) = 12.7
    low, high = panel.get_ylim()
    assert -140 <= low < 0 and 140 < high <= 280


def test_each_group_has_its_number_of_runs(tmp_path, monkeypatch):
    make_runs(tmp_path / "a", "a", [[1, 2]] * 3)
    make_runs(tmp_path / "b", "_b$x$", [[1, 2]] * 2)
    make_run(tmp_path / "c" / "c_s0", [np.nan, np.nan], exp_name="c", name="AverageTestEpRet")
    make_run(tmp_path / "c" / "c_s1", [1, 2], exp_name="c", seed=1)
    figure = drawn(monkeypatch, tmp_path, *(tmp_path / name for name in "abc"))
    assert legends(figure)[0][1:] == ["a (n=3)", "_b$x$ (n=2)", "c (n=1)"]
    figure = drawn(monkeypatch, tmp_path, tmp_path / "c", "-y", "Performance", "Epoch")
    assert legends(figure)[0][1:] == ["c (n=1, 2)"]


def test_a_row_of_panels_for_each_env(tmp_path, monkeypatch):
    for env, base in (("Hopper-v5", 100), ("Ant-v5", -100)):
        for name in ("x", "y"):
            folder = tmp_path / name
            for seed in range(2):
                run = folder / f"{env}_{name}_s{seed}"
                make_run(run, [base, base + seed], seed=seed, exp_name=name, config={"env": env})
    argv = [tmp_path / "x", tmp_path / "y", "-y", "Performance", "AverageEpRet"]
    figure = drawn(monkeypatch, tmp_path, *argv)
    found = panels(figure)
    assert [p.get_title() for p in found] == ["Ant-v5", "Ant-v5", "Hopper-v5", "Hopper-v5"]
    assert [p.get_ylabel() for p in found] == ["Performance", "AverageEpRet"] * 2
    tops = [p.get_position().y1 for p in found]
    assert tops[0] == tops[1] > tops[2] == tops[3]
    for panel, base in zip(found, (-100, -101, 100, 99)):
        assert [y for *_, y in lines(panel)] == [[base, base + 0.5]] * 2
    assert len({tuple(color for _, color, *_ in lines(panel)) for panel in found}) == 1
    assert [texts[1:] for texts in legends(figure)] == [["x (n=2)", "y (n=2)"]] * 2


def test_envs_are_not_averaged_under_one_legend_or_as_colours(tmp_path, monkeypatch):
    for seed, env in enumerate(("Hopper-v5", "Ant-v5")):
        run = tmp_path / "a" / f"a_s{seed}"
        make_run(run, [seed, seed], config={"env": env}, name="TestSuccess/push")
    figure = drawn(monkeypatch, tmp_path, tmp_path / "a", "-l", "all", "-y", "AverageEpRet")
    assert [lines(p)[0][3] for p in panels(figure)] == [[-1, -1], [0, 0]]
    figure = drawn(monkeypatch, tmp_path, tmp_path / "a", "--by_task", "-y", "TestSuccess")
    titles = [p.get_title() for p in panels(figure)]
    assert titles == ["exp, Hopper-v5 (n=1)", "exp, Ant-v5 (n=1)"]


def test_a_panel_of_runs_that_do_not_say_their_env_has_a_title(tmp_path, monkeypatch):
    make_run(tmp_path / "a", [1, 2])
    figure = drawn(monkeypatch, tmp_path, tmp_path / "a", "-y", "Performance", "AverageEpRet")
    assert [p.get_title() for p in panels(figure)] == ["Performance", "AverageEpRet"]


def test_twenty_groups_look_different(tmp_path, monkeypatch):
    for number in range(20):
        make_run(tmp_path / f"{number:02}", [1, 2], exp_name=f"e{number}")
    (panel,) = panels(drawn(monkeypatch, tmp_path, tmp_path))
    looks = {(line.get_color(), str(line._unscaled_dash_pattern)) for line in panel.get_lines()}
    assert len(panel.get_lines()) == len(looks) == 20


def test_a_run_of_one_row_is_seen(tmp_path, monkeypatch):
    make_run(tmp_path / "a", [1])
    (panel,) = panels(drawn(monkeypatch, tmp_path, tmp_path / "a"))
    assert panel.get_lines()[0].get_marker() == "o"


def test_tasks_are_averaged_only_where_all_runs_have_data(tmp_path, monkeypatch):
    for seed, values in enumerate(([0, 1], [1, 1, 0])):
        run = tmp_path / "a" / f"a_s{seed}"
        make_run(run, values, seed=seed, name="TestSuccess/push")
    figure = drawn(monkeypatch, tmp_path, tmp_path / "a", "--by_task", "-y", "TestSuccess")
    (mesh,) = panels(figure)[0].collections
    np.testing.assert_allclose(mesh.get_array(), [[0.5, 1]])


def test_a_task_that_some_run_lacks_is_told(tmp_path, monkeypatch, capsys):
    for seed, task in enumerate(("push", "reach")):
        run = tmp_path / "a" / f"a_s{seed}"
        make_run(run, [0, 1], seed=seed, name=f"TestSuccess/{task}")
    drawn(monkeypatch, tmp_path, tmp_path / "a", "--by_task", "-y", "TestSuccess")
    told = capsys.readouterr().err
    assert told == "main.py: warning: blank, having no TestSuccess in some run: push, reach\n"


@pytest.mark.parametrize("groups", [2, 12])
@pytest.mark.parametrize("flags", [1, 9])
def test_the_table_fits_below_the_panels(tmp_path, monkeypatch, groups, flags, capsys):
    for number in range(groups):
        values = {
            f"a_rather_long_name_of_flag_{f}": f"{'Wide' * 14}{number:04}" for f in range(flags)
        }
        name = f"experiment_with_a_name_of_its_own_{number}"
        make_run(tmp_path / f"{number:02}", [1, 2], exp_name=name, config=values)
    figure = drawn(monkeypatch, tmp_path, tmp_path)
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    (table,) = [table for axes in figure.get_axes() for table in axes.tables]
    box = table.get_window_extent(renderer)
    assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
    assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
    for panel in panels(figure):
        assert panel.get_tightbbox(renderer).y0 >= box.y1
    for cell in table.get_celld().values():
        text, frame = cell.get_text().get_window_extent(renderer), cell.get_window_extent(renderer)
        if cell.get_text().get_text():
            assert frame.x0 <= text.x0 and text.x1 <= frame.x1
            assert frame.y0 <= text.y0 and text.y1 <= frame.y1
    column = [table[row + 1, 1].get_text().get_text() for row in range(groups)]
    assert len(set(column)) == groups and all("…" in text for text in column)
    error = capsys.readouterr().err
    assert ("a_rather_long_name_of_flag_8" in error) == (flags == 9)


def test_the_table_shows_where_long_values_differ(tmp_path, monkeypatch):
    for number, value in enumerate(("p" * 40 + "one" + "q" * 40, "p" * 40 + "two" + "q" * 40, "")):
        make_run(tmp_path / f"{number}", [1], exp_name=f"e{number}", config={"path": value})
    figure = drawn(monkeypatch, tmp_path, tmp_path)
    (table,) = [table for axes in figure.get_axes() for table in axes.tables]
    cells = [table[row, 1].get_text().get_text() for row in (1, 2, 3)]
    assert cells == ["…pponeqq…", "…pptwoqq…", ""]


def test_legends_cover_no_curve(tmp_path, monkeypatch):
    for number in range(12):
        name = f"experiment_with_a_name_of_its_own_{number}"
        make_run(tmp_path / f"{number:02}", [1, 2], exp_name=name)
    figure = drawn(monkeypatch, tmp_path, tmp_path)
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    (legend,) = [axes.get_legend() for axes in figure.get_axes() if axes.get_legend()]
    box = legend.get_window_extent(renderer)
    assert box.x0 >= panels(figure)[0].get_tightbbox(renderer).x1
    assert box.x1 <= figure.bbox.x1 and box.y0 >= figure.bbox.y0 and box.y1 <= figure.bbox.y1
