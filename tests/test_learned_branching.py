"""Learning to branch: samples of parents, trees, and what becomes of them."""

import numpy as np
import pytest
import tensorflow as tf

from rl.config import UserError, build
from rl.flags import torsos as flags
from rl.splitting.branching import numbered, temperature_of, tree_of
from tests.helpers import column, train
from tests.helpers_algos import task_batches
from tests.helpers_structure import (
    D,
    ENV,
    Regression,
    check_is_restored,
    check_resumes,
    make_changing_algo,
    make_net,
)

BRANCHING = {"network": "learned_branching"}


def some_inputs(num_tasks=3):
    return tf.constant(np.random.default_rng(0).normal(size=(num_tasks, 5, D)), tf.float32)


def draw(net, temperature=1.0, seed=0):
    """Gives the net logits, and a sample."""
    rng = np.random.default_rng(seed)
    for bank in net.parents:
        bank.variable.assign(rng.normal(size=bank.variable.shape))
        bank.noise.assign(rng.gumbel(size=bank.noise.shape))
        bank.temperature.assign(temperature)


def test_samples_are_one_parent_each_and_gradients_reach_all_logits():
    net, _ = make_net(**BRANCHING)
    draw(net)
    with tf.GradientTape() as tape:
        params = net.expand_copies()
        with net.using(params):
            loss = tf.reduce_sum(net(some_inputs()) ** 2)
    for gradient in tape.gradient(loss, net.structure):
        assert (gradient.numpy() != 0).all()
    for (chosen,) in params[-2:]:
        np.testing.assert_allclose(np.sort(chosen, axis=-1)[..., -1], 1, atol=1e-6)
        np.testing.assert_allclose(np.sum(chosen, axis=-1), 1, atol=1e-6)


def test_settled_samples_are_the_likeliest():
    net, _ = make_net(**BRANCHING)
    draw(net, temperature=0.0)
    for bank in net.parents:
        np.testing.assert_array_equal(bank.expand_copies(), bank.expand(True))
        np.testing.assert_array_equal(bank.sample(), bank.likeliest())


def test_trees_by_hand():
    """Four tasks on two of three nodes, whose parents are one node each of the layer below."""
    parents = [np.array([2, 0, 2])]
    tree = tree_of(parents, np.array([1, 1, 2, 0]))
    np.testing.assert_array_equal(tree, [[0, 0, 2, 2], [1, 1, 2, 0]])
    np.testing.assert_array_equal(numbered(tree[0]), [0, 0, 1, 1])
    np.testing.assert_array_equal(numbered(tree[1]), [0, 0, 1, 2])


def test_the_tree_is_the_network():
    """A splitting network with its map and its nodes' weights says the same."""
    toy = Regression((0, 0, 1), **BRANCHING)
    draw(toy.net, temperature=0.0)
    toy.watch._enter()
    maps = np.array(toy.watch.report()["maps"])
    tree, _ = make_net(network="splitting")
    chosen = [np.array(bank.variable).argmax(axis=-1) for bank in toy.net.parents]
    nodes = tree_of([chosen[0][0]], chosen[1])
    for layer, (region, (kernel, bias)) in enumerate(zip(tree.regions, toy.net.expand()[:3])):
        for bank, values in zip(region, (kernel.numpy(), bias.numpy())):
            rows = np.array(bank.variable)
            for t in range(3):
                # of a node all tasks have the same; output layers are the tasks' own
                rows[maps[layer, t]] = values[t] if layer == 2 else values[nodes[layer, t], 0]
            bank.variable.assign(rows)
            bank.copy.assign(maps[layer])
    np.testing.assert_allclose(tree(some_inputs()), toy.net(some_inputs()), rtol=1e-5, atol=1e-6)


def test_the_temperature():
    config = build(flags.LearnedBranching, {"warmup_updates": 100, "policy_updates": 200})
    got = [temperature_of(updates, config) for updates in (0, 100, 125, 199, 200)]
    np.testing.assert_allclose(got, [5, 5, 5 / np.sqrt(25.75), 5 / np.sqrt(99.01), 0])


def test_tasks_at_odds_branch():
    """A node is enough for tasks 0 and 1, or for 2 and 3."""
    toy = Regression(
        (0, 0, 1, 1), **BRANCHING, nodes=2, hidden_sizes=(2,), warmup_updates=200,
        policy_updates=3000, lr=1e-2, seed=2,
    )  # fmt: skip
    losses = toy.train(3400)
    first, last = toy.watch.maps
    assert first.tolist() == [0, 0, 1, 1]
    assert last.tolist() == [0, 1, 2, 3]
    assert losses.max() < 0.05


def test_logits_wait_for_their_turn():
    toy = Regression((0, 1), **BRANCHING, warmup_updates=40, policy_updates=80)
    moves = []
    for _ in range(6):
        before = [variable.numpy() for variable in toy.net.structure]
        toy.train(20)
        moves.append(any((v.numpy() != old).any() for v, old in zip(toy.net.structure, before)))
    assert moves == [False, False, True, True, False, False]


@pytest.mark.parametrize("name", ["td3", "ppo"])
def test_algorithms_branch_in_one_trace(tmp_path, name):
    options = {**BRANCHING, "warmup_updates": 8}
    algo = make_changing_algo(name, **options)
    before = [variable.numpy() for variable in algo.actor.torso.structure]
    for k in range(3):
        info = algo.update(*task_batches(name, 8, seed=k), 8)
    for variable, old in zip(algo.actor.torso.structure, before):
        assert (variable.numpy() != old).any()
    assert info["PiBranches"].shape == (1,)
    assert algo.burst.compiled.experimental_get_tracing_count() == 1
    check_is_restored(tmp_path, algo, make_changing_algo(name, **options))


def test_runs_resume_exactly_and_the_tree_trains_from_scratch(tmp_path):
    args = ("--network", "learned_branching", "--warmup_updates", "10", "--structure_lr", "0.1")
    run = check_resumes(tmp_path, "ddpg", *args)
    args = ("--network", "splitting", "--split_map", run, "--epochs", "1")
    again = train(tmp_path / "again", *ENV, *args)
    assert column(again, "Parameters")[0] > 0


def test_times_that_cannot_be():
    with pytest.raises(UserError, match="--policy_updates must be more than --warmup_updates"):
        build(flags.LearnedBranching, {"policy_updates": 10, "warmup_updates": 10})
