"""Sweeps of which runs follow others: methods that begin with what another has learned, those that
adapt it by meta-test, and the last episodes of each run."""

import json

import pytest

from rl.__main__ import main
from rl.config import UserError
from rl.experiments.commands.compare import make_reports, parse
from rl.experiments.rundir import RunDir
from rl.experiments.sweeps.definition import Sweep
from rl.experiments.sweeps.plan import make_plan, read_plan, save_plan
from rl.experiments.sweeps.pool import Pool
from rl.experiments.sweeps.stages import is_evaluated, next_step, state_of
from rl.files import write_json
from tests.helpers import refused, rows

QUICK = {"env": "Pendulum", "epochs": 2, "steps_per_epoch": 50}
FOLLOWER = {**QUICK, "start_from": "{sweep}/a/a_s{seed}"}
# Nothing is updated, so nothing is compiled.
SOURCE = {
    "algo": "ddpg",
    "env": "PointMass-ML4",
    "network": "splitting",
    "task_onehot": False,
    "hidden_sizes": [8],
    "num_test_episodes": 1,
    "epochs": 1,
    "steps_per_epoch": 80,
    "update_after": 1_000_000,
    "tensorboard": False,
}
META = {
    "meta_test": "{sweep}/source/source_s{seed}",
    "episodes": 6,
    "start": "best",
    "update_after": 1_000_000,
}


# Which run waits for which --------------------------------------------------------


def test_a_run_waits_for_those_that_its_flags_name(tmp_path):
    sweep = Sweep("s", {"a": QUICK, "b": FOLLOWER, "c": [QUICK, QUICK]}, (0, 3))
    plan = make_plan(sweep, tmp_path)
    assert {run.name: run.sources for run in plan} == {
        "a_s0": (),
        "b_s0": ("a_s0",),
        "c_s0": (),
        "a_s3": (),
        "b_s3": ("a_s3",),
        "c_s3": (),
    }


def test_no_two_runs_wait_for_each_other(tmp_path):
    with pytest.raises(UserError, match="method b begins with a_s0, whose method must be above"):
        make_plan(Sweep("s", {"b": FOLLOWER, "a": QUICK}), tmp_path)


class Processes:
    """A launcher of processes that end at the second look; what a run's name is in `codes` is its
    exit code, and with 0 it is then finished."""

    def __init__(self, monkeypatch, codes):
        self.codes = codes
        self.finished = set()
        self.started = []
        status = RunDir.status.fget
        fake = property(lambda run: "finished" if run.name in self.finished else status(run))
        monkeypatch.setattr(RunDir, "status", fake)
        monkeypatch.setattr("rl.experiments.sweeps.pool.POLL", 0.001)

    def start(self, command):
        self.started.append(command)
        return Process(self, command)


class Process:
    def __init__(self, processes, command):
        self.processes = processes
        self.command = command
        self.looks = 0

    def poll(self):
        self.looks += 1
        if self.looks < 2:
            return None
        name = self.command.log.stem
        code = self.processes.codes.get(name, 0)
        if self.command.argv[0] == "eval":
            asked = {"episodes": 5, "checkpoint": "last", "split": "", "noise": False, "seed": 0}
            RunDir(self.command.argv[1]).path.mkdir(parents=True, exist_ok=True)
            RunDir(self.command.argv[1]).write_evaluation({"step": 0, "asked": asked})
        elif code == 0:
            self.processes.finished.add(name)
        return code


def work(plan, processes, retry=False):
    pool = Pool(plan, processes, jobs=3, retry=retry, show=lambda jobs: None)
    return pool.work(), {job.run.name: (job.state, job.note) for job in pool.jobs}


def names(processes):
    return [command.log.stem for command in processes.started]


def test_it_begins_when_they_are_finished(tmp_path, monkeypatch):
    plan = make_plan(Sweep("s", {"a": QUICK, "b": FOLLOWER, "c": QUICK}), tmp_path)
    processes = Processes(monkeypatch, {})
    assert work(plan, processes)[0] == 0
    assert names(processes) == ["a_s0", "c_s0", "b_s0"]


def test_it_fails_with_them_and_is_begun_once_they_are_finished(tmp_path, monkeypatch):
    plan = make_plan(Sweep("s", {"a": QUICK, "b": FOLLOWER}), tmp_path)
    processes = Processes(monkeypatch, {"a_s0": 2})
    code, states = work(plan, processes)
    assert code == 1 and names(processes) == ["a_s0"]
    assert states["b_s0"] == ("failed", "it needs a_s0")
    assert state_of(plan[1]) == "waiting"
    processes.codes.clear()
    assert work(plan, processes, retry=True)[0] == 0
    assert names(processes) == ["a_s0", "a_s0", "b_s0"]


# Last episodes --------------------------------------------------------------------


def test_every_run_ends_with_its_last_episodes(tmp_path, monkeypatch):
    sweep = Sweep("s", {"a": QUICK, "b": [QUICK, QUICK]}, eval_episodes=5)
    plan = make_plan(sweep, tmp_path)[:1]
    processes = Processes(monkeypatch, {})
    assert work(plan, processes)[0] == 0
    assert processes.started[1].argv == (
        "eval",
        str(plan[0].stages[0].run),
        "--episodes=5",
        "--save",
    )
    assert next_step(plan[0]) is None and state_of(plan[0]) == "finished"
    assert work(plan, processes)[0] == 0 and len(processes.started) == 2
    save_plan(tmp_path, plan, [])
    assert read_plan(tmp_path)[0].eval_episodes == 5
    more = make_plan(Sweep("s", {"a": QUICK}, eval_episodes=6), tmp_path)
    assert not is_evaluated(more[0])


@pytest.mark.parametrize("count", [-1, 2.0, True])
def test_what_is_no_number_of_episodes(count):
    with pytest.raises(UserError, match="eval_episodes must be a whole number"):
        Sweep("s", {"a": QUICK}, eval_episodes=count)


# Meta-test ------------------------------------------------------------------------


def plan_meta(folder, **flags):
    return make_plan(Sweep("s", {"source": SOURCE, "meta": {**META, **flags}}, (3,)), folder)


def test_the_command_of_a_meta_test(tmp_path):
    """An epoch is an episode of 20 steps in each of two tasks."""
    source, meta = plan_meta(tmp_path, num_envs=2, episodes=12)
    assert meta.sources == ("source_s3",)
    (stage,) = meta.stages
    assert stage.run.path == tmp_path / "s" / "meta" / "meta_s3"
    assert stage.argv == (
        *("meta-test", str(source.stages[0].run), "--episodes=12", "--start=best"),
        *("--update_after=1000000", "--num_envs=2"),
        *(f"--data_dir={tmp_path / 's'}", "--exp_name=meta", "--seed=3"),
    )
    assert stage.steps == 12 * 20 * 2


@pytest.mark.parametrize(
    "flags, words",
    [
        ({"env": "PointMass-MT4"}, "method meta: --env is not for meta-test"),
        ({"gama": 1.0}, "unknown flag --gama"),
        ({"episodes": 4}, "tries the run's 4 tasks in 4 of the --episodes"),
        ({"start": "worst"}, "--start"),
        ({"meta_test": "nowhere"}, "nowhere is not a run directory"),
    ],
)
def test_a_meta_test_that_is_refused_before_anything_begins(tmp_path, flags, words):
    with pytest.raises(UserError) as error:
        plan_meta(tmp_path, **flags)
    assert words in str(error.value)


def test_a_meta_test_is_a_whole_method():
    with pytest.raises(UserError, match="meta_test is no stage, but a whole method"):
        Sweep("s", {"a": [SOURCE, META]})


@pytest.fixture(name="sweep_folder", scope="module")
def fixture_sweep_folder(tmp_path_factory):
    """A sweep of a run, its meta-test, and the last episodes of both; made in this process."""
    folder = tmp_path_factory.mktemp("sweep")
    for run in plan_with_episodes(folder):
        while (step := next_step(run)) is not None:
            assert main(list(step.argv)) == 0
    return folder


def plan_with_episodes(folder):
    sweep = Sweep("s", {"source": SOURCE, "meta": META}, (3,), eval_episodes=2)
    return make_plan(sweep, folder)


def test_it_is_what_the_commands_by_hand_make(sweep_folder, tmp_path, capsys):
    source, meta = plan_with_episodes(sweep_folder)
    assert state_of(source) == state_of(meta) == "finished"
    made = meta.stages[0].run
    by_hand = ["meta-test", str(source.stages[0].run), "--episodes", "6", "--start", "best"]
    by_hand += ["--update_after", "1000000", "--data_dir", str(tmp_path), "--exp_name", "x"]
    assert main(by_hand) == 0
    assert rows(tmp_path / "x" / "x_s3") == rows(made.path)
    capsys.readouterr()
    assert main(["eval", str(made), "--episodes", "2"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {name: made.evaluation[name] for name in printed} == printed
    assert made.evaluation["episodes"] == 2 * len(printed["tasks"])


def test_its_rows_and_last_episodes_are_compared(sweep_folder):
    """A score is by task, as `eval` prints it."""
    _, meta = plan_with_episodes(sweep_folder)
    found = meta.stages[0].run.evaluation
    argv = [str(sweep_folder), "--exclude", "source", "--score", "eval"]
    (report,) = make_reports(parse([*argv, "-y", "AverageTestEpRet"]))
    (summary,) = report.summaries
    assert summary.method.label == "meta"
    assert summary.method.tasks == ("between-east", "between-west")
    returns = [found["tasks"][task]["return"] for task in summary.method.tasks]
    assert summary.method.scores.tolist() == [returns]


def test_a_source_of_others_runs_no_code_unless_trusted(sweep_folder, tmp_path):
    source, _ = plan_with_episodes(sweep_folder)
    config = json.loads((source.stages[0].run.path / "config.json").read_text())
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    write_json(theirs / "config.json", config | {"env_kwargs": '{"x": 1}'})
    with pytest.raises(UserError, match="if you trust who made it, add --trust"):
        plan_meta(tmp_path, meta_test=str(theirs))
    write_json(theirs / "config.json", config)
    assert plan_meta(tmp_path, meta_test=str(theirs))[1].sources == ()


def test_a_meta_test_that_began_otherwise_is_refused(sweep_folder):
    with pytest.raises(UserError, match="--start best; the sweep says .* --start equal"):
        plan_meta(sweep_folder, start="equal")
    with pytest.raises(UserError, match="with --checkpoint last .* with --checkpoint best"):
        plan_meta(sweep_folder, checkpoint="best")
    with pytest.raises(UserError, match="made with --gamma 0.99, and the sweep says 0.5"):
        plan_meta(sweep_folder, gamma=0.5)


def test_a_meta_test_killed_before_it_had_a_config_begins_anew(sweep_folder, tmp_path):
    """Its first checkpoint is after the episodes that it tried."""
    _, meta = plan_with_episodes(tmp_path)
    (stage,) = meta.stages
    (stage.run.path / "checkpoints").mkdir(parents=True)
    made = RunDir(sweep_folder / "s" / "meta" / "meta_s3")
    name = f"step_{made.step:09d}.npz"
    (stage.run.path / "checkpoints" / name).write_bytes(
        (made.path / "checkpoints" / name).read_bytes()
    )
    assert next_step(meta).argv == (*stage.argv, "--overwrite")


def test_an_evaluation_that_is_none(sweep_folder, tmp_path, capsys):
    _, meta = plan_with_episodes(sweep_folder)
    copy = tmp_path / "meta_s3"
    copy.mkdir()
    for name in ("config.json", "progress.txt"):
        (copy / name).write_bytes((meta.stages[0].run.path / name).read_bytes())
    compare = ("compare", copy, "--score", "eval")
    assert "no finite value" in refused(capsys, *compare)
    (copy / "eval.json").write_text("[")
    assert "eval.json can't be read" in refused(capsys, *compare)
    write_json(copy / "eval.json", {"return_mean": 1.0, "tasks": {"x": {}}})
    assert "is not as eval --save writes it" in refused(capsys, *compare)
