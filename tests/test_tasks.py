"""Several tasks through the front door, and how their gradients are joined."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf

from rl import envs, gradients
from rl.__main__ import main
from rl.algos import ALGOS
from rl.algos.checks import CheckedBurst
from rl.config import UserError
from rl.experiments.build import make_torsos
from rl.experiments.eval import check_split
from rl.experiments.eval import make_env as eval_env
from rl.flags import torsos
from rl.gradients import GRADIENTS
from rl.gradients.optimizer import Config as OptimizerConfig
from rl.networks import NETWORKS
from rl.spec import map_fields
from rl.splitting.optimizers import TaskOptimizers
from tests.helpers import (
    column,
    command,
    options,
    refused,
    rows,
    stopped_earlier,
    train,
    train_killed,
)
from tests.helpers_algos import make_spec, one, task_batches

ENV = ("--env", "PointMass-MT4")
# What is made from another run has tests of its own.
ADAPTED = {flags.adapted for flags in torsos.NETWORKS.values()}
MADE = sorted(set(NETWORKS) - ADAPTED - {"piggyback"})
COMBINATIONS = [("--network", name) for name in MADE]
COMBINATIONS += [("--gradient", name) for name in sorted(GRADIENTS)]
SOME = [("sac", "multi_head", "pcgrad"), ("ppo", "film", "gradvac"), ("td3", "paco", "famo")]


def make_algo(name, gradient="sum", network="mlp", sizes=(8, 8), seed=0, opt=None, **flags):
    tf.keras.utils.set_random_seed(seed)
    torsos = make_torsos({"network": network, "hidden_sizes": sizes}, make_spec(3))
    balancing = gradients.Config(gradient=gradient)
    optimizers = TaskOptimizers(OptimizerConfig(**(opt or {})), balancing, num_tasks=3)
    return ALGOS[name](make_spec(3), torsos, optimizers, ALGOS[name].flags(**flags))


def weights(algo):
    return [
        v
        for name in algo.saved
        for net in [getattr(algo, name)]
        if hasattr(net, "get_weights")
        for v in net.get_weights()
    ]


# The joined step ---------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(ALGOS))
def test_sum_by_task_is_the_plain_sum(name):
    plain, by_task = make_algo(name), make_algo(name, opt={"gradient_stats": True})
    for algo in (plain, by_task):
        algo.update(*task_batches(name), 3)
    for left, right in zip(weights(plain), weights(by_task)):
        np.testing.assert_allclose(left, right, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("gradient", ["pcgrad", "cagrad"])
def test_tasks_that_share_nothing_keep_their_own_gradients(gradient):
    plain = make_algo("td3", network="independent")
    joined = make_algo("td3", gradient, network="independent")
    for algo in (plain, joined):
        info = algo.update(*task_batches("td3"), 3)
    np.testing.assert_allclose(info["QWeight"], 1)
    for left, right in zip(weights(plain), weights(joined)):
        np.testing.assert_allclose(left, right, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("gradient", sorted(GRADIENTS))
def test_every_method_in_a_burst(gradient):
    """One trace, finite, all columns; as many bursts of one step give the same."""
    algo = make_algo("sac", gradient, sizes=(8,))
    start = algo.state()
    batches, updates = task_batches("sac")
    info = algo.update(batches, updates, 3)
    assert set(info) - {"TDError"} == set(algo.columns) - {"VVals", "ExplainedVar", "Updates"}
    assert all(np.isfinite(value).all() for value in info.values())
    algo.load_state(start)
    for i in range(3):
        moved = lambda field, i=i: np.roll(field, -i, axis=0)
        single = algo.update(map_fields(moved, batches), map_fields(moved, updates), 1)
        for key, value in info.items():
            np.testing.assert_allclose(single[key][0], value[i], rtol=1e-3, atol=1e-4, err_msg=key)
    assert algo.burst.compiled.experimental_get_tracing_count() == 1


def test_critic_only_methods_sum_the_actor():
    info = make_algo("sac", "gradnorm").update(*task_batches("sac", 8), 8)
    assert (info["PiWeight"] == 1).all() and (info["QWeight"][-1] != 1).any()


def test_conflict_is_measured():
    """Two tasks with opposite rewards and the same observations end with opposite critic
    gradients."""
    algo = make_algo("ddpg", opt={"gradient_stats": True}, gamma=0.0, q_lr=1e-6, pi_lr=1e-6)
    batches, updates = task_batches("ddpg", 1)
    for field in (batches.obs, batches.act, batches.obs2):
        field[:] = field[:, :1]
    sign = np.array([1, -1, 1], np.float32)[:, None]
    batches = batches._replace(rew=100 * np.abs(batches.rew[:, :1]) * sign)
    info = algo.update(batches, updates, 1)
    assert info["QConflict"] == pytest.approx(2 / 3) and info["QCosine"] < -0.8


def test_state_includes_the_methods():
    for gradient in ("gradvac", "famo"):
        first, second = make_algo("ddpg", gradient), make_algo("ddpg", gradient, seed=1)
        first.update(*task_batches("ddpg"), 3)
        second.load_state(first.state())
        left, right = (algo.update(*task_batches("ddpg", seed=2), 3) for algo in (first, second))
        for key, value in left.items():
            np.testing.assert_array_equal(value, right[key], err_msg=key)


# Runs --------------------------------------------------------------------------


@pytest.mark.parametrize("algo, network, gradient", SOME)
def test_runs_resumes_and_evaluates(tmp_path, algo, network, gradient, capsys):
    """Stopped after two epochs of four and resumed, it ends as if it hadn't been; then eval."""
    args = (
        *ENV,
        "--network",
        network,
        "--gradient",
        gradient,
        "--obs_norm",
        "--rew_norm",
        "--lr_schedule",
        "constant",
    )
    whole = train(tmp_path / "whole", *args, "--epochs", "4", "--keep", "9", algo=algo)
    part = stopped_earlier(whole, tmp_path / "part", 2)
    assert main(["resume", str(part)]) == 0
    assert rows(part) == rows(whole) and len(rows(part)) == 5
    capsys.readouterr()
    assert main(["eval", str(part), "--episodes", "3"]) == 0
    assert set(json.loads(capsys.readouterr().out)["tasks"]) == {
        "east",
        "east-north",
        "west",
        "west-south",
    }


@pytest.mark.slow
@pytest.mark.parametrize("algo", ["sac", "ppo"])
@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda c: c[1])
def test_every_combination_survives_a_kill(tmp_path, combination, algo):
    args = (*ENV, *combination, "--epochs", "12", "--steps_per_epoch", "2000", *options(algo))
    whole = train(tmp_path / "whole", *args, algo=algo)
    delay = np.random.default_rng().uniform(0, 0.5)
    run = train_killed(tmp_path, *args, algo=algo, count=3, delay=delay)
    assert main(["resume", str(run)]) == 0
    assert rows(run) == rows(whole), f"killed {delay} s after the third row"


def test_columns_by_task(tmp_path):
    run = train(tmp_path, *ENV, algo="sac")
    returns = np.array(
        [column(run, f"TestEpRet/{task}") for task in ("east", "east-north", "west", "west-south")]
    )
    np.testing.assert_allclose(returns.mean(0), column(run, "AverageTestEpRet"), rtol=1e-5)
    alphas = np.array(
        [column(run, f"Alpha/{task}") for task in ("east", "east-north", "west", "west-south")]
    )
    np.testing.assert_allclose(alphas.mean(0), column(run, "Alpha"), rtol=1e-5)
    out = tmp_path / "heat.png"
    assert main(["plot", str(run), "--by_task", "-y", "TestSuccess", "-o", str(out)]) == 0
    assert out.stat().st_size > 1000


@pytest.mark.parametrize(
    "args, words",
    [
        (("--network", "multi_head"), "--network multi_head is for several tasks"),
        (("--gradient", "pcgrad"), "--gradient pcgrad is for several tasks"),
        (("--algo", "sac", "--weight_tasks"), "--weight_tasks is for several tasks"),
        ((*ENV, "--network", "moore", "--experts", "9", "--hidden_sizes", "8"), "--experts 9: "),
        ((*ENV, "--network", "splitting", "--split_memory", "0.1"), "--split_memory must be"),
        (
            (*ENV, "--network", "splitting", "--split_criterion", "v1", "--split_alpha", "1"),
            "--split_alpha must be",
        ),
        ((*ENV, "--steps_per_epoch", "210"), "tasks times --num_envs .4 . 1., such as 212"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, capsys, args, words):
    assert re.search(words, refused(capsys, *command("--data_dir", tmp_path, *args)))
    assert not list(tmp_path.iterdir())


# The test split of Meta-World's ML sets ------------------------------------------


def test_eval_plays_test_goals(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    goals = {}
    for split in ("train", "test"):
        env = eval_env("ML1-reach", 2, {"seed": 3, "max_ep_len": 5, "split": split})
        goals[split] = env.env.envs[0].unwrapped.goals
    trained = envs.make("ML1-reach", seed=3).env.envs[0].unwrapped.goals
    np.testing.assert_array_equal(goals["train"], trained)
    assert not (goals["test"][:, None] == trained).all(-1).any()


@pytest.mark.parametrize(
    "env_id, words",
    [
        ("MT1-reach-v3", "only ML sets have"),
        ("Pendulum-v1", "only ML sets have"),
        ("ML10", "no part for the test tasks"),
    ],
)
def test_no_test_split(env_id, words):
    with pytest.raises(UserError, match=words):
        check_split(env_id, "test", "train")


# Safe mode ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "key, index, value, words",
    [
        ("obs", (1, 0, 2, 1), np.nan, "obs is nan or inf"),
        ("rew", (0, 2, 0), np.inf, "rew is nan or inf"),
        ("done", (2, 0, 0), 0.5, "done is neither 0 nor 1"),
    ],
)
def test_checks_name_what_is_wrong(key, index, value, words):
    algo = make_algo("ddpg")
    burst = CheckedBurst(algo.train_step, algo.spec)
    batches = task_batches("ddpg")
    before = burst(*batches, 3)
    assert np.isfinite(before["LossQ"]).all()
    getattr(batches[0], key)[index] = value
    with pytest.raises(UserError, match=f"^--check_inputs: {words}$"):
        burst(*batches, 3)


def test_checks_know_the_tasks():
    algo = make_algo("ddpg")
    batches, updates = task_batches("ddpg")
    narrow = batches._replace(act=batches.act[:, :2])
    with pytest.raises(UserError, match="act has shape .2, 4, 2., not .3, 4, 2."):
        CheckedBurst(algo.train_step, algo.spec)(narrow, updates, 3)
    batches.obs[:, 2] = batches.obs[:, 0]
    with pytest.raises(UserError, match="two tasks have the same observations"):
        CheckedBurst(algo.train_step, algo.spec)(batches, updates, 3)


def test_checks_catch_a_diverging_update():
    algo = make_algo("ddpg", q_lr=1e30)
    with pytest.raises(UserError, match="of an update is nan or inf"):
        CheckedBurst(algo.train_step, algo.spec)(*task_batches("ddpg", 6), 6)


def test_checked_updates_are_the_others():
    checked, plain = make_algo("ddpg"), make_algo("ddpg")
    info = CheckedBurst(checked.train_step, checked.spec)(*task_batches("ddpg"), 3)
    wanted = plain.update(*task_batches("ddpg"), 3)
    for key, value in wanted.items():
        np.testing.assert_allclose(info[key], value, rtol=1e-3, atol=1e-5)


def test_a_checked_run(tmp_path):
    run = train(tmp_path, *ENV, "--check_inputs", algo="sac")
    assert np.isfinite(column(run, "LossQ")[1:]).all()


# Task weights of SAC -----------------------------------------------------------


def test_task_weights_follow_the_temperatures():
    algo, plain = make_algo("sac", weight_tasks=True), make_algo("sac")
    for agent in (algo, plain):
        agent.temperature.log_alpha.assign(np.log([0.1, 0.1, 0.4]))
    # 3 softmax(-log alpha) is in proportion to 10, 10, 2.5
    np.testing.assert_allclose(algo.task_weights(), [4 / 3, 4 / 3, 1 / 3], rtol=1e-5)
    batch, update = one(task_batches("sac"))
    for loss in ("q_loss", "pi_loss"):
        weighted, info = getattr(algo, loss)(batch, update.seed)
        raw, _ = getattr(plain, loss)(batch, update.seed)
        np.testing.assert_allclose(weighted, raw * np.array([4 / 3, 4 / 3, 1 / 3]), rtol=1e-4)
        np.testing.assert_allclose(next(iter(info.values())), raw, rtol=1e-5)


@pytest.mark.parametrize(
    "args, words",
    [
        ((*ENV, "--critic", "linear", "--gradient", "gradnorm"), "gradnorm weighs critics alone"),
        ((*ENV, "--share_torso", "--gradient", "dwa"), "dwa weighs critics alone"),
        (("--env", "CartPole", "--std", "state"), "CartPole-v1 has choices"),
    ],
)
def test_what_makes_no_sense_for_ppo_is_refused(tmp_path, capsys, args, words):
    assert words in refused(capsys, *command("--data_dir", tmp_path, *args, algo="ppo"))
