"""Splitting by single weights: who leaves, and that a split changes nothing but whose a weight
is."""

import json

import numpy as np
import pytest
import tensorflow as tf

from rl.__main__ import main
from rl.config import UserError
from rl.experiments.plots.structure import history
from rl.gradients.per_task import TaskGradients
from rl.networks.banks import WeightBank
from rl.splitting import Overlay
from rl.splitting.overlay import agreement
from tests.helpers import command, refused
from tests.helpers_algos import splitters_of
from tests.helpers_splitting import (
    EAGER,
    ENV,
    Toy,
    check_splits,
    make_splitting_algo,
    owner,
    train_in_two,
)

WEIGHTS = ("--network", "sparse_splitting", "--split_weights")


class WeightToy(Toy):
    """The toy with a network whose single weights split: 113 of them."""

    flags = Toy.flags | {"network": "sparse_splitting", "split_weights": True}


# Who leaves --------------------------------------------------------------------


def test_agreement_by_hand():
    """Two members of a network with two weights, of which task 2 has the second for itself."""
    copy = tf.Variable([[False, False], [False, False], [False, True]])
    bank = WeightBank(tf.zeros((2, 4, 2)), 1, 3, copy=copy)
    gradient = tf.constant(
        [[[1.0, 2.0], [3.0, 4.0], [-5.0, 6.0]], [[1.0, 0.0], [1.0, 1.0], [1.0, 1.0]]]
    )
    # first weight, first member: 1 (3 - 5), 3 (1 - 5), -5 (1 + 3); the second member adds 1 (1 + 1)
    # to each
    np.testing.assert_array_equal(
        agreement(bank, gradient), [[-2 + 2, 8 + 0], [-12 + 2, 8 + 0], [-20 + 2, 0]]
    )


def test_scores_by_hand():
    """-mean / sqrt(mean square / n) of 3 blocks; nothing under the threshold, of fewer blocks, or
    that is private."""
    toy = WeightToy([1, 1], split_min_blocks=3, split_z=1.0, split_memory=1.0)
    bank, moments = toy.net.regions[2][1], toy.splitter.moments[-1]  # a bias: one weight
    for value in (-1.0, -2.0, 1.0):
        assert (toy.splitter.scores(bank, moments) == -np.inf).all()
        moments.update(tf.constant([[value], [10 * value - 10]]))
        moments.end_block()
    score = toy.splitter.scores(bank, moments)
    np.testing.assert_allclose(
        score, [[-np.inf], [np.sqrt(3) * 50 / 3 / np.sqrt(1300 / 3)]], rtol=1e-5
    )
    bank.copy.assign([[True], [False]])
    assert (toy.splitter.scores(bank, moments) == -np.inf).all()


def test_measurements_that_are_too_small_are_no_reason_to_leave():
    """Inputs of 1e-26, as some of Meta-World's, have gradients whose product squared is 0."""
    toy = WeightToy([1, 1], split_min_blocks=2, split_z=1.0, split_memory=1.0)
    bank, moments = toy.net.regions[2][1], toy.splitter.moments[-1]
    for _ in range(3):
        moments.update(tf.constant([[-1e-25], [-1.0]]))
        moments.end_block()
    score = toy.splitter.scores(bank, moments)
    np.testing.assert_allclose(score, [[-np.inf], [np.sqrt(3)]], rtol=1e-5)


def test_a_single_task_shares_all():
    assert WeightToy([1]).splitter.sharing == 1 == Toy([1]).splitter.sharing


def test_the_highest_scores_leave_one_task_of_each_weight():
    toy = WeightToy([1, 1, -1], splits_per_check=3, split_private=0.02)  # room for 2 weights of 113
    scores = np.full((3, 113), -np.inf)
    scores[0, :4] = [9, 8, 7, 1]
    scores[1, :2] = [5, 8.5]
    scores[2, 5] = 2
    leaves = toy.splitter.choose(scores)
    # 7 is over the room of task 0, and 5 of task 1 is for a weight that task 0 leaves
    assert sorted(np.argwhere(leaves).tolist()) == [[0, 0], [0, 2], [1, 1]]
    toy.splitter.split(leaves, 9.0)
    scores[leaves] = -np.inf
    leaves = toy.splitter.choose(scores)
    assert sorted(np.argwhere(leaves).tolist()) == [[1, 0], [2, 5]]


def conflict_of_unit(toy, wanted):
    """TaskGradients of squared errors of the first layer, whose inputs are near 1, to `wanted`
    `(num_tasks, units)`."""
    tasks, wanted = len(wanted), np.array(wanted, np.float32)

    x = tf.constant(1 + 0.1 * toy.rng.normal(size=(tasks, 16, 3)), tf.float32)

    def loss():
        params = toy.net.given.params or toy.net.expand()
        return (
            tf.reduce_mean((toy.net.dense(x, params[0]) - wanted[:, None]) ** 2, axis=(-2, -1)),
            {},
        )

    return TaskGradients(owner(toy.net), loss)


@pytest.mark.parametrize("signs, tasks", [([3, -3], [0, 1]), ([3, 3, -3], [2])])
def test_the_weights_at_odds_leave_first(signs, tasks):
    """All of one hidden unit and no others; of two tasks either, of three the one that is alone
    with its sign."""
    toy = WeightToy([1] * len(signs), sizes=(6, 1), splits_per_check=6, split_private=1.0)
    for _ in range(60):
        toy.splitter.observe(conflict_of_unit(toy, 1 + np.outer(signs, np.arange(6) == 2)), "LossQ")
        toy.splitter.end_block()
    toy.splitter.check()
    for bank in toy.net.regions[0]:
        copies = np.array(bank.copy)
        assert (copies[tasks][..., 2].sum(axis=0) == 1).all()
        assert copies.sum() == copies[..., 2].sum()
    [event] = toy.splitter.events
    assert sum(event["private"][0]) == 4 and not any(event["private"][1])


def test_statistics_start_over_where_a_weight_split():
    for reset in (True, False):
        toy = WeightToy([1, 1, -1], split_reset=reset)
        toy.train(100)
        leaves = np.zeros((3, 113), bool)
        leaves[1, 24] = True  # the first bias
        toy.splitter.split(leaves, 1.0)
        counts = [moments.stat().count for moments in toy.splitter.moments]
        blocks = 100 // 20
        first = 0 if reset else blocks
        assert (counts[1][:, 0] == first).all() and (counts[1][:, 1:] == blocks).all()
        assert (counts[0] == blocks).all()


def test_absent_tasks_are_not_counted():
    toy = WeightToy([1, 1, -1])
    toy.splitter.observe(
        conflict_of_unit(toy, np.ones((3, 8))), "LossQ", present=tf.constant([1, 0, 1])
    )
    toy.splitter.end_block()
    counts = [moments.stat().count for moments in toy.splitter.moments]
    assert all((count[[0, 2]] == 1).all() and not count[1].any() for count in counts)
    assert toy.splitter.grams.count.numpy().tolist() == [[1, 0, 1], [0, 0, 0], [1, 0, 1]]


# What a split does --------------------------------------------------------------


@pytest.mark.parametrize("members", [None, 2])
def test_a_split_changes_nothing_but_whose_a_weight_is(members):
    toy = WeightToy([1, 1, -1, -1], members=members, split_min_blocks=10**6)
    toy.train(200)
    toy.targ.set_weights([w + 1 if w.dtype == np.float32 else w for w in toy.net.get_weights()])
    before = [net(toy.inputs()).numpy() for net in (toy.net, toy.targ)]
    leaves = np.random.default_rng(0).random((4, 113)) < 0.3
    toy.splitter.split(leaves, 1.0)
    np.testing.assert_array_equal(toy.splitter.private, leaves)
    for net, out in zip((toy.net, toy.targ), before):
        np.testing.assert_array_equal(net(toy.inputs()), out)
        assert all((np.array(a.copy) == b.copy).all() for a, b in zip(banks(net), banks(toy.net)))
    unused = [np.array(bank.variable) for bank in banks(toy.net)]
    for bank in banks(toy.net):
        slots = [slot.variable for slot in toy.opt.slots(bank.variable)]
        assert len(slots) == 2 and all(np.abs(np.array(slot)).max() > 0 for slot in slots)
        for variable in (bank.variable, *slots):
            common, private = parts(bank, variable)
            np.testing.assert_array_equal(
                private[np.array(bank.copy)], np.broadcast_to(common, private.shape)[bank.copy]
            )
    toy.train(200)
    for bank, old in zip(banks(toy.net), unused):
        (common, private), own_before, left = (
            parts(bank, bank.variable),
            parts(bank, old)[1],
            np.array(bank.copy),
        )
        assert np.abs(private - common)[left].min() > 0
        np.testing.assert_array_equal(private[~left], own_before[~left])  # that nobody uses
    assert toy.burst.compiled.experimental_get_tracing_count() == 1


def banks(net):
    return [bank for region in net.regions for bank in region]


def parts(bank, variable):
    """What tasks share (1, ...), and have (num_tasks, ...), members last."""
    value = np.moveaxis(np.array(variable), range(bank.axis), range(-bank.axis, 0))
    return value[:1], value[1:]


def test_the_sharing_score_counts_who_shares_with_another():
    toy, leaves = WeightToy([1, 1, -1]), np.zeros((3, 113), bool)
    leaves[0, :10] = True
    toy.splitter.split(leaves, 1.0)
    assert toy.splitter.sharing == pytest.approx(1 - 10 / 339)
    leaves[:], leaves[1, :4] = False, True  # so that task 2 is alone with these
    toy.splitter.split(leaves, 1.0)
    assert toy.splitter.sharing == pytest.approx(1 - 18 / 339)


def test_budgets():
    """Of each task, of each check, and of the whole."""
    toy = WeightToy([1, 1, -1, -1], split_private=0.05, splits_per_check=4, split_z=0.0)
    toy.train(3000)
    private, events = toy.splitter.private.sum(axis=1), toy.splitter.events
    assert private.max() == 5 and max(np.sum(event["private"]) for event in events) == 4
    np.testing.assert_array_equal(
        sum(np.sum(event["private"], axis=0) for event in events), private
    )
    stopped = WeightToy(
        [1, 1, -1, -1], split_min_sharing=0.97, split_private=1.0, splits_per_check=4
    )
    stopped.train(1500)
    assert 0.97 - 4 / 452 <= stopped.splitter.sharing <= 0.97


@pytest.mark.parametrize("gradient", ["sum", "pcgrad"])
def test_opposite_tasks_part_and_learn(gradient):
    """With a tenth of the weights to themselves, which is all that they take."""
    toy = WeightToy([1, 1, -1, -1], gradient=gradient, splits_per_check=10)
    assert toy.train(3000).mean() < 0.2  # 1.25 without splits
    assert toy.splitter.events and toy.splitter.private.sum(axis=1).max() <= 11


def test_identical_tasks_stay_together():
    toy = WeightToy([1, 1, 1, 1])
    toy.train(10_000)
    assert toy.splitter.updates == 10_000 and not toy.splitter.events and toy.splitter.sharing == 1


# Algorithms and runs -----------------------------------------------------------


def make_algo(name, **flags):
    return make_splitting_algo(name, "sparse_splitting", split_weights=True, **flags)


@pytest.mark.parametrize(
    "name",
    ["ppo", "sac", *(pytest.param(name, marks=pytest.mark.slow) for name in ("ddpg", "td3"))],
)
def test_every_algorithm_splits(name):
    algo = make_algo(name)
    check_splits(algo, name)
    assert all(isinstance(splitter, Overlay) for splitter in splitters_of(algo).values())


@pytest.mark.parametrize("algo", ["ddpg", pytest.param("sac", marks=pytest.mark.slow)])
def test_runs_resume_exactly(tmp_path, algo):
    """And plot works."""
    args = (*ENV, *WEIGHTS, *EAGER, "--split_private", "0.5", "--lr_schedule", "constant")
    part = train_in_two(tmp_path, args, algo)
    assert main(["plot", "--splits", str(part), "-o", str(tmp_path / "splits.png")]) == 0
    assert (tmp_path / "splits.png").stat().st_size > 10_000


def test_the_report_has_every_split():
    """What is drawn at the end is the part of each layer's weights that each task has for
    itself."""
    toy = WeightToy([1, 1, -1, -1], split_private=0.2, splits_per_check=10)
    toy.train(2000)
    report = json.loads(json.dumps(toy.splitter.report()))
    updates, drawn = history(report)
    assert (
        updates == [0, *(event["updates"] for event in toy.splitter.events)] and not drawn[0].any()
    )
    private = np.split(toy.splitter.private, [32, 104], axis=1)
    np.testing.assert_allclose(drawn[-1], [layer.mean(axis=1) for layer in private])
    assert [layer["size"] for layer in report["layers"]] == [32, 72, 9] and drawn[-1].any()


@pytest.mark.parametrize(
    "flags, words",
    [({"split_criterion": "v2"}, "--split_criterion v2"), ({"std": "split"}, "--std split")],
)
def test_what_weights_cannot_do_is_refused(flags, words):
    with pytest.raises(UserError, match=f"^{words}: with --split_weights"):
        make_algo("ppo", **flags)


@pytest.mark.parametrize(
    "args, words",
    [
        ((*ENV, *WEIGHTS, "--split_map", "any.json"), "--split_map: maps are of regions"),
        (
            (*ENV, "--split_weights"),
            "--network sparse_splitting has it, splitting has not",
        ),
    ],
)
def test_flags_that_do_not_go_together_are_refused(tmp_path, capsys, args, words):
    assert words in refused(capsys, *command("--data_dir", tmp_path, *args))
