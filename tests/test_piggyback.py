"""Piggyback: masks by scores, whose layers they are of, and that nothing of those changes."""

import hashlib
import json
import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf

import rl
from rl.__main__ import main
from rl.experiments.build import make_torsos
from rl.files import load_tree
from rl.networks.masks import ScoreBank, unpacked
from tests.helpers import IDLE, column, command, refused, rows, train
from tests.helpers_algos import FULL, make_spec
from tests.helpers_structure import D, Regression, check_resumes, make_net, structure_of

RIDE = ("--network", "piggyback", "--env", "PointMass-North1", "--obs_norm", "--epochs", "1")
TASKS = 3


def relu(x):
    return np.maximum(x, 0)


def digests(folder):
    """SHA-256 of every file in a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@pytest.fixture(name="source", scope="module")
def fixture_source(tmp_path_factory):
    """A run of four tasks with a head for each, which has learned nothing."""
    flags = ("--env", "PointMass-MT4", "--network", "multi_head", "--obs_norm", "--epochs", "1")
    return train(tmp_path_factory.mktemp("source"), *flags, *IDLE)


# Scores ------------------------------------------------------------------------


@pytest.mark.parametrize("ternary, wanted", [(False, [1, 0, 0, 0, 1]), (True, [1, 0, 0, -1, 1])])
def test_masks_and_their_gradient_by_hand(ternary, wanted):
    scores = tf.Variable([[[0.01, 0.005, 0.0, -0.001, 0.0051]]])
    kernel = tf.Variable([[[2.0, 3.0, 4.0, 5.0, -6.0]]], trainable=False)
    bank = ScoreBank(scores, 0, 1, kernel=kernel, threshold=0.005, ternary=ternary)
    np.testing.assert_array_equal(bank.mask()[0, 0], wanted)
    with tf.GradientTape() as tape:
        expanded = bank.expand(full=False)
    np.testing.assert_array_equal(expanded[0, 0], np.multiply(wanted, [2, 3, 4, 5, -6]))
    gradient = tf.constant([[[1.0, 10.0, 100.0, 1000.0, 10000.0]]])
    pulled = tape.gradient(expanded, scores, output_gradients=gradient)
    np.testing.assert_array_equal(pulled[0, 0], [2, 30, 400, 5000, -60000])
    np.testing.assert_array_equal(bank.rows(gradient)[0, 0, 0], pulled[0, 0])
    assert bank.numbers_used() == np.count_nonzero(wanted)


def test_scores_begin_with_all_weights_and_stay_within_bounds():
    """By steps of length 1 they would be at 1."""
    toy = Regression([0] * TASKS, network="piggyback", structure_lr=1.0)
    for (kernel,), (frozen, _) in zip(toy.net.expand()[:-1], toy.net.frozen):
        np.testing.assert_array_equal(kernel, np.broadcast_to(frozen, kernel.shape))
    assert toy.watch.values()["Density"] == 1
    obs = toy.rng.normal(size=(TASKS, 16, D)).astype(np.float32)
    toy.opt.minimise(lambda: toy.loss(obs, obs[..., 0]), FULL)
    toy.opt.after(1)
    scores = np.concatenate([np.ravel(bank.variable) for bank in toy.net.masked])
    np.testing.assert_allclose(np.unique(np.abs(scores)), [0.01, 0.05], rtol=1e-6)
    flipped = np.count_nonzero(scores < 0) / scores.size
    assert 0 < flipped < 1
    assert toy.watch.values()["Density"] == pytest.approx(1 - flipped)
    assert np.mean(toy.watch.report()["density"]) < 1


def test_a_task_changes_its_own_scores_alone():
    """And its head; the frozen layers stay."""
    toy = Regression([0] * TASKS, network="piggyback")
    frozen = [np.array(variable) for layer in toy.net.frozen for variable in layer]
    before = [np.array(variable) for variable in toy.net.trainable_variables]
    obs = toy.rng.normal(size=(TASKS, 16, D)).astype(np.float32)

    def loss_fn():
        losses, info = toy.loss(obs, obs[..., 0])
        return losses * [0.0, 1.0, 0.0], info

    for _ in range(3):
        toy.opt.minimise(loss_fn, FULL)
    for variable, value in zip(toy.net.trainable_variables, before):
        changed = (np.array(variable) != value).reshape(TASKS, -1).any(axis=1)
        assert changed.tolist() == [False, True, False]
    for variable, value in zip(sum(toy.net.frozen, []), frozen):
        np.testing.assert_array_equal(variable, value)


def test_new_tasks_learn_on_frozen_layers():
    """The layers are random here."""
    toy = Regression([0, 1], network="piggyback", hidden_sizes=(32, 32))
    first = [np.array(variable) for layer in toy.net.frozen for variable in layer]
    assert toy.train(1200).max() < 0.3
    for variable, value in zip(sum(toy.net.frozen, []), first):
        np.testing.assert_array_equal(variable, value)
    assert 0.1 < toy.watch.values()["Density"] < 0.99
    assert toy.burst.compiled.experimental_get_tracing_count() == 1


# Frozen layers ------------------------------------------------------------------


@pytest.mark.parametrize("members", [None, 2])
def test_the_mean_of_the_code_goes_into_the_bias(members):
    """Of a network of four tasks that reads which of them it is at."""
    learned, _ = make_net(4, members=members, network="multi_head", task_onehot=True)
    for bank in learned.regions[0]:
        bank.variable.assign(tf.random.stateless_normal(bank.variable.shape, (0, 1)))
    net, _ = make_net(TASKS, members=members, network="piggyback", seed=1)
    net.adopt(learned)
    x = np.random.default_rng(0).normal(size=(5, D))
    anybody = np.concatenate([x, np.full((5, 4), 0.25)], axis=1)
    for wanted_region, (kernel, bias) in zip(learned.regions, net.frozen):
        w, b = (np.array(bank.variable) for bank in wanted_region)
        wanted = anybody @ w[..., 0, :, :] + b
        got = x @ np.array(kernel)[..., 0, :, :] + np.array(bias)
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
        x = anybody = np.random.default_rng(1).normal(size=(5, 8))


def test_layers_of_a_single_task():
    torsos = make_torsos({"hidden_sizes": (8, 8)}, make_spec())
    for members in (None, 2):
        learned = torsos.make(1, members=members)
        learned.build((None, D))
        for bias in learned.biases:
            bias.assign(tf.random.stateless_normal(bias.shape, (0, 1)))
        net, _ = make_net(TASKS, members=members, network="piggyback", seed=1)
        net.adopt(learned)
        for kernel, bias, frozen in zip(learned.kernels, learned.biases, net.frozen):
            np.testing.assert_array_equal(kernel, np.squeeze(frozen[0], axis=-3))
            np.testing.assert_array_equal(np.squeeze(bias), np.squeeze(frozen[1]))


# Runs --------------------------------------------------------------------------


# Weights of the hidden layers of actor and critic, and numbers of their heads, for one task.
BITS = 4 * 16 + 6 * 16
HEADS = 16 * 2 + 2 + 16 + 1


def check_frozen(torso, learned):
    """The hidden layer is that of `learned`, whose code of four tasks is in the bias."""
    ((kernel, bias),) = torso.frozen
    fan_in = kernel.shape[-2]
    learned_kernel, learned_bias = (np.array(bank.variable) for bank in learned.regions[0])
    assert learned_kernel.shape[-2] == fan_in + 4
    np.testing.assert_array_equal(kernel, learned_kernel[:, :fan_in])
    code = learned_kernel[:, fan_in:].mean(axis=1)
    np.testing.assert_allclose(bias, learned_bias + code, rtol=1e-6)


def check_saved(saved, torso):
    """Masks and head are those of the torso. Returns how many bits there are."""
    bits = 0
    for entry, bank in zip(saved["masks"], torso.masked):
        np.testing.assert_array_equal(unpacked(entry), bank.kept())
        bits += 8 * entry["bits"].nbytes
    for value, bank in zip(saved["head"], torso.regions[-1]):
        np.testing.assert_array_equal(value, bank.variable)
    return bits


def test_a_task_is_added_to_a_run_that_stays_as_it_is(source, tmp_path, capsys):
    """To the byte; masks of the new task lie beside its checkpoints, a bit for each weight."""
    files = digests(source)
    obs = np.random.default_rng(0).normal(size=(8, 4))
    said = rl.load(source).act(obs)
    run = train(tmp_path, *RIDE, "--backbone", source)
    assert digests(source) == files
    np.testing.assert_array_equal(rl.load(source).act(obs), said)
    assert (run / "masks.npz").stat().st_size < BITS // 8 + 4 * HEADS + 4000  # names and checksums
    new = rl.load(run).algo
    old = rl.load(source).algo
    for net in (new.actor, new.actor_targ):
        check_frozen(net.torso, old.actor.torso)
    for net in (new.q, new.q_targ):
        check_frozen(net.torso, old.q.torso)
    masks = load_tree(run / "masks.npz")
    assert (
        check_saved(masks["LossPi"], new.actor.torso) + check_saved(masks["LossQ"], new.q.torso)
        == BITS
    )
    assert structure_of(run)["networks"]["LossPi"]["density"][0][0] < 1
    assert column(run, "PiDensity")[-1] < 1
    capsys.readouterr()
    assert main(["eval", str(run), "--episodes", "2"]) == 0
    assert list(json.loads(capsys.readouterr().out)["tasks"]) == ["north"]


@pytest.mark.slow
def test_runs_resume_exactly(source, tmp_path):
    flags = ("--network", "piggyback", "--backbone", source, "--obs_norm")
    part = check_resumes(tmp_path, "ddpg", *flags)
    assert rows(part) == rows(tmp_path / "whole" / "x" / "x_s0")


def test_it_goes_on_without_the_other_run(source, tmp_path):
    """From its first checkpoint on."""
    gone = tmp_path / "gone"
    shutil.copytree(source, gone)
    run = train(tmp_path, *RIDE, *IDLE, "--backbone", gone)
    frozen = np.array(rl.load(run).algo.actor.torso.frozen[0][0])
    shutil.rmtree(gone)
    assert main(["resume", str(run), "--epochs", "2"]) == 0
    np.testing.assert_array_equal(rl.load(run).algo.actor.torso.frozen[0][0], frozen)


def test_a_strangers_run_runs_no_code(source, tmp_path, capsys, monkeypatch):
    """Its env is a module that would: the module is not imported."""
    gone = tmp_path / "stranger"
    shutil.copytree(source, gone)
    config = json.loads((gone / "config.json").read_text())
    (gone / "config.json").write_text(json.dumps(config | {"env": "stranger_of_ours:Env-v0"}))
    (tmp_path / "stranger_of_ours.py").write_text("raise SystemExit('it ran')\n")
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, *command(*RIDE, "--backbone", gone, "--data_dir", tmp_path / "data"))
    assert "--backbone: its networks don't fit this env's" in line
    assert "stranger_of_ours" not in sys.modules
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "flags, words",
    [
        ((), "--network piggyback needs --backbone"),
        (("--backbone", "nowhere"), "nowhere is not a run directory"),
        (("--threshold", "0.01"), "--threshold 0.01: all weights are used at first"),
        (("--obs_norm", "false"), "has --obs_norm True, and this run False"),
        (("--hidden_sizes", "8"), "has --hidden_sizes (16,), and this run (8,)"),
        (("--critic_embedding", "4"), "has --critic_embedding 0, and this run 4"),
        (("--env", "MT1-reach"), "--backbone: its networks don't fit this env's"),
    ],
)
def test_what_makes_no_sense_is_refused(source, tmp_path, capsys, flags, words):
    argv = command(*RIDE, "--data_dir", tmp_path)
    if flags and "--backbone" not in flags:
        argv += ["--backbone", str(source)]
    assert words in refused(capsys, *argv, *flags)
    assert not list(tmp_path.iterdir())


def test_layers_that_tasks_do_not_share_are_refused(source, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(source, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"network": "independent"}))
    argv = command(*RIDE, "--data_dir", tmp_path / "data", "--backbone", other)
    line = refused(capsys, *argv)
    assert "has --network independent; it takes those of mlp and multi_head" in line


@pytest.mark.slow
def test_a_fifth_task_is_learned_nearly_as_well_as_alone(tmp_path):
    """On the frozen layers of four others, 90% of the success of a network of its own. Layers of 32
    units are too narrow for that."""
    flags = "--hidden_sizes 256 256 --epochs 5 --num_test_episodes 50 --update_every 40"
    flags = (*flags.split(), "--batch_size", "128")
    four = "--env PointMass-MT4 --steps_per_epoch 1600 --start_steps 800 --update_after 800"
    one = "--env PointMass-North1 --steps_per_epoch 800 --start_steps 400 --update_after 400"
    base = train(tmp_path / "four", *flags, *four.split(), "--network", "multi_head")
    ride = ("--network", "piggyback", "--backbone", base)
    rides = train(tmp_path / "rides", *flags, *one.split(), *ride)
    alone = train(tmp_path / "alone", *flags, *one.split(), "--network", "multi_head")
    of_ride = np.mean(column(rides, "TestSuccess")[-3:])
    of_alone = np.mean(column(alone, "TestSuccess")[-3:])
    assert of_alone > 0.8
    assert of_ride >= 0.9 * of_alone
