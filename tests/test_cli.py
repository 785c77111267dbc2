"""The front door: every command end to end, and every kind of bad input on one clear line."""

import functools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from rl.__main__ import main
from rl.algos import ALGOS
from rl.envs import make
from rl.experiments.build import use_device
from rl.experiments.rundir import RunDir
from rl.files import load_tree, save_tree
from rl.training.checkpoint import Checkpoints
from tests.helpers import (
    IDLE,
    ROOT,
    column,
    command,
    kill,
    options,
    refused,
    rows,
    start,
    train,
    train_in_parts,
    wait_for_rows,
)

TOYS = "tests.toy_envs:"
ENVS = [
    "HalfCheetah",
    "Pendulum",
    "LunarLanderContinuous",
    "MountainCarContinuous",
    "Hopper-v5",
    TOYS + "Matrix",
]


# on Hopper, with everything that has a state of its own; epochs are short, but a run has enough of
# them to be killed in the first ones
STATEFUL = ("--env", "Hopper", "--epochs", "8")


def files(directory):
    return {p.relative_to(directory): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def stateful(algo, num_envs=1):
    return (*STATEFUL, *options(algo), "--num_envs", num_envs)


@pytest.fixture(name="uninterrupted", scope="module")
def uninterrupted_fixture(tmp_path_factory):
    """The run of `stateful(algo, num_envs)` as a function, which trains it once for all tests."""

    @functools.cache
    def uninterrupted(algo, num_envs=1):
        args = stateful(algo, num_envs)
        return train(tmp_path_factory.mktemp("uninterrupted"), *args, algo=algo)

    return uninterrupted


@pytest.fixture(name="plain", scope="module")
def plain_fixture(tmp_path_factory):
    """A finished run of DDPG, which no test changes."""
    return train(tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "algo, env",
    [*((a, e) for a in sorted(ALGOS) for e in ENVS), ("ppo", "CartPole"), ("ppo", "Acrobot")],
)
def test_every_command_on_every_env(tmp_path, algo, env, capsys):
    """They learn in one of the three epochs, so that each test compiles once: off policy when they
    are resumed, on policy from one rollout before."""
    trust = ["--trust"] if env.startswith(TOYS) else []
    once = {"off_policy": "--update_after", "on_policy": "--rollout_steps"}[ALGOS[algo].loop]
    run = train(tmp_path, "--env", env, "--epochs", "2", once, "400", algo=algo)
    assert column(run, "TotalEnvInteracts") == [200, 400]
    assert np.isfinite(column(run, "AverageTestEpRet")).all()
    assert main(["resume", str(run), "--epochs", "3", *trust]) == 0
    assert column(run, "Epoch") == [1, 2, 3]
    assert np.isfinite(column(run, "LossPi")).sum() == 1
    assert main(["plot", str(run), "-o", str(tmp_path / "o.png")]) == 0
    capsys.readouterr()
    export = ["--export", str(tmp_path / "policy")]
    assert main(["eval", str(run), "--episodes", "3", *export, *trust]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["episodes"] == 3
    assert result["return_min"] <= result["return_mean"] <= result["return_max"]
    spec = make(env).spec
    policy = tf.saved_model.load(str(tmp_path / "policy"))
    act = policy.act(np.ones((4, spec.obs_dim), np.float32)).numpy()
    assert act.shape == (4, *spec.act_shape)
    assert act.dtype == (np.int64 if spec.choices else np.float32)
    assert (act >= spec.act_low.reshape(spec.act_shape or 1)).all()
    assert (act <= spec.act_high.reshape(spec.act_shape or 1)).all()


@pytest.mark.parametrize("algo", sorted(ALGOS))
def test_same_command_same_bytes(tmp_path, algo):
    args = ("--env", "Hopper", *options(algo))
    first = train(tmp_path / "first", *args, algo=algo)
    second = train(tmp_path / "second", *args, algo=algo)
    assert rows(first) == rows(second)
    assert len(rows(first)) == 4
    other = train(tmp_path / "other", *args, "-s", "1", algo=algo).with_name("x_s1")
    assert rows(first)[1:] != rows(other)[1:]


@pytest.mark.parametrize("num_envs", [1, 4])
@pytest.mark.parametrize("algo", sorted(ALGOS))
def test_stopped_at_any_step_and_resumed(tmp_path, uninterrupted, algo, num_envs):
    """Every state is saved: in the middle of an epoch, of a rollout, of an episode, after an update
    or before."""
    whole = uninterrupted(algo, num_envs)
    parts = train_in_parts(tmp_path / "parts", RunDir(whole).config, (132, 512, 612))
    assert rows(parts)[:4] == rows(whole)[:4]
    assert column(parts, "TotalEnvInteracts") == [200, 400, 600, 612]


@pytest.mark.parametrize("algo", sorted(ALGOS))
def test_the_saved_normaliser_is_used_frozen(tmp_path, uninterrupted, algo, capsys):
    """Two tests of a policy agree to the last digit, and differ from one with another
    normaliser."""
    run = shutil.copytree(uninterrupted(algo), tmp_path / "run")
    results = []
    path = run / "checkpoints" / "step_000001600.npz"
    for change in (False, False, True):
        if change:
            state = load_tree(path)
            state["normaliser"]["seen"]["mean"] = state["normaliser"]["seen"]["mean"] + 1
            save_tree(path, state)
        capsys.readouterr()
        assert main(["eval", str(run), "--episodes", "5"]) == 0
        results.append(json.loads(capsys.readouterr().out)["return_mean"])
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize(
    "extra", [(), ("--num_envs", "4", "--noise", "ou"), ("--reset_at_checkpoint",)]
)
def test_extended_run_equals_a_long_one(tmp_path, extra):
    long = train(tmp_path / "long", "--env", "Hopper", "--epochs", "4", *extra)
    short = train(tmp_path / "short", "--env", "Hopper", "--epochs", "2", *extra)
    assert main(["resume", str(short), "--epochs", "4"]) == 0
    assert rows(long) == rows(short)
    assert json.loads((short / "config.json").read_text())["epochs"] == 4


def test_envs_that_wear_are_new_in_every_test(tmp_path):
    """So that tests of a resumed run are those of one in one go."""
    args = ("--env", TOYS + "Worn", "--reset_at_checkpoint", "--update_after", "1000000")
    long = train(tmp_path / "long", *args, "--epochs", "4")
    short = train(tmp_path / "short", *args, "--epochs", "2")
    assert main(["resume", str(short), "--epochs", "4", "--trust"]) == 0
    assert rows(long) == rows(short)


def test_an_extended_run_follows_the_longer_schedule(tmp_path):
    """The rate falls from 1e-3 to half of it: over 2 epochs first, then, in the middle of it, over
    4."""
    run = train(
        tmp_path, "--lr_schedule", "linear", "--lr_end", "0.5", "--epochs", "2", "--keep", "9"
    )
    rate = lambda step: float(
        load_tree(run / "checkpoints" / f"step_{step:09}.npz")["algo"]["variables"]["q_opt"][1]
    )
    assert rate(400) == pytest.approx(0.5e-3)
    assert main(["resume", str(run), "--epochs", "4"]) == 0
    assert rate(600) == pytest.approx(0.63e-3, rel=0.02) and rate(800) == pytest.approx(0.5e-3)


def test_async_workers_give_the_same_run(tmp_path):
    args = ("--env", "Hopper", "--num_envs", "2", "--epochs", "2")
    here = train(tmp_path / "here", *args)
    workers = train(tmp_path / "workers", *args, "--env_backend", "async")
    assert rows(here) == rows(workers)


def test_updates_at_episode_end_and_time_limit(tmp_path):
    run = train(tmp_path, "--max_ep_len", "50", "--update_at", "episode", "--hidden_sizes", "30")
    assert column(run, "EpLen") == [50, 50, 50] and np.isfinite(column(run, "LossQ")).all()


def test_no_test_episodes(tmp_path):
    run = train(tmp_path, *IDLE, "--num_test_episodes", "0")
    assert not any("Test" in name for name in rows(run)[0])


def test_config_has_all_that_reproduces_the_run(plain):
    config = json.loads((plain / "config.json").read_text())
    assert (config["env"], config["seed"], config["hidden_sizes"]) == ("Pendulum-v1", 0, [16])
    assert config["versions"]["tensorflow"] and "git_commit" in config


def test_several_seeds_run_one_after_another(tmp_path):
    argv = command(
        "--data_dir", tmp_path, "--exp_name", "x", "--epochs", "1", *IDLE, "-s", "3", "5"
    )
    assert main(argv) == 0
    assert [column(tmp_path / "x" / f"x_s{seed}", "Epoch") for seed in (3, 5)] == [[1], [1]]


def test_eval_any_checkpoint_film_and_export(tmp_path, capsys):
    run = train(tmp_path, "--env", TOYS + "Matrix")
    test = ["eval", str(run), "--trust"]
    for which in ("best", "last", "400"):
        assert main([*test, "--checkpoint", which, "--episodes", "1", "--noise"]) == 0
    for kind, magic in (("mp4", b"ftyp"), ("gif", b"GIF8")):
        film = ["--video", str(tmp_path / "v"), "--format", kind]
        assert main([*test, *film, "--episodes", "1"]) == 0
        assert magic in (tmp_path / "v" / f"x_s0_600.{kind}").read_bytes()[:12]
    capsys.readouterr()
    assert main([*test, "--episodes", "2", "--export", str(tmp_path / "policy")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["solved"] is (result["return_mean"] >= 0.5) and result["reward_threshold"] == 0.5
    code = (
        "import sys, numpy as np, tensorflow as tf\n"
        "policy = tf.saved_model.load(sys.argv[1])\n"
        "act = policy.act(tf.ones((5, 4))).numpy()\n"
        "assert 'rl' not in sys.modules and act.shape == (5, 2, 3), act.shape\n"
        "np.save(sys.argv[2], act)\n"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "policy"), str(tmp_path / "act.npy")]
    subprocess.run(argv, check=True, cwd=tmp_path)
    state = load_tree(run / "checkpoints" / "step_000000600.npz")["algo"]["variables"]["actor"]
    hidden = np.maximum(np.ones((5, 4)) @ state[0] + state[2], 0) @ state[1] + state[3]
    low, high = np.array([-1, -2, 0, -3, 1, -1]), np.array([1, 4, 1, 3, 2, 0])
    wanted = ((low + high) / 2 + (high - low) / 2 * np.tanh(hidden)).reshape(5, 2, 3)
    np.testing.assert_allclose(np.load(tmp_path / "act.npy"), wanted, rtol=1e-4, atol=1e-5)


def test_eval_films_the_first_of_several_tasks(tmp_path):
    run = train(tmp_path, "--env", "PointMass-MT4", "--update_after", "1000000")
    film = ["--video", str(tmp_path / "v"), "--format", "gif"]
    assert main(["eval", str(run), "--episodes", "1", *film]) == 0
    assert b"GIF8" in next((tmp_path / "v").iterdir()).read_bytes()[:12]


def test_what_eval_played_is_told_and_kept_whatever_cannot_be_written(tmp_path, capsys):
    run = train(tmp_path, "--env", TOYS + "Matrix")
    (tmp_path / "file").write_text("")
    capsys.readouterr()
    argv = ["eval", str(run), "--trust", "--episodes", "1", "--save"]
    assert main([*argv, "--video", str(tmp_path / "file" / "folder")]) == 2
    out, err = capsys.readouterr()
    assert (
        json.loads(out)["return_mean"] == json.loads((run / "eval.json").read_text())["return_mean"]
    )
    assert err.startswith("main.py: error: ") and err.count("\n") == 1


# Bad input ------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv, words",
    [
        (["--algo", "dddpg"], ["dddpg", "ddpg"]),
        (["--env", "HalfCheeta"], ["HalfCheeta", "HalfCheetah"]),
        (["--network", "mpl"], ["--network", "mlp"]),
        (["--gama", "0.9"], ["--gama", "--gamma"]),
        (["--gamma", "1.5"], ["--gamma", "[0, 1]", "1.5"]),
        (["--gamma", "nan"], ["--gamma", "finite"]),
        (["--q_lr", "0"], ["--q_lr", "above 0"]),
        (["--epochs", "many"], ["--epochs", "whole number"]),
        (["--num_envs", "3"], ["--steps_per_epoch", "--num_envs", "201"]),
        (["--exp_name", "../away"], ["--exp_name", "data_dir"]),
        (["--exp_name", ".."], ["--exp_name", "data_dir"]),
        (["--env", TOYS + "DictObs"], ["observation space Dict"]),
        (["--env", TOYS + "Unbounded"], ["unbounded"]),
        (["--env", "CartPole"], ["ddpg needs continuous actions", "ppo"]),
        (["--lr_schedule", "exponential"], ["--lr_schedule exponential", "--lr_end"]),
        (["--optimizer", "sgd", "--beta_1", "0.5"], ["--beta_1 is for adam, adamw, not sgd"]),
    ],
)
def test_bad_flags(tmp_path, capsys, argv, words):
    error = refused(capsys, *command("--data_dir", tmp_path, *argv))
    assert all(word in error for word in words), error
    assert not list(tmp_path.iterdir())  # nothing was begun


def test_unknown_command(capsys):
    error = refused(capsys, "trian", "--algo", "ddpg")
    assert "trian" in error and "resume" in error


def test_an_existing_run_is_refused_and_kept(tmp_path, capsys):
    run = train(tmp_path, *IDLE, "--epochs", "1")
    before = files(run)
    argv = command("--data_dir", tmp_path, "--exp_name", "x", *IDLE)
    error = refused(capsys, *argv)
    assert "--overwrite" in error
    assert "resume" in error
    assert files(run) == before
    refused(capsys, *argv, "--overwrite", "--gamma", "7")
    refused(capsys, *argv, "--overwrite", "--env", "Nothing")
    assert files(run) == before
    train(tmp_path, *IDLE, "--epochs", "2", "--overwrite")
    assert column(run, "Epoch") == [1, 2]


def test_an_unwritable_folder(tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder")
    assert "cannot write" in refused(capsys, *command("--data_dir", tmp_path / "file"))


@pytest.mark.parametrize("argv", [["resume", "{}"], ["eval", "{}"]])
def test_not_a_run_directory(tmp_path, capsys, argv):
    assert "not a run directory" in refused(capsys, *(a.format(tmp_path) for a in argv))
    (tmp_path / "config.json").write_text("{ half")
    assert "not a run directory" in refused(capsys, *(a.format(tmp_path) for a in argv))


def test_a_finished_run_is_not_resumed(plain, capsys):
    before = files(plain)
    assert "--epochs" in refused(capsys, "resume", plain)
    assert "at least 1" in refused(capsys, "resume", plain, "--epochs", "0")
    assert files(plain) == before


def test_no_such_checkpoint(plain, capsys):
    for which in ("300", "newest"):
        assert "best, 400, 600" in refused(capsys, "eval", plain, "--checkpoint", which)
    assert "--episodes" in refused(capsys, "eval", plain, "--episodes", "0")


def test_nan_stops_and_leaves_the_last_checkpoint(tmp_path, capsys):
    """The reward turns nan at step 30 of an episode of 50; one epoch of 25 steps is sound."""
    flags = "--steps_per_epoch 25 --start_steps 10 --update_after 10 --update_every 5"
    argv = command("--data_dir", tmp_path, "--exp_name", "x", "--env", TOYS + "NanReward")
    argv += [*flags.split(), "--num_test_episodes", "0"]
    error = refused(capsys, *argv)
    assert "reward of env 0 is nan at env step 30; " in error
    assert Checkpoints(tmp_path / "x" / "x_s0").steps() == [25]


@pytest.mark.parametrize("limit", [5_000, 40_000], ids=["in a checkpoint", "in a row"])
def test_a_full_disk(tmp_path, limit):
    """Real write errors, from a limit on the size of a file: what was saved is sound, and the run
    goes on later."""
    args = (*IDLE, "--epochs", "1", "--steps_per_epoch", "10", "--num_test_episodes", "0")
    run = train(tmp_path, *args)
    limited = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    process = start("resume", run, "--epochs", "2000", preexec_fn=limited)
    out = process.communicate(timeout=120)[0]
    assert process.returncode == 2, out
    assert "Traceback" not in out
    assert "cannot write" in out.splitlines()[-1]
    assert not list((run / "checkpoints").glob("*.tmp"))
    saved = Checkpoints(run).steps()[-1] // 10
    assert (saved > 1) == (limit > 5_000)
    assert main(["resume", str(run), "--epochs", str(saved + 2)]) == 0
    assert column(run, "Epoch") == list(range(1, saved + 3))


# Stopping and going on --------------------------------------------------------


def test_ctrl_c_saves_and_resume_goes_on_exactly(tmp_path, uninterrupted):
    args = (*stateful("ddpg"), "--save_freq", "5")
    process = start(*command("--data_dir", tmp_path, "--exp_name", "x", *args))
    run = tmp_path / "x" / "x_s0"
    wait_for_rows(run, 3, process)
    process.send_signal(signal.SIGINT)
    out = process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert "Traceback" not in out
    assert f"go on with: python main.py resume {run}" in out
    partial = column(run, "TotalEnvInteracts")
    assert 600 <= partial[-1] < 1600
    assert Checkpoints(run).steps()[-1] == partial[-1]
    assert main(["resume", str(run)]) == 0
    assert rows(run) == rows(uninterrupted("ddpg"))


def kill_and_resume(data_dir, kills, whole, *args, algo):
    """Kills a run of `args` `kills` times at random moments and resumes it; its rows must equal
    those of `whole`, the same run uninterrupted.

    A moment is up to an epoch's time after the start of the process or after a row of the first
    half is written, so no run ends before its last kill even on a machine that is fast one minute,
    slow the next.
    """
    run = data_dir / "x" / "x_s0"
    times = np.genfromtxt(whole / "progress.txt", names=True, delimiter="\t")["Time"]
    first = command("--data_dir", data_dir, "--exp_name", "x", "--overwrite", *args, algo=algo)
    again = lambda: ["resume", str(run)] if (run / "config.json").exists() else first
    rng = np.random.default_rng()
    after_rows = sorted(rng.integers(0, len(times) // 2, kills))
    delays = rng.uniform(0, np.diff(times).mean(), kills)
    moments = list(zip(after_rows, delays))
    for row, delay in moments:
        kill(start(*again()), run, row, delay)
    assert main(again()) == 0, moments
    assert rows(run) == rows(whole), moments


@pytest.mark.parametrize(
    "algo, num_envs", [("ddpg", 1), ("ddpg", 4), ("td3", 1), ("sac", 4), ("ppo", 1), ("ppo", 4)]
)
def test_killed_and_resumed(tmp_path, uninterrupted, algo, num_envs):
    whole = uninterrupted(algo, num_envs)
    kill_and_resume(tmp_path, 1, whole, *stateful(algo, num_envs), algo=algo)


@pytest.mark.slow
@pytest.mark.parametrize(
    "extra", [("--num_envs", "1"), ("--num_envs", "4", "--env_backend", "async")]
)
@pytest.mark.parametrize("algo", sorted(ALGOS))
def test_killed_ten_times(tmp_path, algo, extra):
    ou = ("--noise", "ou") if algo == "ddpg" else ()
    long = ("--epochs", "80", "--steps_per_epoch", "500")
    args = ("--env", "Hopper", *long, *extra, *ou, *options(algo))
    whole = train(tmp_path / "whole", *args, algo=algo)
    kill_and_resume(tmp_path / "killed", 10, whole, *args, algo=algo)


def test_runs_as_a_module_and_from_anywhere(tmp_path):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-m", "rl", "--algo", "ddpg", "--help"]
    out = subprocess.run(
        argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    ).stdout
    assert "--act_noise" in out and "discount, in [0, 1] (default: 0.99)" in " ".join(out.split())


# Devices ----------------------------------------------------------------------


def test_a_gpu_that_is_not_there(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert "sees no GPU" in refused(capsys, *command("--data_dir", tmp_path, "--device", "gpu"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "device, grown, hidden",
    [("gpu", ["gpu 0"], False), ("auto", ["gpu 0"], False), ("cpu", [], True)],
)
def test_devices(monkeypatch, device, grown, hidden):
    """On a machine with a GPU: its memory is taken as needed, or it is left alone."""
    calls = {"grown": [], "hidden": False}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [f"{kind.lower()} 0"])
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda gpu, on: calls["grown"].append(gpu)
    )
    monkeypatch.setattr(
        tf.config, "set_visible_devices", lambda gpus, kind: calls.update(hidden=gpus == [])
    )
    use_device(device)
    assert calls == {"grown": grown, "hidden": hidden}


@pytest.mark.parametrize("algo", sorted(ALGOS))
def test_mixed_precision_and_cpu(tmp_path, algo):
    run = train(tmp_path / "half", "--precision", "bfloat16", "--device", "cpu", algo=algo)
    assert np.isfinite(column(run, "LossPi")).any()
    assert rows(run) != rows(train(tmp_path / "full", algo=algo))
