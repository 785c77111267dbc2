"""Compare: scores of runs, tables, figures and what it can't tell. Values worked by hand."""

import csv
import io
import json
import math
import shlex
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from rl.__main__ import main
from rl.experiments.commands.compare import make_reports, parse
from rl.experiments.comparison.beside import Beside, values_beside
from rl.experiments.comparison.report import method_table, notes, number, task_table
from rl.experiments.comparison.run_scores import Scoring, score_run
from rl.experiments.comparison.writers import as_csv, escape
from rl.experiments.plots.columns import Run
from tests.helpers import refused
from tests.helpers_compare import examples, make_methods, make_task_run
from tests.plot_runs import make_run, make_runs


def reports(*argv):
    """What the command computes."""
    return make_reports(parse([str(arg) for arg in argv]))


def summaries(report):
    """By label."""
    return {summary.method.label: summary for summary in report.summaries}


def ends(folder, exp_name, scores, **config):
    """A run for each score, which it has in its last of two rows; the first is 0."""
    make_runs(folder, exp_name, [[0, score] for score in scores], **config)


ROOT = Path(__file__).parents[1]


# Scores of runs -----------------------------------------------------------------


ROWS = Run(
    None,
    {"num_test_episodes": 4},
    {
        "TotalEnvInteracts": np.array([1.0, 2, 3, 4, 5, 6]),
        "AverageTestEpRet": np.array([9.0, 2, np.nan, 4, 6, np.nan]),
        "TestEpRet/a": np.array([0.0, 1, 0, 3, 5, 0]),
        "TestEpRet/b": np.array([1.0, 3, 0, np.nan, 7, 0]),
    },
)


@pytest.mark.parametrize(
    "scoring, total, by_task, steps, episodes",
    [
        (Scoring("Performance"), 4, {"a": 3, "b": 5}, 5, 24),  # the rows of 2, 4 and 6
        (Scoring("Performance", "last"), 6, {"a": 5, "b": 7}, 5, 8),
        (Scoring("Performance", "best", None), 9, {"a": 0, "b": 1}, 5, 8),
        (Scoring("Performance", "best", 3), 6, {"a": 5, "b": 7}, 5, 8),
        (Scoring("Performance", "mean", 3, 4), 5, {"a": 4 / 3, "b": 2}, 4, 24),
        (Scoring("Performance", "mean", None, 2.5), 5.5, {"a": 0.5, "b": 2}, 2, 16),
        (Scoring("Performance", "last", scales={"b": 5}), 3.2, {"a": 5, "b": 1.4}, 5, 8),
    ],
)
def test_scores_of_a_run(scoring, total, by_task, steps, episodes):
    score = score_run(ROWS, scoring)
    assert score.total == total and score.by_task == pytest.approx(by_task)
    assert (score.steps, score.episodes) == (steps, episodes)


def test_a_run_without_a_row_that_counts():
    assert score_run(ROWS, Scoring("Performance", steps=0.5)) is None


def test_a_scale_of_one_changes_nothing():
    """Task b has no value in the row of 4; the others are the mean of what tasks have there."""
    columns = ROWS.columns | {"AverageTestEpRet": np.array([0.5, 2, np.nan, 3, 6, np.nan])}
    run = ROWS._replace(columns=columns)
    for kind, rows in (("mean", 3), ("last", None), ("best", None)):
        plain = score_run(run, Scoring("Performance", kind, rows))
        scaled = score_run(run, Scoring("Performance", kind, rows, scales={"b": 1}))
        assert scaled.by_task == plain.by_task and scaled.steps == plain.steps == 5
        assert scaled.total == pytest.approx(np.mean(list(plain.by_task.values())))


def test_the_area_is_of_the_tasks_that_are_compared(tmp_path, capsys):
    """Only push is in all runs: from 0 to 0.4 in a, from 0 to 0.2 in b."""
    make_task_run(tmp_path / "a", {"push": [0, 0.4], "reach": [1, 1]}, "a")
    make_task_run(tmp_path / "b", {"push": [0, 0.2]}, "b")
    (report,) = reports(tmp_path, "-y", "TestSuccess", "--score", "last")
    found = summaries(report)
    assert [found[name].mean.value for name in "ab"] == [0.4, 0.2]
    assert [found[name].area.value for name in "ab"] == pytest.approx([0.2, 0.1])
    assert "left out, being tasks that not every run has: reach" in capsys.readouterr().err


def test_the_area_of_a_run_that_was_never_tested(tmp_path):
    """A run whose column is empty, or missing, has an evaluation and no area; those of the others
    stay theirs."""
    make_run(tmp_path / "a_s0", [math.nan, math.nan], exp_name="a")
    make_run(tmp_path / "b_s0", [2, 4], exp_name="b")
    make_run(tmp_path / "c_s0", [1, 1], exp_name="c")
    lacking = "Epoch\tTotalEnvInteracts\n0\t1000\n1\t2000\n"
    (tmp_path / "c_s0" / "progress.txt").write_text(lacking)
    for name in "abc":
        evaluation = {"step": 2000, "episodes": 1, "return_mean": 7}
        (tmp_path / f"{name}_s0" / "eval.json").write_text(json.dumps(evaluation))
    (report,) = reports(tmp_path, "-y", "AverageTestEpRet", "--score", "eval")
    found = summaries(report)
    assert [found[name].mean.value for name in "abc"] == [7, 7, 7]
    areas = [found[name].area.value for name in "abc"]
    np.testing.assert_equal(areas, [math.nan, 3, math.nan])


def test_best_rows_are_judged_by_what_a_run_had_to_choose_from(tmp_path, capsys):
    """Runs of equal length, whose best rows aren't; and one that is twice as long, whose best row
    is at the same step."""
    make_run(tmp_path / "a_s0", [3, 2, 1, 1], exp_name="a")
    make_run(tmp_path / "b_s0", [1, 2, 1, 3], exp_name="b")
    reports(tmp_path, "--score", "best")
    assert capsys.readouterr().err == ""
    make_run(tmp_path / "c_s0", [3, 2, 1, 1, 1, 1, 1, 1], exp_name="c")
    reports(tmp_path, "--score", "best")
    assert "a 4000; b 4000; c 8000; see --at" in capsys.readouterr().err


def test_an_evaluation_without_a_number_of_a_task_is_left_out(tmp_path, capsys):
    for seed, value in enumerate((math.nan, 0.5)):
        place = tmp_path / f"a_s{seed}"
        make_task_run(place, {"push": [0, 1]}, "a", seed)
        tasks = {"push": {"success": value, "return": 1}}
        evaluation = {"step": 2000, "episodes": 9, "success_mean": 0.5, "tasks": tasks}
        (place / "eval.json").write_text(json.dumps(evaluation))
    (report,) = reports(tmp_path, "-y", "TestSuccess", "--score", "eval")
    assert report.summaries[0].method.count == 1
    assert f"left out, having no finite TestSuccess that counts: {tmp_path / 'a_s0'}" in (
        capsys.readouterr().err
    )


def test_seeds_needed_are_for_what_the_correction_asks(tmp_path):
    """Eleven methods against one: of each ten seeds with a Welch p near 0.005, by Holm 0.06."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(10)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    for number in range(12):
        shift = 1.4 if number == 1 else 0
        ends(tmp_path / f"m{number}", f"m{number}", list(noise + shift))
    (report,) = reports(tmp_path, "--score", "last", "--baseline", "m0")
    difference = summaries(report)["m1"].difference
    assert difference.welch_p < 0.01 and difference.holm_p > 0.05
    assert difference.runs_needed > 10


def test_no_number_of_seeds_is_known_where_none_differ(tmp_path):
    for runs in (3, 5):
        ends(tmp_path / f"a{runs}", f"a{runs}", [0.7] * runs)
        ends(tmp_path / f"b{runs}", f"b{runs}", [0.1] * runs)
        (report,) = reports(tmp_path, "--score", "last", "--select", f"{runs}_s")
        assert summaries(report)[f"b{runs}"].difference.runs_needed is None


def test_scales_of_tasks(tmp_path):
    """Of 0, 0.6 and 0, 0.2 the second ends at 0.1: a mean of 0.35 at the end, half of it on the
    way."""
    make_task_run(tmp_path / "a", {"reach": [0, 0.6], "push": [0, 0.2]}, "a")
    scale = ("-y", "TestSuccess", "--score", "last", "--scale", "push=2")
    (report,) = reports(tmp_path, *scale)
    (summary,) = report.summaries
    assert summary.method.scores.tolist() == [[0.6, 0.1]]
    assert summary.mean.value == pytest.approx(0.35)
    assert summary.area.value == pytest.approx(0.175)
    assert notes(report)[0].startswith(
        "score of a run: last row of TestSuccess, push divided by 2, each of 2 tasks"
    )


def test_scores_of_an_evaluation(tmp_path):
    """Whatever the rows say; its episodes are those that rates are made of."""
    make_task_run(tmp_path / "a", {"reach": [0, 0.6], "push": [0, 0.2]}, "a")
    tasks = {"reach": {"success": 1.0, "return": 9.0}, "push": {"success": 0.5, "return": 7.0}}
    found = {"step": 2000, "episodes": 40, "success_mean": 0.75, "return_mean": 8.0, "tasks": tasks}
    (tmp_path / "a" / "eval.json").write_text(json.dumps(found))
    (report,) = reports(tmp_path, "-y", "TestSuccess", "--score", "eval")
    (summary,) = report.summaries
    assert summary.method.scores.tolist() == [[1.0, 0.5]] and summary.method.episodes == 40
    assert summary.area.value == pytest.approx(0.2)
    assert notes(report)[0].startswith("score of a run: TestSuccess of the episodes of eval")
    run = Run(tmp_path / "a", {}, {})
    assert score_run(run, Scoring("Performance", "eval", scales={"reach": 9})).total == 4


def evaluate_as_if(run, step=2000, **asked):
    """Writes what `eval --save` would."""
    asked = {"episodes": 10, "checkpoint": "last", "split": "", "noise": False, "seed": 0} | asked
    found = {"step": step, "episodes": 10, "return_mean": 1.0, "asked": asked}
    (run / "eval.json").write_text(json.dumps(found))


@pytest.mark.parametrize(
    "other, words",
    [
        ({}, ""),
        ({"seed": 7}, ""),
        ({"noise": True}, "runs were evaluated with another --noise: False of "),
        ({"checkpoint": "best"}, "runs were evaluated with another --checkpoint: last of "),
        ({"step": 1000}, "was evaluated at env step 1000 and has 2000 now"),
    ],
)
def test_evaluations_that_cannot_be_compared_are_told(tmp_path, capsys, other, words):
    ends(tmp_path, "a", [1])
    ends(tmp_path, "b", [2])
    evaluate_as_if(tmp_path / "a_s0")
    evaluate_as_if(tmp_path / "b_s0", **other)
    reports(tmp_path, "-y", "AverageTestEpRet", "--score", "eval")
    told = capsys.readouterr().err
    assert words in told and bool(words) == bool(told)


def test_an_evaluation_that_says_too_much(tmp_path, capsys):
    ends(tmp_path, "a", [1])
    found = {"step": 1, "episodes": math.inf, "return_mean": 1.0}
    (tmp_path / "a_s0" / "eval.json").write_text(json.dumps(found))
    argv = ("compare", tmp_path, "-y", "AverageTestEpRet", "--score", "eval")
    assert "is not as eval --save writes it" in refused(capsys, *argv)


def test_training_returns_beside_test_returns_are_told(tmp_path, capsys):
    ends(tmp_path, "a", [1, 2])
    make_run(tmp_path / "b_s0", [9, 9], exp_name="b", name="Other")
    reports(tmp_path, "--score", "last")
    assert f"Performance is the training return of {tmp_path / 'b_s0'}" in capsys.readouterr().err


# Numbers ------------------------------------------------------------------------


def test_two_methods_of_five_runs(tmp_path):
    """Means 3 and 13, both of 5 numbers a step apart: no overlap."""
    ends(tmp_path / "a", "a", [1, 2, 3, 4, 5])
    ends(tmp_path / "b", "b", [11, 12, 13, 14, 15])
    bootstrap = ("--score", "last", "--interval", "bootstrap")
    (report,) = reports(tmp_path / "a", tmp_path / "b", *bootstrap)
    found = summaries(report)
    assert report.baseline == "a" and found["a"].difference is None
    assert found["a"].mean.value == 3 and found["a"].mean.kind == "bootstrap"
    assert found["a"].iqm.value == pytest.approx((0.75 * 2 + 3 + 0.75 * 4) / 2.5)
    assert found["a"].area.value == 1.5  # from 0 to its score
    difference = found["b"].difference
    assert difference.mean.value == 10 and difference.mean.kind == "bootstrap"
    assert difference.permutation_p == pytest.approx(2 / 252)
    wanted = stats.ttest_ind([11, 12, 13, 14, 15], [1, 2, 3, 4, 5], equal_var=False)
    assert difference.welch_p == difference.holm_p == pytest.approx(wanted.pvalue)
    assert difference.improvement[:2] == (1, (1, 1)) and difference.significant
    (turned,) = reports(tmp_path / "a", tmp_path / "b", "--score", "last", "--baseline", "b")
    turned = summaries(turned)
    assert turned["a"].difference.mean.value == -10
    assert turned["a"].difference.improvement.value == 0


def test_fewer_than_five_runs_have_t_intervals(tmp_path):
    """Means 5 and 6; of 2, 4, 9 the t interval is 5 +- 4.302653 sqrt(13 / 3)."""
    ends(tmp_path / "a", "a", [2, 4, 9])
    ends(tmp_path / "b", "b", [3, 5, 10])
    (report,) = reports(tmp_path, "--score", "last")
    found = summaries(report)
    half = 4.302653 * math.sqrt(13 / 3)
    assert found["a"].mean.kind == "t"
    assert found["a"].mean.interval == pytest.approx((5 - half, 5 + half), rel=1e-6)
    difference = found["b"].difference
    assert difference.mean.kind == "t" and difference.improvement.interval is None
    assert difference.improvement.value == 6 / 9  # of 3, 5, 10 against 2, 4, 9: 1 + 2 + 3 wins
    text = "\n".join(notes(report))
    assert "fewer than 5 runs have t intervals" in text
    assert "too few seeds to tell b from a: the difference of 1.000 would take about 206" in text


def test_t_intervals_are_the_default(tmp_path):
    ends(tmp_path, "a", [1, 2, 3, 4, 5])
    (report,) = reports(tmp_path, "--score", "last")
    (found,) = report.summaries
    half = stats.t.ppf(0.975, 4) * math.sqrt(2.5 / 5)
    assert found.mean.kind == "t"
    assert found.mean.interval == pytest.approx((3 - half, 3 + half))


def test_eight_runs_have_bca_intervals(tmp_path):
    ends(tmp_path / "a", "a", range(8))
    ends(tmp_path / "b", "b", range(1, 9))
    for flags, kind in (([], "BCa"), (["--unit", "task"], "bootstrap")):
        (report,) = reports(tmp_path, "--interval", "bootstrap", *flags)
        difference = summaries(report)["b"].difference
        assert difference.mean.kind == kind
        assert difference.mean.interval.low < 1 < difference.mean.interval.high


@pytest.mark.parametrize(
    "value, shown",
    [
        (0.0, "0.000"),
        (-0.12345, "-0.123"),
        (99.96, "100.0"),
        (-3321.4, "-3321"),
        (2.5e8, "2.5e+08"),
        (3.14e-6, "3.1e-06"),
        (math.nan, "-"),
    ],
)
def test_numbers_in_tables(value, shown):
    assert number(value) == shown


def test_a_difference_too_small_to_find(tmp_path):
    ends(tmp_path / "a", "a", [1, 2, 3])
    ends(tmp_path / "b", "b", [1, 2, 3.001])
    (report,) = reports(tmp_path, "--score", "last")
    assert notes(report)[-1].endswith("of 0.00033 would take more than 1000 seeds a method")


def test_holm_over_three_methods(tmp_path):
    ends(tmp_path / "a", "a", [1, 2, 3])
    ends(tmp_path / "b", "b", [2, 3, 4])
    ends(tmp_path / "c", "c", [11, 12, 13])
    (report,) = reports(tmp_path, "--score", "last")
    found = summaries(report)
    b = found["b"].difference
    c = found["c"].difference
    assert c.holm_p == pytest.approx(2 * c.welch_p) and b.holm_p == pytest.approx(b.welch_p)


def test_tasks(tmp_path):
    """Rates of 0.5 + (-0.04, .., 0.04) and 0.7 + the same; tasks are 0.1 above and below."""
    make_methods(tmp_path, {"a": 0.5, "b": 0.7})
    (report,) = reports(tmp_path / "a", tmp_path / "b", "-y", "TestSuccess", "--score", "last")
    assert report.env == "MT2"
    found = summaries(report)
    assert found["a"].method.scores.shape == (5, 2)
    assert found["a"].method.tasks == ("reach", "push")
    assert found["b"].mean.value == pytest.approx(0.7)
    assert [task.value for task in found["b"].tasks] == pytest.approx([0.8, 0.6])
    assert found["b"].difference.mean.value == pytest.approx(0.2)
    assert found["b"].difference.improvement.value == 1
    header, reach, push = task_table(report)
    assert header == ["task", "a", "b"] and reach[0] == "reach" and push[0] == "push"
    assert reach[1].startswith("0.600 [") and push[2].startswith("0.600 [")


def test_whole_runs_are_wider_than_the_runs_of_each_task(tmp_path):
    make_methods(tmp_path, {"a": 0.5})
    widths = {}
    flags = ("-y", "TestSuccess", "--score", "last", "--interval", "bootstrap")
    for unit in ("run", "task"):
        (report,) = reports(tmp_path, *flags, "--unit", unit)
        low, high = report.summaries[0].mean.interval
        widths[unit] = high - low
    assert widths["task"] < 0.8 * widths["run"]  # sqrt(1 / 2), by two tasks that say the same


def test_tasks_that_only_some_runs_have(tmp_path, capsys):
    make_task_run(tmp_path / "a_s0", {"x": [0.5], "y": [0.1]}, "a")
    make_task_run(tmp_path / "b_s0", {"x": [0.7], "z": [0.3]}, "b")
    (report,) = reports(tmp_path, "-y", "TestSuccess")
    assert [summary.mean.value for summary in report.summaries] == [0.5, 0.7]
    assert "left out, being tasks that not every run has: y, z" in capsys.readouterr().err
    make_task_run(tmp_path / "c_s0", {"w": [0.7]}, "c")
    (report,) = reports(tmp_path, "-y", "TestSuccess")
    found = [summary.mean.value for summary in report.summaries]
    assert found == pytest.approx([0.3, 0.5, 0.7])
    assert "share no tasks" in capsys.readouterr().err


@pytest.mark.parametrize("runs", [2, 3, 5, 9])
def test_intervals_of_rates_stay_inside(tmp_path, runs):
    for name, scores in {"bad": [0, 0.1], "good": [1, 0.7], "sure": [1, 1]}.items():
        for seed in range(runs):
            rates = {"x": [scores[seed % 2]]}
            make_task_run(tmp_path / name / f"{name}_s{seed}", rates, name, seed)
    for flags in ([], ["--interval", "t"]):
        (report,) = reports(tmp_path, "-y", "TestSuccess", *flags)
        for summary in report.summaries:
            for estimate in (summary.mean, summary.iqm, *summary.tasks):
                assert 0 <= estimate.interval.low <= estimate.interval.high <= 1
            if summary.difference:
                low, high = summary.difference.mean.interval
                assert -1 <= low <= high <= 1
        assert summaries(report)["sure"].mean.interval == (1, 1)


def test_one_run_has_no_interval(tmp_path, capsys):
    ends(tmp_path / "a", "a", [1, 2, 3])
    ends(tmp_path / "b", "b", [7])
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--score", "last"]) == 0
    printed = capsys.readouterr().out
    assert "b has one run: no interval and no test can be made of it" in printed
    row = next(line.split() for line in printed.splitlines() if line.startswith("b  "))
    assert row == ["b", "1", "7.000", "7.000", "-", "3.500", "5.000", "-", "-", "-", "-", "1.000"]
    assert main(["compare", str(tmp_path / "b")]) == 0
    assert "nothing is tested: there is no other method" in capsys.readouterr().out


def test_equal_scores(tmp_path):
    ends(tmp_path / "a", "a", [2] * 5)
    ends(tmp_path / "b", "b", [2] * 5)
    ends(tmp_path / "c", "c", [3] * 5)
    (report,) = reports(tmp_path, "--score", "last")
    found = summaries(report)
    same = found["b"].difference
    assert found["a"].mean.interval == (2, 2) and same.mean.interval == (0, 0)
    assert same.improvement[:2] == (0.5, (0.5, 0.5))
    assert (same.welch_p, same.permutation_p, same.holm_p) == (1, 1, 1)
    apart = found["c"].difference
    assert math.isnan(apart.welch_p) and math.isnan(apart.holm_p)
    assert apart.permutation_p == pytest.approx(2 / 252)


def test_envs_are_compared_apart(tmp_path, capsys):
    ends(tmp_path / "ant", "ant", [1, 2], env="Ant-v5", algo="sac")
    ends(tmp_path / "ant_ppo", "ant_ppo", [2, 3], env="Ant-v5", algo="ppo")
    ends(tmp_path / "hopper", "hopper", [8, 9], env="Hopper-v5", algo="sac")
    ant, hopper = reports(tmp_path, "--baseline", "ant")
    assert (ant.env, ant.baseline, len(ant.summaries)) == ("Ant-v5", "ant", 2)
    assert (hopper.env, hopper.baseline, len(hopper.summaries)) == ("Hopper-v5", "", 1)
    assert "nothing is tested in Hopper-v5: it has no run of ant" in capsys.readouterr().err


def test_cut_and_uneven_budgets(tmp_path, capsys):
    make_runs(tmp_path / "a", "a", [[1, 2, 3, 4], [2, 3, 4, 5]])
    make_runs(tmp_path / "b", "b", [[5, 6], [6, 7]])
    (report,) = reports(tmp_path, "--score", "last")
    assert [summary.mean.value for summary in report.summaries] == [4.5, 6.5]
    assert "different numbers of env steps: a 4000; b 2000; see --at" in capsys.readouterr().err
    (report,) = reports(tmp_path, "--score", "last", "--at", "2e3")
    assert [summary.mean.value for summary in report.summaries] == [2.5, 6.5]
    assert [summary.area.value for summary in report.summaries] == [2, 6]
    assert "last row of Performance up to 2000 env steps" in notes(report)[0]
    assert not capsys.readouterr().err


def test_the_gap_to_a_target(tmp_path):
    ends(tmp_path, "a", [100, 300])
    (report,) = reports(tmp_path, "--score", "last", "--target", "200")
    header, row = method_table(report)
    assert row[header.index("gap to 200.0")] == "50.0"


def test_other_columns_beside_the_scores():
    runs = [ROWS, ROWS._replace(columns={"TotalEnvInteracts": np.array([1.0, 2])})]
    values = {
        ("TestEpRet/a", "last", None): 0,
        ("TestEpRet/a", "mean", None): 9 / 6,
        ("TestEpRet/a", "sum", None): 9,
        ("TestEpRet/a", "last", 4.5): 3,
        ("TestEpRet/a", "sum", 4.5): 4,
        ("AverageTestEpRet", "last", None): 6,  # the last row that has a value
        ("AverageTestEpRet", "mean", None): 21 / 4,
    }
    for (name, kind, steps), expected in values.items():
        found = values_beside(runs, Beside(name, kind), steps)
        np.testing.assert_equal(found, [expected, math.nan])
    assert math.isnan(values_beside(runs[:1], Beside("AverageTestEpRet"), 0.5)[0])


def test_means_over_runs_beside_the_scores(tmp_path):
    ends(tmp_path, "a", [1, 3])
    ends(tmp_path, "b", [5, 6])
    (report,) = reports(tmp_path, "--beside", "AverageTestEpRet:sum", "Epoch")
    header, *rows = method_table(report)
    places = [header.index("AverageTestEpRet, sum"), header.index("Epoch")]
    assert [[row[place] for place in places] for row in rows] == [
        ["2.000", "1.000"],
        ["5.500", "1.000"],
    ]
    table = list(csv.DictReader(io.StringIO(as_csv([report]))))
    assert [row["AverageTestEpRet, sum"] for row in table] == ["2.0", "5.5"]


# Files --------------------------------------------------------------------------


def test_same_seed_same_numbers(tmp_path, capsys):
    make_methods(tmp_path, {"a": 0.5, "b": 0.52}, runs=9)
    printed = []
    for seed in (0, 0, 1):
        argv = ["compare", str(tmp_path), "-y", "TestSuccess", "--resamples", "200"]
        assert main([*argv, "--seed", str(seed)]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] != printed[2]


def test_every_kind_of_file(tmp_path, capsys):
    make_methods(tmp_path / "runs", {"a": 0.5, "b_%": 0.7})
    outs = [tmp_path / "new" / f"o{suffix}" for suffix in (".txt", ".csv", ".tex", ".png", ".svg")]
    argv = ["compare", tmp_path / "runs", "-y", "TestSuccess", "--score", "last"]
    assert main([*map(str, argv), "-o", *map(str, outs[:2]), "--out", *map(str, outs[2:])]) == 0
    text, table, latex, *pictures = outs
    assert text.read_text() == capsys.readouterr().out
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    places = [(row["method"], row["task"]) for row in rows]
    assert places == [(name, task) for name in ("a", "b_%") for task in ("", "reach", "push")]
    of_b = rows[3]
    assert float(of_b["mean"]) == pytest.approx(0.7) and of_b["runs"] == "5"
    assert float(of_b["difference"]) == pytest.approx(0.2)
    assert float(of_b["permutation_p"]) == pytest.approx(2 / 252)
    assert of_b["baseline"] == "a" and of_b["mean_interval"] == "t"
    assert float(of_b["mean_low"]) < 0.7 < float(of_b["mean_high"])
    assert float(rows[4]["mean"]) == pytest.approx(0.8) and rows[4]["welch_p"] == ""
    lines = latex.read_text().splitlines()
    assert lines[0] == "% MT2" and lines.count(r"\end{tabular}") == 2
    columns = next(line for line in lines if line.startswith(r"\begin{tabular}"))
    row = next(line for line in lines if line.startswith(r"{b\_\%}"))
    assert row.count(" & ") + 1 == len(columns.removeprefix(r"\begin{tabular}").strip("{}"))
    assert "<text" in pictures[1].read_text() or "<path" in pictures[1].read_text()
    assert pictures[0].read_bytes().startswith(b"\x89PNG")


def test_latex_is_escaped():
    assert escape("a_b 5% {x} $y\n& <\\>") == (
        r"a\_b 5\% \{x\} \$y \& \textless{}\textbackslash{}\textgreater{}"
    )


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_pictures_of_returns_and_of_single_runs(tmp_path):
    """Scores that are all the same, of one run, and the largest that there are."""
    ends(tmp_path / "a", "a", [5] * 5, env="A")
    ends(tmp_path / "b", "b", [1e308, -1e308], env="B")
    ends(tmp_path / "c", "c", [1], env="C")
    out = tmp_path / "o.pdf"
    assert main(["compare", str(tmp_path), "-o", str(out)]) == 0
    assert out.read_bytes().startswith(b"%PDF")


# Bad input ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--baseline", "sax"], "no method is called sax; the closest are sac"),
        (["-y", "AverageTestEpRt"], "no column AverageTestEpRt; the closest are AverageTestEpRet"),
        (["-y", "Nothing"], "no finite value for the mean of the last 3 rows of Nothing"),
        (["--at", "10"], "no finite value for the mean of the last 3 rows of Performance up to 10"),
        (["--at", "0"], "--at must be above 0"),
        (["--at", "nan"], "--at must be above 0"),
        (["--last", "0"], "--last must be at least 1"),
        (["--last", "2", "--score", "last"], "--last has no effect"),
        (["--resamples", "0"], "--resamples must be in"),
        (["--seed", "-1"], "--seed must be at least 0"),
        (["--beside", "Epoc"], "no column Epoc; the closest are Epoch"),
        (["--beside", "Epoch:max"], "expected COLUMN or COLUMN:{last, mean, sum}, got Epoch:max"),
        (["--target", "inf"], "--target must be finite"),
        (["-o", "o.txt", "o.jpg"], "--out must end with .csv, .tex, .txt, .png, .svg or .pdf"),
        (["--legend", "a", "b"], "--legend needs one label per logdir"),
        (["--score", "first"], "invalid choice: 'first'"),
        (["--score", "eval", "--at", "10"], "--score eval reads none"),
        (["--score", "eval", "-y", "AverageEpRet"], "eval tells of AverageTestEpRet, TestSuc"),
        (["--scale", "reach"], "expected TASK=NUMBER, above 0, got reach"),
        (["--scale", "reach=-1"], "expected TASK=NUMBER, above 0, got reach=-1"),
        (["--scale", "reach=2"], "has no Performance of a task reach; it has: none"),
    ],
)
def test_refused(tmp_path, capsys, flags, message):
    extra = "" if "Nothing" not in flags else "0\t0\tnan\t1000\t0\n"
    name = "Nothing" if extra else "AverageTestEpRet"
    make_run(tmp_path / "sac", [math.nan] if extra else [1], exp_name="sac", name=name)
    assert message in refused(capsys, "compare", tmp_path / "sac", *flags)


def test_where_no_file_can_be(tmp_path, capsys):
    ends(tmp_path / "a", "a", [1, 2])
    (tmp_path / "file").write_text("")
    assert "cannot write" in refused(
        capsys, "compare", tmp_path / "a", "-o", tmp_path / "file" / "o.csv"
    )


def test_runs_without_a_finite_value_are_left_out(tmp_path, capsys):
    make_runs(tmp_path, "a", [[1, 2, 3], [math.nan, math.inf, math.nan]])
    (report,) = reports(tmp_path)
    assert report.summaries[0].method.count == 1
    assert "left out, having no finite Performance that counts" in capsys.readouterr().err


def test_names_that_cannot_be_printed(tmp_path, capsys):
    """Lines and escapes in a stranger's config, and bytes that are no text in a folder's name."""
    ends(tmp_path / "a", "a\n\x1b[31m", [1, 2, 4], env="E\x1b[2J")
    ends(tmp_path / "b", "\udcff", [2, 3, 4], env="E\x1b[2J")
    outs = [str(tmp_path / f"o{suffix}") for suffix in (".csv", ".tex", ".txt", ".png")]
    assert main(["compare", str(tmp_path), "-o", *outs]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and "\udcff" not in printed and "tell ? from a ?[31m" in printed


# The documentation --------------------------------------------------------------


def test_the_commands_of_the_documentation(tmp_path, monkeypatch, capsys):
    levels = {"sac_MT10": 0.5, "sac_MT10_pcgrad": 0.6}
    make_methods(tmp_path / "data", levels, env="MT10")
    monkeypatch.chdir(tmp_path)
    commands = examples("Comparing methods", "sh")[0].splitlines()
    assert len(commands) == 3
    for line in commands:
        python, script, *argv = shlex.split(line)
        assert (python, script) == ("python", "main.py")
        assert main(argv) == 0
        assert capsys.readouterr().out.startswith("MT10\n")
    written = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert written == {"out.tex", "out.csv", "out.png"}
    assert "PCGrad" in (tmp_path / "out.tex").read_text()


def test_the_python_of_the_documentation():
    (block,) = examples("Comparing methods", "python")
    names = {}
    exec(compile(block, "docs/experiments.md", "exec"), names)  # pylint: disable=exec-used
    assert names["interval"].low < 0.75 < names["interval"].high
    assert names["test"].interval.low < 0.75 - 0.58 < names["test"].interval.high
    assert names["better"] == pytest.approx((21 + 24) / 50)  # by hand, of 25 pairs a task


def test_the_coverage_of_the_documentation_is_what_was_measured():
    with open(ROOT / "benchmarks" / "results" / "coverage.csv", encoding="utf-8") as file:
        measured = {}
        for row in csv.DictReader(file):
            place = (row["estimate"], row["interval"], row["scores"], row["tasks"], row["runs"])
            measured[place] = row["coverage"]
    shown = 0
    for line in (ROOT / "docs" / "experiments.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 8 or not cells[3].isdigit():
            continue
        for runs, figure in zip(("3", "5", "10", "20"), cells[4:]):
            assert measured.get((*cells[:4], runs), "-") == figure
            shown += 1
    assert shown == 4 * 22
