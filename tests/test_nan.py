"""A nan or an inf that an env brings stops the run before anything learns of it."""

import numpy as np
import pytest

from rl import envs, training
from rl.__main__ import main
from rl.algos import ALGOS
from rl.config import UserError
from rl.experiments.build import make_loop
from rl.experiments.commands.training_flags import parse
from rl.spec import Step
from rl.training.checkpoint import Checkpoints
from rl.training.evaluate import evaluate
from tests.helpers import command, refused, rows, train
from tests.helpers_loops import Acting
from tests.toy_envs import Sick

SICK = ("--env", "tests.toy_envs:Sick", "--steps_per_epoch", "20", "--epochs", "5")
# no update before the last step, and no test
QUIET = {
    "off_policy": "--start_steps 1000 --update_after 1000 --num_test_episodes 0",
    "on_policy": "--rollout_steps 100 --num_test_episodes 0",
}
# what is ill at which age, and what the message calls it; an episode ends at each ten
ILLNESSES = {
    "reward": ("reward", 65, "reward of env 0"),
    "observation": ("observation", 65, "observation of env 0"),
    "last observation": ("observation", 70, "observation of env 0"),
    "reset": ("reset", 70, "first observation of the next episode of env 0"),
}


def fall_ill(monkeypatch, part, age, value=float("nan")):
    monkeypatch.setattr(Sick, "part", part)
    monkeypatch.setattr(Sick, "age", age)
    monkeypatch.setattr(Sick, "value", value)


zeros = Acting(lambda obs, start: np.zeros((len(obs), 1), np.float32))


@pytest.mark.parametrize("illness", ILLNESSES)
@pytest.mark.parametrize("algo, value, shown", [("ddpg", np.nan, "nan"), ("ppo", -np.inf, "-inf")])
def test_nothing_is_stored(tmp_path, monkeypatch, algo, value, shown, illness):
    part, age, name = ILLNESSES[illness]
    quiet = QUIET[ALGOS[algo].loop].split()
    argv = command(*SICK, *quiet, "--obs_norm", "--rew_norm", algo=algo)
    values = parse(argv)
    loop = make_loop(values | {"seed": 0}, tmp_path)
    fall_ill(monkeypatch, part, age, value)
    with np.errstate(invalid="ignore"):
        with pytest.raises(UserError, match=rf"^{name} is (nan|{shown}) at env step {age}; what"):
            training.run(loop)
    stored = loop.replay.total if algo == "ddpg" else loop.rollout.filled
    assert stored == loop.step == age - 1
    moments = loop.session.normaliser.seen
    assert moments.count == pytest.approx(age, abs=0.01)
    assert np.isfinite(moments.mean).all() and np.isfinite(moments.var).all()
    assert np.isfinite(loop.session.normaliser.earned.var).all()
    assert np.isfinite(loop.session.logger.values["EpRet"].filled()).all()


def test_a_reward_too_large_for_float32(tmp_path, monkeypatch):
    fall_ill(monkeypatch, "reward", 5, 1e39)
    values = parse(command(*SICK, *QUIET["off_policy"].split()))
    loop = make_loop(values | {"seed": 0}, tmp_path)
    with pytest.raises(UserError, match=r"^reward of env 0 is 1e\+39 at env step 5"):
        training.run(loop)


def test_the_first_observation_of_all(tmp_path, capsys, monkeypatch):
    fall_ill(monkeypatch, "reset", 0)
    error = refused(capsys, *command(*SICK, "--data_dir", tmp_path))
    assert "observation of env 0 is nan at env step 0" in error
    assert not list(tmp_path.iterdir())


def test_a_healed_env_goes_on_exactly(tmp_path, capsys, monkeypatch):
    args = (*SICK, *QUIET["off_policy"].split(), "--obs_norm", "--rew_norm")
    whole = train(tmp_path / "whole", *args)
    fall_ill(monkeypatch, "reward", 65)
    argv = command("--data_dir", tmp_path, "--exp_name", "x", *args)
    assert "reward of env 0 is nan at env step 65; " in refused(capsys, *argv)
    run = tmp_path / "x" / "x_s0"
    assert Checkpoints(run).steps() == [40, 60] and len(rows(run)) == 4
    fall_ill(monkeypatch, "", 0)
    assert main(["resume", str(run), "--trust"]) == 0
    assert rows(run) == rows(whole)


def test_in_a_test_after_an_epoch(tmp_path, capsys):
    """The reward is nan at step 30 of an episode; epochs end before that, tests don't."""
    nan = ("--env", "tests.toy_envs:NanReward", "--steps_per_epoch", "25")
    error = refused(capsys, *command("--data_dir", tmp_path, *nan))
    assert "reward of env 0 is nan at step 30 of the test after env step 25; " in error


@pytest.mark.parametrize("illness", ILLNESSES)
def test_in_a_test(monkeypatch, illness):
    part, age, name = ILLNESSES[illness]
    fall_ill(monkeypatch, part, age)
    env = envs.make("tests.toy_envs:Sick", 2)
    with pytest.raises(UserError, match=f"^{name} is nan at step {age} of the test"):
        evaluate(zeros, env, 20, seed=0)


def test_at_the_start_of_a_test(monkeypatch):
    fall_ill(monkeypatch, "reset", 0)
    with pytest.raises(UserError, match="^observation of env 0 is nan at the start of the test"):
        evaluate(zeros, envs.make("tests.toy_envs:Sick", 2), 20, seed=0)


@pytest.mark.parametrize("visit, task", [("all", "west"), ("cycle", "east-north")])
def test_env_and_task_are_named(tmp_path, monkeypatch, visit, task):
    """With all, envs 4 and 5 are the third task's; in a cycle an env says where it is."""
    num_envs = 2 if visit == "all" else 8
    point = ("--env", "PointMass-MT4", "--num_envs", num_envs, "--visit", visit)
    values = parse(command(*point, "--steps_per_epoch", "80", algo="sac"))
    loop = make_loop(values | {"seed": 0}, tmp_path)
    number = 5 if visit == "all" else int(np.flatnonzero(loop.env.task == 1)[0])
    step_of = loop.env.step

    def step(act) -> Step:
        taken = step_of(act)
        taken.rew[number] = np.nan
        return taken

    monkeypatch.setattr(loop.env, "step", step)
    with pytest.raises(UserError, match=rf"^reward of env {number} \(task {task}\) is nan at"):
        training.run(loop)
