"""Sweeps: how methods are named and where they go, what is refused, and what the pool does with
processes that end in every way."""

import dataclasses
import errno
import io
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

import rl
from rl import lock, signals
from rl.config import UserError
from rl.envs import resolve
from rl.experiments.commands import sweep as sweeping
from rl.experiments.commands.training_flags import parse
from rl.experiments.rundir import RunDir
from rl.experiments.sweeps import launcher as launching
from rl.experiments.sweeps.adjusted import adjusted
from rl.experiments.sweeps.definition import Sweep, load_sweep
from rl.experiments.sweeps.launcher import LOST, THREADS, Command, LocalLauncher
from rl.experiments.sweeps.overview import Overview, clock
from rl.experiments.sweeps.plan import make_plan, read_plan, save_plan
from rl.experiments.sweeps.pool import Job, Pool
from rl.experiments.sweeps.product import make_sweep, split_flags
from rl.experiments.sweeps.progress import read_progress
from rl.experiments.sweeps.stages import last_lines, next_step, state_of
from rl.files import write_json
from tests.helpers import ROOT, refused

PENDULUM = {"env": "Pendulum"}
QUICK = {**PENDULUM, "epochs": 2, "steps_per_epoch": 50}


def from_flags(text):
    axes = split_flags(text.split())
    assert axes.pop("") == []
    return make_sweep("", axes)


# Definition and names --------------------------------------------------------------


def test_it_is_public():
    assert rl.Sweep is Sweep


def test_flags_that_are_given_again():
    """The last counts, as in training; but each --space is another dimension."""
    text = "-s 0 --seed 1 2 --space a=1 b=2 --q_lr 1 --space=c=3 --space d=4"
    axes = split_flags(text.split())
    assert axes["seed"] == ["1", "2"]
    assert axes["space"] == ["a=1", "b=2", "c=3", "d=4"]


def test_all_combinations_of_flags():
    sweep = from_flags("--algo ddpg td3 --env Pendulum -s 0 10 --q-lr 1e-3 3e-4 --obs_norm")
    assert sweep.name == "sweep_ddpg_td3_Pendulum"
    assert sweep.seeds == (0, 10)
    assert list(sweep.methods) == [
        "ddpg_q_lr=0.001",
        "ddpg_q_lr=0.0003",
        "td3_q_lr=0.001",
        "td3_q_lr=0.0003",
    ]
    assert sweep.methods["td3_q_lr=0.0003"] == {
        "algo": "td3",
        "env": "Pendulum",
        "q_lr": 3e-4,
        "obs_norm": True,
    }


def test_lists_have_commas():
    sweep = from_flags("--hidden_sizes 64,64 256, --env Pendulum Hopper")
    assert list(sweep.methods) == [
        "hidden_sizes=64-64_Pendulum",
        "hidden_sizes=64-64_Hopper",
        "hidden_sizes=256_Pendulum",
        "hidden_sizes=256_Hopper",
    ]
    assert sweep.methods["hidden_sizes=256_Hopper"]["hidden_sizes"] == [256]


def test_names_are_those_of_plain_folders():
    sweep = from_flags(
        "--algo sac --env MT:reach-v3,push-v3 tests.toy_envs:Toy-v0 --target_entropy -1 -0.5"
    )
    names = list(sweep.methods)
    assert names[0] == "MT_reach-v3_push-v3_target_entropy=-1.0"
    assert names[3] == "tests.toy_envs_Toy-v0_target_entropy=-0.5"


def test_one_method_is_called_by_its_algorithm():
    assert list(from_flags("--algo sac --env Pendulum").methods) == ["sac"]


@pytest.mark.parametrize(
    "flags, words",
    [
        ("--algo ddpg ppo --q_lr 1e-3", "--q_lr: --algo ddpg or sac or td3 has it, ppo has not"),
        ("--hidden_sizes 64 64", "64, for a list of one"),
        ("--algo ddpg ddpg", "--algo: ddpg is given twice"),
        ("--q_lr 1e-3 0.001", "two methods would be called q_lr=0.001"),
        ("--seed 1 1", "--seed: 1 is given twice"),
        ("--seed x", "expected a whole number"),
        ("--exp_name x", "--exp_name follows from the sweep's methods and seeds"),
        ("--gama 1", "unknown flag --gama; the closest flags are"),
        ("--q_lr 1e-3 -1", "--q_lr must be above 0"),
        ("--env Pendulum Nothing", "method Nothing:"),
        ("--jobs 0 --algo sac", "--jobs must be at least 1"),
        ("--jobs 2", "needs a file"),
        ("--cpus_per_run 2 --algo sac", "--cpus_per_run is for --launcher ray"),
        ("--launcher slurm --algo sac", "--launcher: invalid choice: 'slurm'"),
        ("--launcher ray --cpus_per_run 0 --algo sac", "--cpus_per_run must be at least 1, got 0"),
        ("--launcher ray --gpus_per_run 1.5 --algo sac", "must be a whole number, or less than 1"),
        ("--launcher ray --ray_address ray://x:1 --algo sac", "--ray_address must be HOST:PORT"),
        ("--launcher ray --ray_address auto --algo sac", "--ray_address must be HOST:PORT"),
        ("nothing.py --device cpu", "there is no file nothing.py"),
        ("--algo sac --methods a", "--methods are those of a file"),
        ("--status x --algo sac", "--status takes a sweep's folder, and nothing beside it"),
    ],
)
def test_refused_before_anything_begins(tmp_path, capsys, flags, words):
    line = refused(capsys, "sweep", *flags.split(), "--data_dir", tmp_path)
    assert words in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"name": "a/b"}, "the name of a sweep must be a plain folder name"),
        ({"methods": {}}, "one method or more"),
        ({"methods": {"../x": {}}}, "the name of a method must be a plain folder name"),
        ({"methods": {3: {}}}, "the name of a method must be a text, got 3"),
        ({"methods": {"x": 3}}, "a list of such dicts"),
        ({"methods": {"x": []}}, "a list of such dicts"),
        ({"seeds": ()}, "seeds must be a list"),
        ({"seeds": (1, 1)}, "none can be given twice"),
        ({"seeds": (1.0,)}, "seeds must be whole numbers"),
        ({"common": {"seed": 3}}, "common: --seed follows"),
        ({"methods": {"x": [{}, {"start_from": "y"}]}}, "stage 2 starts from the stage before"),
    ],
)
def test_what_is_no_sweep(arguments, words):
    with pytest.raises(UserError, match=".") as error:
        Sweep(**{"name": "s", "methods": {"x": {}}, **arguments})
    assert words in str(error.value)


@pytest.mark.parametrize(
    "text, words",
    [("sweep = 3", "has no sweep"), ("1 / 0", "raised ZeroDivisionError: division by zero")],
)
def test_a_file_without_a_sweep(tmp_path, text, words):
    file = tmp_path / "x.py"
    file.write_text(text)
    with pytest.raises(UserError, match=words):
        load_sweep(file)


def from_file(flags):
    """What a command line makes of a sweep with two methods, one of which has two stages."""
    methods = {"a": {"algo": "sac", "hidden_sizes": [8]}, "b": [{"algo": "sac"}, {"epochs": 7}]}
    args, training = sweeping.parse(["x.py", *flags.split()])
    return adjusted(Sweep("s", methods, (0, 3)), args.name, args.methods, training)


def test_a_file_goes_without_flags_as_it_is():
    sweep = from_file("--jobs 2")
    assert (sweep.name, sweep.seeds, list(sweep.methods)) == ("s", (0, 3), ["a", "b"])
    assert sweep.methods["a"] == {"algo": "sac", "hidden_sizes": [8]}


def test_flags_beside_a_file():
    sweep = from_file("--name t --seed 5 6 7 --device gpu --hidden_sizes 32,16 --obs_norm")
    assert (sweep.name, sweep.seeds) == ("t", (5, 6, 7))
    flags = {"device": "gpu", "hidden_sizes": ["32", "16"], "obs_norm": "true"}
    assert sweep.methods["a"] == {"algo": "sac", **flags}
    assert sweep.methods["b"] == [{"algo": "sac", **flags}, {"epochs": 7, **flags}]


def test_some_methods_of_a_file():
    assert list(from_file("--methods b").methods) == ["b"]
    assert list(from_file("--methods b a").methods) == ["a", "b"]  # one may begin with another


@pytest.mark.parametrize(
    "flags, words",
    [
        ("--methods c", "the file has no 'c'; the closest are"),
        ("--device cpu gpu", "--device: one value for all methods of a file, got cpu gpu"),
        ("--exp_name x", "--exp_name follows from the sweep's methods and seeds"),
        ("--seed 1 1", "each seed makes a run"),
    ],
)
def test_flags_that_go_with_no_file(flags, words):
    with pytest.raises(UserError, match=words):
        from_file(flags)


# Plan ------------------------------------------------------------------------------


def test_where_runs_go(tmp_path):
    """A method of one stage is an experiment of the sweep's folder, stages are experiments of the
    method's; so that the seeds of each make one curve."""
    stages = [{"algo": "sac"}, {"algo": "sac", "epochs": 7}]
    sweep = Sweep("s", {"a": {"hidden_sizes": (8, 8)}, "b": stages}, (0, 3), QUICK)
    plan = make_plan(sweep, tmp_path)
    assert [run.name for run in plan] == ["a_s0", "b_s0", "a_s3", "b_s3"]
    folder = tmp_path / "s"
    (only,) = plan[0].stages
    assert only.run.path == folder / "a" / "a_s0"
    assert plan[0].log == folder / "a" / "a_s0.log"
    assert only.argv == (
        *("--env=Pendulum", "--epochs=2", "--steps_per_epoch=50", "--hidden_sizes", "8", "8"),
        *(f"--data_dir={folder}", "--exp_name=a", "--seed=0"),
    )
    first, second = plan[3].stages
    assert first.run.path == folder / "b" / "b_stage1" / "b_stage1_s3"
    assert second.run.path == folder / "b" / "b_stage2" / "b_stage2_s3"
    assert f"--start_from={first.run}" in second.argv
    assert (first.steps, second.steps) == (100, 350)
    save_plan(tmp_path, plan, ["x"])
    assert [run.name for run in read_plan(tmp_path)] == [run.name for run in plan]


def test_a_text_may_name_the_seed_and_the_folder(tmp_path):
    flags = {**QUICK, "start_from": "{sweep}/x/x_s{seed}"}
    plan = make_plan(Sweep("s", {"a": flags}, seeds=(3, 14)), tmp_path)
    sources = [run.stages[0].argv[-4] for run in plan]
    folder = tmp_path / "s" / "x"
    assert sources == [f"--start_from={folder}/x_s3", f"--start_from={folder}/x_s14"]


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks" / "sweeps").glob("*.py")))
def test_sweeps_of_the_benchmarks_can_begin(tmp_path, file):
    sweep = load_sweep(file)
    assert make_plan(dataclasses.replace(sweep, seeds=sweep.seeds[:1]), tmp_path)


def test_runs_of_before_stay_in_the_plan(tmp_path):
    (tmp_path / "s").mkdir()
    for method in ("a", "b"):
        plan = make_plan(Sweep("s", {method: QUICK}), tmp_path)
        save_plan(tmp_path / "s", plan, [])
    assert [run.name for run in read_plan(tmp_path / "s")] == ["a_s0", "b_s0"]


PLANS = ["[]", '{"runs": [{"method": "../x", "seed": 0}]}', "{"]
for steps in ("Infinity", "NaN", "0"):
    stages = f'[{{"argv": [], "steps": {steps}}}]'
    PLANS.append(f'{{"runs": [{{"method": "a", "seed": 0, "stages": {stages}}}]}}')


@pytest.mark.parametrize("written", PLANS)
def test_a_plan_of_others_is_checked(tmp_path, written):
    (tmp_path / "sweep.json").write_text(written)
    with pytest.raises(UserError, match="is not a sweep's folder"):
        read_plan(tmp_path)


def write_run(run, **flags):
    """A config as the run would write it, with other `flags`, and one row."""
    stage = run.stages[0]
    stage.run.path.mkdir(parents=True)
    values = parse(stage.argv)
    values |= {"seed": values["seed"][0], "env": resolve(values["env"])}
    write_json(stage.run.path / "config.json", values | flags)
    row = "TotalEnvInteracts\tAverageEpRet\tTime\tMemoryMB\n50\t-3.5\t5\t200\n"
    (stage.run.path / "progress.txt").write_text(row)


def test_a_run_with_other_flags_is_refused(tmp_path):
    plan = make_plan(Sweep("s", {"a": QUICK}), tmp_path)
    write_run(plan[0], gamma=0.5)
    with pytest.raises(UserError, match="made with --gamma 0.5, and the sweep says 0.99"):
        make_plan(Sweep("s", {"a": QUICK}), tmp_path)
    with pytest.raises(UserError, match="made with --algo ddpg, and the sweep says sac"):
        make_plan(Sweep("s", {"a": {**QUICK, "algo": "sac"}}), tmp_path)


@pytest.mark.parametrize(
    "first, second, words",
    [
        ({"algo": "sac"}, {"algo": "td3"}, "a_stage2: --start_from: the stage before has --algo"),
        ({}, {"env": "MountainCarContinuous"}, "is (2,), and (3,) of Pendulum-v1"),
        ({"env": "PointMass-MT4"}, {"env": "PointMass-Opposed2"}, "the number of tasks of"),
    ],
)
def test_stages_that_cannot_follow_each_other(tmp_path, first, second, words):
    with pytest.raises(UserError) as error:
        make_plan(Sweep("s", {"a": [first, second]}, common=PENDULUM), tmp_path)
    assert words in str(error.value)


def test_a_folder_of_something_else(tmp_path, capsys):
    other = tmp_path / "mine" / "x"
    other.mkdir(parents=True)
    line = refused(capsys, "sweep", "--algo", "sac", "--name", "mine", "--data_dir", tmp_path)
    assert "is no sweep's folder" in line


# What is next, and progress --------------------------------------------------------


def test_what_is_next(tmp_path):
    """New, left behind by a kill, unfinished, and in another process's hands."""
    (run,) = make_plan(Sweep("s", {"a": QUICK}), tmp_path)
    directory = run.stages[0].run.path
    assert next_step(run).argv == run.stages[0].argv and state_of(run) == "waiting"
    directory.mkdir(parents=True)
    for name in ("code.diff", "masks.npz", "splits.json"):
        (directory / name).touch()
    assert next_step(run).argv == (*run.stages[0].argv, "--overwrite")
    (directory / "mine.txt").touch()  # nobody's left-over: training will refuse it
    assert next_step(run).argv == run.stages[0].argv
    (directory / "mine.txt").unlink()
    for name in ("code.diff", "masks.npz", "splits.json"):
        (directory / name).unlink()
    directory.rmdir()
    write_run(run)
    assert next_step(run).argv == ("resume", str(directory)) and state_of(run) == "stopped"
    run.failure.touch()
    assert state_of(run) == "failed"
    with lock.locked(directory):
        assert not next_step(run).argv and state_of(run) == "running"
        assert read_progress(run).is_running


def test_an_env_that_runs_code_is_trusted_since_the_user_named_it(tmp_path):
    flags = {**QUICK, "env_kwargs": '{"g": 5.0}'}
    (run,) = make_plan(Sweep("s", {"a": flags}), tmp_path)
    write_run(run)
    assert next_step(run).argv[-1] == "--trust"


def test_progress(tmp_path):
    """50 of 100 steps in 5 s: 10 steps/s, 5 s left."""
    (run,) = make_plan(Sweep("s", {"a": QUICK}), tmp_path)
    write_run(run)
    progress = read_progress(run)
    assert (progress.steps, progress.total) == (50, 100)
    assert (progress.last_return, progress.speed, progress.seconds_left) == (-3.5, 10, 5)
    assert (progress.memory, progress.is_running) == (2e8, False)
    assert clock(3723.4) == "1:02:03"
    longer = "TotalEnvInteracts\tTime\n100\t5\n300\t10\n"  # it was resumed with more epochs
    (run.stages[0].run.path / "progress.txt").write_text(longer)
    progress = read_progress(run)
    assert (progress.total, progress.speed, progress.seconds_left) == (300, 40, 0)
    (run.stages[0].run.path / "progress.txt").write_text("TotalEnvInteracts\nnan\n")
    assert read_progress(run).steps == 0


def test_status_prints_every_run_once(tmp_path, capsys):
    plan = make_plan(Sweep("s", {"a": QUICK, "b": QUICK}), tmp_path)
    write_run(plan[0])
    save_plan(tmp_path / "s", plan, [])
    assert sweeping.main(["--status", str(tmp_path / "s")]) == 0
    lines = capsys.readouterr().out.splitlines()
    (of_a,) = [line for line in lines if " a " in line]
    assert "stopped" in of_a and "50%" in of_a and "-3.5" in of_a
    (of_b,) = [line for line in lines if " b " in line]
    assert "waiting" in of_b and "0%" in of_b


def test_a_line_for_each_change(tmp_path):
    plan = make_plan(Sweep("s", {"a": QUICK, "b": QUICK}), tmp_path)
    write_run(plan[0])
    jobs = [Job(run) for run in plan]
    shown = io.StringIO()
    overview = Overview(Console(file=shown))
    overview.show(jobs)
    jobs[0].become("running", "resumed")
    overview.show(jobs)
    overview.show(jobs)
    jobs[0].become("finished")
    jobs[1].become("failed", "exit code 2")
    overview.show(jobs)
    overview.close()
    assert shown.getvalue().splitlines() == [
        "a_s0: resumed, 50/100 steps, return -3.5",
        "a_s0: finished, 50/100 steps, return -3.5",
        "b_s0: failed (exit code 2)",
    ]


def test_a_table_on_a_terminal(tmp_path):
    plan = make_plan(Sweep("s", {"a": QUICK, "b": QUICK}), tmp_path)
    write_run(plan[0])
    jobs = [Job(run) for run in plan]
    jobs[1].become("failed", "exit code 2 [/q]")  # which would be markup
    shown = io.StringIO()
    overview = Overview(Console(file=shown, force_terminal=True, color_system=None, width=100))
    overview.show(jobs)
    overview.close()
    (of_a,) = {line for line in shown.getvalue().splitlines() if " a " in line}
    assert [cell.strip() for cell in of_a.split("│")[1:6]] == ["a", "0", "waiting", "50%", "-3.5"]
    assert "failed (exit code 2 [/q])" in shown.getvalue()


def test_last_lines(tmp_path):
    (run,) = make_plan(Sweep("s", {"a": QUICK}), tmp_path)
    assert not last_lines(run)
    run.folder.mkdir(parents=True)
    run.log.write_text("\n".join(f"line {n}\x1b" for n in range(9)) + "\n\n")
    assert last_lines(run) == [f"line {n}" for n in range(4, 9)]


# Pool ------------------------------------------------------------------------------


class FakeProcess:
    """Ends with `code` after some polls, or 130 where a signal came."""

    def __init__(self, code, polls, on_end):
        self.code = code
        self.left = polls
        self.on_end = on_end
        self.got = []

    def poll(self):
        self.left -= 1
        if self.left > 0 and not self.got:
            return None
        if self.got:
            return signals.STOPPED
        self.on_end()
        return self.code

    def signal(self, number):
        self.got.append(number)


class FakeLauncher:
    """Runs that write a finished state where their code is 0; `codes` by experiment's name, one
    for each start."""

    def __init__(self, finished, polls=2, codes=None):
        self.finished = finished
        self.polls = polls
        self.codes = codes or {}
        self.started = []
        self.processes = []
        self.at_once = []

    def start(self, command):
        name = command.log.stem
        self.started.append(name)
        codes = self.codes.get(name, [])
        code = codes.pop(0) if codes else 0
        on_end = (lambda: self.finished.add(name)) if code == 0 else (lambda: None)
        self.processes.append(FakeProcess(code, self.polls, on_end))
        alive = [process for process in self.processes if process.left > 0]
        self.at_once.append(len(alive))
        return self.processes[-1]


@pytest.fixture(name="finished")
def fixture_finished(monkeypatch):
    """Names of runs that count as finished, whatever is on disk."""
    names = set()
    status = RunDir.status.fget
    fake = property(lambda run: "finished" if run.name in names else status(run))
    monkeypatch.setattr(RunDir, "status", fake)
    monkeypatch.setattr("rl.experiments.sweeps.pool.POLL", 0.001)
    return names


def six_runs(tmp_path):
    return make_plan(Sweep("s", {"a": QUICK, "b": QUICK}, (0, 1, 2)), tmp_path)


def make_pool(runs, launcher, jobs=2, retry=False):
    return Pool(runs, launcher, jobs, retry, show=lambda jobs: None)


def test_at_most_so_many_at_once(tmp_path, finished):
    launcher = FakeLauncher(finished)
    assert make_pool(six_runs(tmp_path), launcher).work() == 0
    assert launcher.started == ["a_s0", "b_s0", "a_s1", "b_s1", "a_s2", "b_s2"]
    assert max(launcher.at_once) == 2


def test_one_that_fails_stops_no_other_and_is_retried_when_asked(tmp_path, finished):
    launcher = FakeLauncher(finished, codes={"b_s0": [137, 0]})
    runs = six_runs(tmp_path)
    pool = make_pool(runs, launcher)
    assert pool.work() == 1
    assert len(launcher.started) == 6
    (failed,) = [job for job in pool.jobs if job.state == "failed"]
    assert failed.run.name == "b_s0" and failed.note == "exit code 137, ended by signal 9"
    assert failed.run.failure.read_text() == failed.note + "\n"
    pool = make_pool(runs, launcher)
    assert pool.work() == 1 and len(launcher.started) == 6
    assert make_pool(runs, launcher, retry=True).work() == 0
    assert launcher.started[6:] == ["b_s0"]
    assert not failed.run.failure.exists()


def test_one_that_ends_without_being_finished_has_failed(tmp_path, finished):
    launcher = FakeLauncher(finished)
    launcher.finished = set()  # nothing is ever finished
    pool = make_pool(six_runs(tmp_path)[:1], launcher)
    assert pool.work() == 1 and launcher.started == ["a_s0"]


def test_one_that_another_process_works_on_is_waited_for(tmp_path, finished, monkeypatch):
    monkeypatch.setattr("rl.experiments.sweeps.pool.BUSY", 0.01)
    runs = six_runs(tmp_path)[:2]
    launcher = FakeLauncher(finished)
    held = runs[0].stages[0].run.path
    held.mkdir(parents=True)
    pool = make_pool(runs, launcher)
    with lock.locked(held):
        worker = threading.Thread(target=pool.work)
        worker.start()
        while "b_s0" not in finished:
            time.sleep(0.01)
        time.sleep(0.1)
        assert launcher.started == ["b_s0"] and worker.is_alive()
    worker.join(10)
    assert launcher.started == ["b_s0", "a_s0"] and pool.exit_code() == 0


def test_stages_follow_each_other_at_once(tmp_path, finished):
    """The second stage of a run comes before other runs."""
    sweep = Sweep("s", {"a": [QUICK, QUICK], "b": QUICK}, (0,))
    launcher = FakeLauncher(finished)
    commands = []
    start = launcher.start

    def start_stage(command):
        commands.append(command)
        process = start(command)
        name = next(word for word in command.argv if word.startswith("--exp_name="))
        run = f"{name.removeprefix('--exp_name=')}_s0"
        process.on_end = lambda: finished.add(run)
        return process

    launcher.start = start_stage
    assert make_pool(make_plan(sweep, tmp_path), launcher, jobs=1).work() == 0
    assert launcher.started == ["a_s0", "a_s0", "b_s0"]
    assert any(word.startswith("--start_from=") for word in commands[1].argv)


@pytest.mark.parametrize("number", signals.SIGNALS)
def test_signals_are_passed_on(tmp_path, finished, number):
    launcher = FakeLauncher(finished, polls=10**9)

    def send():
        while len(launcher.processes) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    sender = threading.Thread(target=send)
    sender.start()
    pool = make_pool(six_runs(tmp_path), launcher)
    assert pool.work() == signals.STOPPED
    sender.join()
    assert [process.got for process in launcher.processes] == [[number]] * 2
    assert [job.state for job in pool.jobs] == ["stopped"] * 2 + ["waiting"] * 4


def test_one_whose_machine_is_lost_goes_on_elsewhere(tmp_path, finished, monkeypatch):
    """Three times without getting on, and it has failed: it may be what ends machines."""
    monkeypatch.setattr("rl.experiments.sweeps.pool.BUSY", 0.001)
    codes = {"a_s0": [LOST, LOST, 0], "b_s0": [LOST, LOST, LOST]}
    pool = make_pool(six_runs(tmp_path)[:2], FakeLauncher(finished, codes=codes))
    assert pool.work() == 1
    assert [job.state for job in pool.jobs] == ["finished", "failed"]
    assert pool.jobs[1].note == "its machine was lost 3 times, and it got no further"


def test_getting_on_is_what_counts(tmp_path, finished, monkeypatch):
    monkeypatch.setattr("rl.experiments.sweeps.pool.BUSY", 0.001)
    steps = iter(range(100))
    monkeypatch.setattr(RunDir, "step", property(lambda run: next(steps)))
    codes = {"a_s0": [LOST] * 9}
    assert make_pool(six_runs(tmp_path)[:1], FakeLauncher(finished, codes=codes)).work() == 0


def test_one_that_a_machine_cannot_start_has_failed(tmp_path, finished):
    class NoFolder(FakeProcess):
        def poll(self):
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", "/x")

    launcher = FakeLauncher(finished)
    launcher.start = lambda command: NoFolder(0, 0, None)
    pool = make_pool(six_runs(tmp_path)[:1], launcher)
    assert pool.work() == 1
    assert pool.jobs[0].note == "cannot start it: /x: No such file or directory"


def test_a_full_disk_is_told(tmp_path, finished, monkeypatch):
    class Usage:
        free = 100

    launcher = FakeLauncher(finished, codes={"a_s0": [2]})
    monkeypatch.setattr("rl.experiments.sweeps.pool.shutil.disk_usage", lambda folder: Usage)
    pool = make_pool(six_runs(tmp_path)[:2], launcher)
    assert pool.work() == 1
    assert pool.jobs[0].note == "exit code 2, and the disk is full"
    assert pool.jobs[1].state == "finished"


# Launcher --------------------------------------------------------------------------


def read_lines(path, count):
    """The first `count` lines of a file, waiting for them."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        lines = path.read_text().splitlines() if path.exists() else []
        if len(lines) >= count:
            return lines
        time.sleep(0.02)
    raise AssertionError(f"{path} has no {count} lines")


def test_processes_get_threads_and_a_file_for_their_output(tmp_path, monkeypatch):
    monkeypatch.setattr(launching, "ATTENDED", "tests.own_command")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    launcher = LocalLauncher(threads=3)
    log = tmp_path / "x" / "x_s0.log"
    process = launcher.start(Command(("variables", *THREADS), log))
    while process.poll() is None:
        time.sleep(0.02)
    assert process.poll() == 0
    assert log.read_text().split() == ["7", "3", "3", "3"]
    process = launcher.start(Command(("fail",), log))
    while process.poll() is None:
        time.sleep(0.02)
    assert process.poll() == 9 and log.read_text().splitlines()[-1] == "no"
    launcher.close()


def test_ray_is_an_extra(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # importing it fails
    monkeypatch.delitem(sys.modules, "rl.experiments.sweeps.ray_launcher", raising=False)
    argv = ("sweep", "--env", "Pendulum", "--launcher", "ray", "--data_dir", tmp_path)
    assert "--launcher ray needs ray: pip install '.[cluster]'" in refused(capsys, *argv)
    assert not list(tmp_path.iterdir())


def test_processes_do_not_outlive_who_started_them(tmp_path):
    """Killed by SIGKILL, the starter takes its processes with it."""
    log = tmp_path / "x.log"
    code = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from rl.experiments.sweeps import launcher\n"
        "launcher.ATTENDED = 'tests.own_command'\n"
        "command = launcher.Command(('wait',), Path(sys.argv[1]))\n"
        "launcher.LocalLauncher(1).start(command)\n"
        "time.sleep(60)\n"
    )
    starter = os.spawnve(
        os.P_NOWAIT,
        sys.executable,
        [sys.executable, "-c", code, str(log)],
        {**os.environ, "PYTHONPATH": str(ROOT)},
    )
    number = int(read_lines(log, 1)[0])
    assert Path(f"/proc/{number}").exists()
    os.kill(starter, signal.SIGKILL)
    os.waitpid(starter, 0)
    assert read_lines(log, 2)[1] == "asked to stop"


def test_one_sweep_at_a_time(tmp_path, capsys):
    plan = make_plan(Sweep("s", {"ddpg": QUICK}), tmp_path)
    (tmp_path / "s").mkdir()
    save_plan(tmp_path / "s", plan, [])
    with lock.locked(tmp_path / "s"):
        line = refused(capsys, "sweep", "--env", "Pendulum", "--name", "s", "--data_dir", tmp_path)
    assert "another process" in line
    assert json.loads((tmp_path / "s" / "sweep.json").read_text())["argv"] == []
