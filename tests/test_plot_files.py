"""Run files as people have them: empty, edited, restarted, in folders of their own, of other
libraries."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from rl.__main__ import main
from rl.experiments.plots.groups import label_runs
from rl.experiments.plots.runs import find_runs
from tests.helpers import refused
from tests.plot_runs import drawn, legends, lines, make_run, panels

ROOT = Path(__file__).parents[1]
SB3 = (
    "time/total_timesteps,rollout/ep_rew_mean,time/time_elapsed,eval/mean_reward\n"
    "1000,10,3,\n"
    "2000,,,25\n"
    "2000,20,6,\n"
    "4000,,,45\n"
)
MONITOR = '#{"t_start": %s, "env_id": "Hopper-v5"}\nr,l,t\n%s'
GARAGE = (
    "Evaluation/AverageReturn,Evaluation/Iteration,TotalEnvSteps,note\n"
    '5.5,0,1000,"one, two"\n'
    "6.5,1,2000,none\n"
)
RLLAB = "Iteration,AverageReturn,NumTrajs\n0,-3,10\n1,-2,10\n"


def write(folder, text, name="progress.txt"):
    """A run that is nothing but this file."""
    folder.mkdir(parents=True, exist_ok=True)
    data = text if isinstance(text, bytes) else text.encode()
    (folder / name).write_bytes(data)


def curve(monkeypatch, tmp_path, *argv):
    """x and y of the only curve."""
    (panel,) = panels(drawn(monkeypatch, tmp_path, *argv))
    ((_, _, x, y),) = lines(panel)
    return x, y


# Left out -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "no row in"),
        (b"Epoch\tAverageEpRet\tTotalEnvInteracts\n", "no row in"),
        (b"Epoch\tAverageEpRet\n1\t\xff2\n", "progress.txt is not text in UTF-8"),
        (b"\x00\x01\tx\n1\t2\n", "progress.txt is not a table"),
    ],
)
def test_a_run_that_cannot_be_read_is_left_out(tmp_path, monkeypatch, capsys, content, reason):
    make_run(tmp_path / "a" / "good", [1, 2])
    write(tmp_path / "a" / "bad", content)
    figure = drawn(monkeypatch, tmp_path, tmp_path / "a")
    assert legends(figure) == [["exp (n=1)"]]
    error = capsys.readouterr().err
    assert reason in error and str(tmp_path / "a" / "bad") in error
    assert error.startswith("main.py: warning: left out: ") and error.count("\n") == 1
    line = refused(capsys, "plot", tmp_path / "a" / "bad", "-o", tmp_path / "o.png")
    assert reason in line


def test_a_damaged_config_leaves_out_its_run(tmp_path, monkeypatch, capsys):
    make_run(tmp_path / "good", [1, 2])
    make_run(tmp_path / "bad", [1, 2], seed=1)
    (tmp_path / "bad" / "config.json").write_text("{")
    assert legends(drawn(monkeypatch, tmp_path, tmp_path)) == [["exp (n=1)"]]
    assert "bad/config.json is not a JSON object" in capsys.readouterr().err


def test_many_empty_runs_are_named_in_one_line(tmp_path, monkeypatch, capsys):
    make_run(tmp_path / "a" / "good", [1, 2])
    for number in range(58):
        write(tmp_path / "a" / f"empty{number:02}", "")
    drawn(monkeypatch, tmp_path, tmp_path / "a")
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert all(f"empty{number:02}" in error for number in range(58))


def test_an_empty_folder_among_several_is_no_error_but_a_wrong_path_is(
    tmp_path, monkeypatch, capsys
):
    make_run(tmp_path / "a", [1, 2])
    write(tmp_path / "b", "")
    figure = drawn(monkeypatch, tmp_path, tmp_path / "a", tmp_path / "b", "-l", "A", "B")
    assert legends(figure) == [["A (n=1)"]]
    assert "none" in refused(capsys, "plot", tmp_path / "a", tmp_path / "none")


def test_a_run_without_the_column_is_left_out(tmp_path, monkeypatch, capsys):
    make_run(tmp_path / "a" / "a_s0", [1, 2], name="LossQ")
    make_run(tmp_path / "a" / "a_s1", [3, 4], seed=1)
    make_run(tmp_path / "b" / "b_s0", [5, 6], exp_name="other")
    figure = drawn(monkeypatch, tmp_path, tmp_path, "-y", "LossQ")
    assert legends(figure) == [["exp (n=1)"]]
    error = capsys.readouterr().err
    assert "no LossQ: " in error and error.count("\n") == 1
    assert "a_s1" in error and "b_s0" in error and "a_s0" not in error
    figure = drawn(monkeypatch, tmp_path, tmp_path, "-y", "Performance", "LossQ")
    assert legends(figure)[0][1:] == ["exp (n=2, 1)", "other (n=1, 0)"]
    assert "LossQ" in refused(capsys, "plot", tmp_path / "b", "-y", "LossQ")


def test_a_run_without_tasks_is_left_out(tmp_path, monkeypatch, capsys):
    make_run(tmp_path / "a" / "a_s0", [0, 1], name="TestSuccess/push")
    make_run(tmp_path / "a" / "a_s1", [0, 1], seed=1)
    figure = drawn(monkeypatch, tmp_path, tmp_path, "--by_task", "-y", "TestSuccess")
    assert [panel.get_title() for panel in panels(figure)] == ["exp (n=1)"]
    assert "a_s1" in capsys.readouterr().err
    line = refused(capsys, "plot", tmp_path, "--by_task", "-y", "Success")
    assert "by task it has: TestSuccess" in line


# The x axis ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["total-env-interacts", "Time Steps", "timesteps", "Epoch"])
def test_what_is_taken_for_the_x_axis(tmp_path, monkeypatch, capsys, name):
    write(tmp_path / "a", f"AverageEpRet\t{name}\n10\t100\n20\t200\n")
    assert curve(monkeypatch, tmp_path, tmp_path) == ([100, 200], [10, 20])
    error = capsys.readouterr().err
    assert f"{name} of {tmp_path / 'a'}" in error and error.count("\n") == 1
    assert curve(monkeypatch, tmp_path, tmp_path, "-x", name) == ([100, 200], [10, 20])
    assert not capsys.readouterr().err


def test_the_first_of_several_is_taken(tmp_path, monkeypatch):
    write(tmp_path / "a", "Epoch\tAverageEpRet\ttimesteps\tTime Steps\n1\t10\t7\t100\n")
    assert curve(monkeypatch, tmp_path, tmp_path) == ([100], [10])
    write(tmp_path / "a", "Epoch\tAverageEpRet\ttimesteps\tTotalEnvInteracts\n1\t10\t7\t500\n")
    assert curve(monkeypatch, tmp_path, tmp_path) == ([500], [10])


# Restarts, and edited files ------------------------------------------------------


def test_a_header_in_the_middle_begins_again(tmp_path, monkeypatch, capsys):
    header = "Epoch\tAverageEpRet\tTotalEnvInteracts\n"
    first = "1\t10\t1000\n2\t20\t2000\n3\t30\t3000\n"
    write(tmp_path / "a", header + first + header + "1\t11\t1000\n2\t21\t2000\n")
    assert curve(monkeypatch, tmp_path, tmp_path) == ([1000, 2000], [11, 21])
    error = capsys.readouterr().err
    assert "a/progress.txt" in error and "from 1000 on" in error and error.count("\n") == 1


def test_rows_are_replaced_from_where_x_falls_back_to(tmp_path, monkeypatch, capsys):
    rows = [(1, 10), (2, 20), (3, 30), (2, 21), (3, 31), (4, 41), (4, 42), (3, 32), ("nan", 0)]
    body = "".join(f"{x}\t{y}\n" for x, y in rows)
    write(tmp_path / "a", "TotalEnvInteracts\tAverageEpRet\n" + body)
    assert curve(monkeypatch, tmp_path, tmp_path) == ([1, 2, 3], [10, 21, 32])
    assert "replace 5 with TotalEnvInteracts from 2 on" in capsys.readouterr().err


def test_a_header_in_the_middle_replaces_equal_steps(tmp_path, monkeypatch):
    header = "TotalEnvInteracts\tAverageEpRet\n"
    write(tmp_path / "a", header + "1000\t10\n" + header + "1000\t11\n2000\t21\n")
    assert curve(monkeypatch, tmp_path, tmp_path, "-s", "3") == ([1000, 2000], [16, 16])


def test_equal_steps_in_a_row_are_no_restart(tmp_path, monkeypatch, capsys):
    make_run(tmp_path / "a", [1, 2, 3])
    write(tmp_path / "b", "TotalEnvInteracts\tAverageEpRet\n1\t10\n2\tnan\n2\t20\n")
    assert curve(monkeypatch, tmp_path, tmp_path / "b") == ([1, 2], [10, 20])
    assert curve(monkeypatch, tmp_path, tmp_path / "a")[1] == [1, 2, 3]
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.removesuffix(b"\n"),
        lambda data: data.replace(b"\n", b"\r\n").removesuffix(b"\r\n"),
        lambda data: b"\n" + data + b"\n\n",
    ],
)
def test_files_that_an_editor_has_saved(tmp_path, monkeypatch, capsys, change):
    data = b"TotalEnvInteracts\tAverageEpRet\n1\t10\n2\t20\n"
    write(tmp_path / "a", change(data))
    assert curve(monkeypatch, tmp_path, tmp_path) == ([1, 2], [10, 20])
    assert not capsys.readouterr().err


def test_rows_that_are_not_whole_are_told(tmp_path, monkeypatch, capsys):
    data = b"TotalEnvInteracts\tAverageEpRet\n1\t10\n2\n3\t30\n4"
    write(tmp_path / "a", data)
    assert curve(monkeypatch, tmp_path, tmp_path) == ([1, 3], [10, 30])
    assert "a/progress.txt: left out 2 of 4 rows, which are not whole" in capsys.readouterr().err


# Folders ------------------------------------------------------------------------


def test_a_run_directory_may_be_a_link(tmp_path):
    """In an experiment's folder too, where it belongs to the runs beside it."""
    for seed, folder in enumerate(("exp", "disk")):
        make_run(tmp_path / folder / f"exp_s{seed}", [1, 2], seed=seed)
    (tmp_path / "exp" / "exp_s1").symlink_to(tmp_path / "disk" / "exp_s1")
    (tmp_path / "exp" / "broken").symlink_to(tmp_path / "nowhere")
    groups = label_runs(find_runs([str(tmp_path / "exp")]), None, False)
    assert [(group.label, len(group.runs)) for group in groups] == [("exp", 2)]


def test_experiments_of_one_name_in_different_folders_are_not_averaged(tmp_path, monkeypatch):
    for env, base in (("Ant-v2", 10), ("Reacher-v2", -10)):
        for seed in range(2):
            folder = tmp_path / "SAC" / env / f"sac_s{seed}"
            make_run(folder, [base, base + seed], seed=seed, exp_name="sac")
    figure = drawn(monkeypatch, tmp_path, tmp_path / "SAC")
    assert legends(figure)[0][1:] == ["sac Ant-v2 (n=2)", "sac Reacher-v2 (n=2)"]
    assert [y for *_, y in lines(panels(figure)[0])] == [[10, 10.5], [-10, -9.5]]


def test_the_shortest_part_of_the_paths_tells_folders_apart(tmp_path, monkeypatch):
    for folder in ("x/one/a", "x/two/b", "y/one/c"):
        write(tmp_path / folder / "run", "TotalEnvInteracts\tAverageEpRet\n1\t10\n")
    figure = drawn(monkeypatch, tmp_path, tmp_path / "x", tmp_path / "y")
    assert legends(figure) == [["run a (n=1)", "run b (n=1)", "run c (n=1)"]]
    figure = drawn(monkeypatch, tmp_path, tmp_path / "x" / "one", tmp_path / "y" / "one")
    assert legends(figure) == [["run x (n=1)", "run y (n=1)"]]


def test_flags_and_envs_tell_folders_apart_first(tmp_path, monkeypatch):
    for number, env in enumerate(("Ant-v5", "Hopper-v5")):
        for rate in (1, 2):
            folder = tmp_path / f"{env}_{rate}" / "x_s0"
            make_run(folder, [number], exp_name="x", config={"env": env, "q_lr": rate})
    figure = drawn(monkeypatch, tmp_path, tmp_path)
    assert legends(figure) == [["x q_lr=1 (n=1)", "x q_lr=2 (n=1)"]] * 2


def test_a_legend_pools_folders_and_says_so(tmp_path, monkeypatch, capsys):
    for env in ("Ant-v2", "Reacher-v2"):
        make_run(tmp_path / env / "sac_s0", [1, 2], exp_name="sac")
    figure = drawn(monkeypatch, tmp_path, tmp_path, "-l", "all")
    assert legends(figure)[0][1:] == ["all (n=2)"]
    assert "different flags: all (folder)" in capsys.readouterr().err


# Other libraries -----------------------------------------------------------------


def test_stable_baselines3_progress(tmp_path, monkeypatch, capsys):
    write(tmp_path / "a", SB3, "progress.csv")
    assert curve(monkeypatch, tmp_path, tmp_path) == ([2000, 4000], [25, 45])
    assert "time/total_timesteps of " in capsys.readouterr().err
    argv = (tmp_path, "-y", "AverageEpRet")
    assert curve(monkeypatch, tmp_path, *argv) == ([1000, 2000], [10, 20])
    assert curve(monkeypatch, tmp_path, *argv, "-x", "Time") == ([3, 6], [10, 20])
    assert curve(monkeypatch, tmp_path, tmp_path, "-y", "rollout/ep_rew_mean")[1] == [10, 20]


def test_stable_baselines3_monitor(tmp_path, monkeypatch, capsys):
    write(tmp_path / "a", MONITOR % (100.5, "1.5,10,0.1\n-0.5,5,0.2\n2,20,0.3\n"), "monitor.csv")
    figure = drawn(monkeypatch, tmp_path, tmp_path)
    (panel,) = panels(figure)
    assert panel.get_title() == "Hopper-v5"
    assert lines(panel)[0][2:] == ([10, 15, 35], [1.5, -0.5, 2])
    assert not capsys.readouterr().err
    assert curve(monkeypatch, tmp_path, tmp_path, "-x", "Time")[0] == [0.1, 0.2, 0.3]


def test_monitors_of_several_envs_are_one_run(tmp_path, monkeypatch):
    write(tmp_path / "a", MONITOR % (100, "1,10,1\n3,10,3\n"), "0.monitor.csv")
    write(tmp_path / "a", MONITOR % (101, "2,5,1\n4,5,3\n"), "1.monitor.csv")
    write(tmp_path / "a", MONITOR % (99, ""), "2.monitor.csv")
    write(tmp_path / "a", "", "3.monitor.csv")
    assert curve(monkeypatch, tmp_path, tmp_path) == ([10, 15, 25, 30], [1, 2, 3, 4])
    assert curve(monkeypatch, tmp_path, tmp_path, "-x", "Time")[0] == [1, 2, 3, 4]


COMMENTS = ["", "#\n", "#[1]\n", '#{"t_start": NaN, "env_id": null}\n']
COMMENTS.append(f'#{{"t_start": 1{"0" * 400}}}\n')


@pytest.mark.parametrize("comment", COMMENTS)
def test_a_monitor_without_a_proper_comment(tmp_path, monkeypatch, comment):
    write(tmp_path / "a", comment + "r,l,t\n1,10,1\n", "monitor.csv")
    assert curve(monkeypatch, tmp_path, tmp_path) == ([10], [1])


def test_a_monitor_that_begins_again(tmp_path, monkeypatch, capsys):
    text = MONITOR % (100, "1,10,1\n2,10,2\n")
    write(tmp_path / "a", text + MONITOR % (200, "3,7,1\n"), "monitor.csv")
    assert curve(monkeypatch, tmp_path, tmp_path) == ([7], [3])
    assert "monitor.csv" in capsys.readouterr().err


def test_a_monitor_without_episodes_is_left_out(tmp_path, capsys):
    write(tmp_path / "a", MONITOR % (100, ""), "monitor.csv")
    assert f"no row in {tmp_path / 'a'}" in refused(capsys, "plot", tmp_path)


def test_a_monitor_without_its_columns_is_refused(tmp_path, capsys):
    write(tmp_path / "a", "r,t\n1,2\n", "monitor.csv")
    assert "no columns l and t" in refused(capsys, "plot", tmp_path)


def test_garage_and_rllab_progress(tmp_path, monkeypatch, capsys):
    write(tmp_path / "garage", GARAGE, "progress.csv")
    write(tmp_path / "rllab", RLLAB, "progress.csv")
    assert curve(monkeypatch, tmp_path, tmp_path / "garage") == ([1000, 2000], [5.5, 6.5])
    assert curve(monkeypatch, tmp_path, tmp_path / "rllab") == ([0, 1], [-3, -2])
    assert "Iteration of " in capsys.readouterr().err


def test_a_comparison_with_another_library_is_one_command(tmp_path, monkeypatch, capsys):
    config = {"env": "Hopper-v5", "q_lr": 0.001}
    make_run(tmp_path / "ours" / "ours_s0", [30, 50], exp_name="ours", config=config)
    write(tmp_path / "theirs" / "sac_1", SB3, "progress.csv")
    write(tmp_path / "theirs" / "sac_2", MONITOR % (1, "9,100,1\n"), "monitor.csv")
    figure = drawn(monkeypatch, tmp_path, tmp_path / "ours", tmp_path / "theirs")
    (panel,) = panels(figure)
    assert panel.get_title() == "Hopper-v5"
    assert legends(figure) == [["ours (n=1)", "sac_1 (n=1)", "sac_2 (n=1)"]]
    assert not any(axes.tables for axes in figure.get_axes())  # who has no flags differs in none
    axis, mixture = capsys.readouterr().err.splitlines()
    assert "as the x axis" in axis and "has no" not in mixture
    assert (
        f"Performance in Hopper-v5 is the training return of {tmp_path / 'theirs' / 'sac_2'}"
        in (mixture)
    )


@pytest.mark.parametrize("name", ["progress.csv", "monitor.csv"])
@pytest.mark.parametrize("kind", ["folder", "fifo", "link"])
def test_files_of_other_libraries_are_not_followed(tmp_path, capsys, name, kind):
    write(tmp_path / "elsewhere", SB3, "secret.csv")
    file = tmp_path / "a" / name
    file.parent.mkdir()
    if kind == "folder":
        file.mkdir()
    elif kind == "fifo":
        os.mkfifo(file)
    else:
        file.symlink_to(tmp_path / "elsewhere" / "secret.csv")
    assert f"{file} is not a regular file" in refused(capsys, "plot", tmp_path / "a")


# The command line -----------------------------------------------------------------


def test_home_in_paths(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "data" / "x_s0", [1, 2])
    assert main(["plot", "~/data", "-o", "~/figures/o.png"]) == 0
    assert (tmp_path / "figures" / "o.png").exists() and not (tmp_path / "~").exists()
    assert capsys.readouterr().out == f"{tmp_path}/figures/o.png\n"


def test_nobody_reads_what_it_prints(tmp_path):
    make_run(tmp_path / "x_s0", [1, 2])
    reader, writer = os.pipe()
    os.close(reader)
    env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    argv = [sys.executable, "main.py", "plot", str(tmp_path), "-o", str(tmp_path / "o.png")]
    done = subprocess.run(
        argv, stdout=writer, stderr=subprocess.PIPE, cwd=ROOT, env=env, check=False
    )
    os.close(writer)
    assert done.stderr == b"" and done.returncode == 130
    assert (tmp_path / "o.png").exists()


def test_hundreds_of_runs_are_read_in_seconds(tmp_path, monkeypatch):
    values = np.arange(100.0)
    for number in range(354):
        make_run(tmp_path / f"x_s{number}", values, seed=number)
    begin = time.process_time()
    drawn(monkeypatch, tmp_path, tmp_path, "--band", "range")
    assert time.process_time() - begin < 4
