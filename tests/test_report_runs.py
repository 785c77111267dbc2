"""What the page of `report` says of how runs were made: commands, code, time and memory."""

import json
from pathlib import Path

import numpy as np
import pytest

from rl.experiments.commands.training_flags import parse
from rl.experiments.plots.columns import Run
from rl.experiments.plots.groups import Group
from rl.experiments.report.code_versions import find_versions
from rl.experiments.report.costs import cost_table, duration
from rl.experiments.report.reproduction import reproduce, training_argv
from rl.experiments.rundir import flags_of
from rl.flags.conditions import NEEDS
from tests.helpers_report import NASTY, curve_figures, make_page
from tests.plot_runs import make_run


@pytest.mark.parametrize(
    "argv",
    [
        "--algo sac --env MT10 --seed 3 --network multi_head --gradient pcgrad".split(),
        "--algo ddpg --env Pendulum-v1 --seed 0 --tensorboard false --hidden_sizes 400 300".split(),
        "--algo sac --env Pendulum-v1 --seed 0 --exp_name other --target_entropy=-2e-05".split(),
        ["--algo", "td3", "--env", "Hopper-v5", "--env_kwargs", '{"a": "b"}', "--seed", "0"],
    ],
)
def test_a_command_has_the_flags_that_are_no_defaults(argv):
    values = parse([*argv, "--data_dir", "elsewhere"])
    flags = flags_of(values | {"seed": values["seed"][0]})
    assert training_argv(flags) == (argv, [])


def test_a_flag_that_no_command_line_gives():
    flags = flags_of({"algo": "ddpg", "env": "Pendulum-v1", "hidden_sizes": []})
    argv = ["--algo", "ddpg", "--env", "Pendulum-v1", "--seed", "0"]
    assert training_argv(flags) == (argv, ["hidden_sizes"])


def write_config(directory, **values):
    flags = flags_of({"algo": "ddpg", "env": "Pendulum-v1", "exp_name": "ddpg_Pendulum-v1"})
    (directory / "config.json").write_text(json.dumps({**flags, **values}))


def test_commands_of_runs(tmp_path):
    make_run(tmp_path / "x", [1, 2])
    write_config(tmp_path / "x", seed=2, q_lr=0.01)
    page = make_page(tmp_path / "o.html", tmp_path / "x")
    shown = ["python main.py", "--algo ddpg", "--env Pendulum-v1", "--seed 2", "--q_lr 0.01"]
    assert page.texts["span"] == shown
    assert page.texts["pre"] == [" " * 4]  # between them
    assert str(tmp_path / "x") in page.texts["h3"]


def test_commands_of_other_runs(tmp_path):
    make_run(tmp_path / "x", [1, 2])
    run = Run(tmp_path / "x", {"exp_name": "x"}, {})
    assert reproduce(run) == ("", "another program made this run")
    write_config(tmp_path / "x", unheard_of=1)
    made = reproduce(run._replace(config={"algo": "ddpg"}))
    assert made.command == "" and "unknown key 'unheard_of'" in made.note
    resumes = [{"step": 4000, "changes": {"epochs": 9}}, {"step": 5000, "changes": {}}]
    write_config(tmp_path / "x", resumes=resumes, epochs=9)
    made = reproduce(run._replace(config={"algo": "ddpg"}))
    assert made.command.endswith("--epochs 9")
    assert made.note.startswith("it was resumed at env step 4000 with --epochs 9; ")
    write_config(tmp_path / "x", meta_run="data/y s0", epochs=5, num_envs=2, meta_start={})
    made = reproduce(run._replace(config={"algo": "ddpg"}))
    begin = "python main.py meta-test 'data/y s0' --episodes 10 --start best --num_envs 2 --seed 0"
    assert made.command.startswith(begin)
    write_config(tmp_path / "x", env="python Follow")
    made = reproduce(run._replace(config={"algo": "ddpg"}))
    assert made == ("", "its env was handed over by Python code")
    write_config(tmp_path / "x", meta_run="data/y_s0", meta_checkpoint="4000")
    made = reproduce(run._replace(config={"algo": "ddpg"}))
    assert "data/y_s0 --episodes 100 --checkpoint 4000 --num_envs 1" in made.command


def test_versions_of_the_code(tmp_path):
    for name in ("a", "b", "c"):
        make_run(tmp_path / name, [1], config={"git_commit": "12ab", "versions": {"numpy": "2.0"}})
    (tmp_path / "c" / "code.diff").write_text(f"+{NASTY}\n")
    page = make_page(tmp_path / "o.html", tmp_path)
    assert page.texts["h3"].count("Commit 12ab") == 2
    assert "runs: a, b" in page.texts["li"] and "runs: c" in page.texts["li"]
    assert page.table("Packages") == [["package", "version"], ["numpy", "2.0"]]
    assert page.texts["pre"] == [f"+{NASTY}\n"]


def test_versions_that_resumed_and_long_patches(tmp_path):
    resumes = [{"git_commit": "34cd", "changes": {}}, {"git_commit": "12ab", "changes": {}}]
    make_run(tmp_path / "a", [1])
    (tmp_path / "a" / "code.diff").write_text("x" * 200_010)
    (tmp_path / "a" / "code_1.diff").symlink_to(tmp_path / "secret")
    run = Run(tmp_path / "a", {"git_commit": "12ab", "resumes": resumes}, {})
    version = find_versions([run])[0]
    assert version.resumed == ("34cd",)
    assert version.patches == (("code.diff", f"{tmp_path}/a/code_1.diff is not a regular file"),)
    (tmp_path / "a" / "code_1.diff").unlink()
    version = find_versions([run])[0]
    [(name, patch)] = version.patches
    assert name == "code.diff" and patch.endswith("x\n[10 more characters are in the run's file]")


def test_what_runs_cost():
    columns = {
        "TotalEnvInteracts": np.array([1000.0, 2000.0]),
        "Time": np.array([10.0, 40.0]),
        "TimeEnv": np.array([3.0, 4.0]),
        "MemoryMB": np.array([900.0, 800.0]),
        "CPUPercent": np.array([50.0, 100.0]),
        "Time Steps": np.array([1.0, 2.0]),  # of another library: no seconds
    }
    with_all = Run(Path("a"), {}, columns)
    with_none = Run(Path("b"), {}, {"Epoch": np.array([1.0])})
    rows = cost_table([Group("g", "", [with_all, with_none])])
    assert rows[0][6:] == ["TimeEnv (s)", "MemoryMB (most)", "CPUPercent (mean)"]
    assert rows[1] == ["a", "g", "2", "2000", "40 s", "50.0", "7.000", "900.0", "75.0"]
    assert rows[2] == ["b", "g", "1", "-", "-", "-", "-", "-", "-"]


def test_durations():
    assert duration(59.4) == "59 s"
    assert duration(59.6) == "1 min 0 s"
    assert duration(3725) == "1 h 2 min"
    assert duration(float("nan")) == "-"


def test_runs_of_other_libraries(tmp_path):
    folder = tmp_path / "sb3"
    folder.mkdir()
    text = "time/total_timesteps,eval/mean_reward,time/time_elapsed\n100,1.5,2\n200,2.5,4\n"
    (folder / "progress.csv").write_text(text)
    monitor = tmp_path / "monitor"
    monitor.mkdir()
    header = '#{"t_start": 0.0, "env_id": "Pendulum-v1"}\n'
    (monitor / "monitor.csv").write_text(f"{header}r,l,t\n-5,10,1.0\n-3,10,2.0\n")
    page = make_page(tmp_path / "o.html", folder, monitor)
    curves = {}
    for figure in curve_figures(page):
        for curve in figure["curves"]:
            curves[curve["label"]] = curve["lines"][0]
    assert curves["sb3"]["x"] == [100, 200] and curves["sb3"]["y"] == [1.5, 2.5]
    assert curves["monitor"]["x"] == [10, 20] and curves["monitor"]["y"] == [-5, -3]
    costs = {row[0]: row for row in page.table("By run")}
    assert costs["sb3"][3:6] == ["200", "4 s", "50.0"]
    assert "pre" not in page.texts  # no command
