"""Soft layer ordering: shared layers that each task uses in an order of its own."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from rl import envs
from rl.__main__ import main
from rl.config import UserError
from rl.experiments.adopt import networks
from rl.experiments.agent import load_agent
from rl.experiments.environments import env_options
from rl.experiments.rundir import RunDir
from rl.flags.network import Config, check_network
from rl.networks.torsos.soft_order import random_permutations
from tests.helpers import IDLE, column, keep_checkpoints, refused, rows, train
from tests.helpers_networks import (
    OUT,
    TASKS,
    gradients_by_task,
    inputs,
    is_each_tasks_own,
    make_net,
    relu,
    values_of,
)

DEEP = (8, 8, 8, OUT)  # three depths
CERTAIN = 40.0  # a logit whose share is 1, to rounding
ML = (
    "--env",
    "PointMass-ML4",
    "--network",
    "soft_order",
    "--task_onehot",
    "false",
    "--hidden_sizes",
    "8",
    "8",
)


def by_order(net, x, t, order):
    """What task t makes of `x` `(batch, in)` where its layers are used in an `order`, by hand."""
    kernel, bias = values_of(net, net.encoder, t)
    x = x @ kernel + bias
    for layer in order:
        kernel, bias = values_of(net, net.layers_region, layer, 0)
        x = relu(x @ kernel + bias)
    kernel, bias = values_of(net, net.decoder, t)
    return x @ kernel + bias


def scales_of(net):
    return np.array(net.scales(net.expand()))


def test_two_layers_by_hand():
    """One unit: x = 1 to 2 by the encoder, the layers y -> relu(3 y) and y -> relu(1 - y)."""
    net = make_net("soft_order", sizes=(1, 1, 1), jitter=0.0)
    values_by_region = {
        net.encoder: ([[0.5]] * 4, [0.0]),
        net.decoder: ([[10.0]], [1.0]),
        net.layers_region: ([[[[3.0]]], [[[-1.0]]]], [[[0.0]], [[1.0]]]),
    }
    for region, values in values_by_region.items():
        for bank, value in zip(net.regions[region], values):
            bank.variable.assign(np.broadcast_to(value, bank.variable.shape))
    shares = np.array([[[0.25, 0.5], [0.75, 0.5]]] * TASKS)
    net.regions[net.logits][0].variable.assign(np.log(shares))
    # depth 1: 0.25 * 6 + 0.75 * 0 = 1.5; depth 2: 0.5 * 4.5 + 0.5 * 0 = 2.25
    np.testing.assert_allclose(np.ravel(net(tf.ones((TASKS, 1, 4)))), [23.5] * TASKS, rtol=1e-6)


def test_tasks_use_all_layers_alike_at_first():
    net = make_net("soft_order", sizes=DEEP, jitter=0.0)
    np.testing.assert_allclose(scales_of(net), np.full((TASKS, 3, 3), 1 / 3), rtol=1e-6)


@pytest.mark.parametrize("order", ["soft", "permuted"])
@pytest.mark.parametrize("members", [None, 2])
def test_what_a_task_uses_at_a_depth_sums_to_one(members, order):
    scales = scales_of(make_net("soft_order", members=members, sizes=DEEP, order=order))
    assert scales.shape[-3:] == (TASKS, 3, 3)
    np.testing.assert_allclose(scales.sum(axis=-2), np.ones((*scales.shape[:-2], 3)), rtol=1e-6)


def test_the_identity_is_a_shared_trunk_with_encoders_and_heads():
    net = make_net("soft_order", sizes=DEEP)
    net.regions[net.logits][0].variable.assign(CERTAIN * np.stack([np.eye(3)] * TASKS))
    x = inputs()
    for t in range(TASKS):
        wanted = by_order(net, x.numpy()[t], t, range(3))
        np.testing.assert_allclose(net(x)[t], wanted, rtol=1e-4, atol=1e-5)


def test_a_single_layer_is_used_whatever_the_scales():
    net = make_net("soft_order", sizes=(8, OUT))
    before = net(inputs()).numpy()
    net.regions[net.logits][0].variable.assign_add(3.0 * tf.ones((TASKS, 1, 1)))
    np.testing.assert_array_equal(net(inputs()), before)
    np.testing.assert_allclose(before[1], by_order(net, inputs().numpy()[1], 1, [0]), rtol=1e-4)


def test_layers_and_scales_permuted_together_are_the_same_network():
    net = make_net("soft_order", sizes=DEEP, members=2)
    before = net(inputs()).numpy()
    order = [2, 0, 1]
    layers = net.regions[net.layers_region]
    for bank in layers:
        bank.variable.assign(tf.gather(bank.variable, order, axis=1))
    assert np.abs(net(inputs()) - before).max() > 1e-2
    logits = net.regions[net.logits][0].variable
    logits.assign(tf.gather(logits, order, axis=-2))
    np.testing.assert_allclose(net(inputs()), before, rtol=1e-4, atol=1e-5)


def test_a_task_alone_learns_how_it_uses_layers():
    net = make_net("soft_order")
    logits, kernel = net.regions[net.logits][0], net.regions[net.layers_region][0]
    scales, layers = gradients_by_task(net, [logits.variable, kernel.variable])
    assert is_each_tasks_own(scales)
    assert (np.abs(layers).reshape(TASKS, -1).max(axis=-1) > 0).all()  # which all tasks train


def test_permuted_ordering_is_each_layer_once_in_an_order_of_the_seeds():
    nets = [make_net("soft_order", sizes=DEEP, seed=seed, order="permuted") for seed in (0, 0, 1)]
    same, again, other = (np.array(net.permutations) for net in nets)
    np.testing.assert_array_equal(same, again)
    assert (same != other).any()
    assert set(np.ravel(same)) == {0.0, 1.0}
    for axis in (1, 2):
        np.testing.assert_array_equal(same.sum(axis=axis), np.ones((TASKS, 3)))
    orders = same.argmax(axis=1)
    assert len({tuple(order) for order in orders}) > 1
    net = nets[0]
    x = inputs()
    for t, order in enumerate(orders):
        wanted = by_order(net, x.numpy()[t], t, order)
        np.testing.assert_allclose(net(x)[t], wanted, rtol=1e-4, atol=1e-5)
    assert all(variable is not net.permutations for variable in net.trainable_variables)


def test_all_orders_are_drawn_about_as_often():
    tf.keras.utils.set_random_seed(0)
    orders = np.array(random_permutations((600, 3, 3))).argmax(axis=1)
    counts = [(orders == order).all(axis=1).sum() for order in itertools.permutations(range(3))]
    assert sum(counts) == 600
    assert 70 < min(counts) and max(counts) < 130, counts  # 100, with a deviation of 9


@pytest.mark.parametrize("order", ["soft", "permuted"])
@pytest.mark.parametrize("members", [None, 2])
def test_a_task_that_follows_a_trained_one_is_that_task(members, order):
    trained = make_net("soft_order", members=members, sizes=DEEP, order=order)
    net = make_net("meta_soft_order", members=members, sizes=DEEP, seed=1, order=order)
    net.adopt(trained)
    net.follow(trained, [2, 0, 0])
    x = np.stack([inputs().numpy()[1]] * TASKS)  # the same for all tasks
    wanted = tf.gather(trained(x), [2, 0, 0], axis=-3)
    np.testing.assert_allclose(net(x), wanted, rtol=1e-5, atol=1e-6)


def test_orders_are_recovered():
    """A task has the layers of the others swapped; layers, encoders and decoders are known, and the
    scales begin equal."""
    teacher = make_net("soft_order", order="permuted")
    orders = np.array([[0, 1], [1, 0], [0, 1]])
    teacher.permutations.assign(np.eye(2)[orders].transpose(0, 2, 1))
    net = make_net("meta_soft_order", jitter=0.0)
    net.adopt(teacher)
    for region, learned in ((net.encoder, teacher.encoder), (net.decoder, teacher.decoder)):
        for copied, bank in zip(net.regions[region], teacher.regions[learned]):
            copied.variable.assign(bank.variable)
    logits = net.regions[net.logits][0].variable
    optimizer = tf.keras.optimizers.Adam(0.1)
    optimizer.build([logits])
    x = inputs(batch=64)
    target = teacher(x)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((net(x) - target) ** 2)
        optimizer.apply([tape.gradient(loss, logits)], [logits])
        return loss

    for _ in range(300):
        loss = step()
    scales = scales_of(net)
    np.testing.assert_array_equal(scales.argmax(axis=1), orders)
    assert scales.max(axis=1).min() > 0.95, scales
    assert loss < 1e-3 * np.var(target)


@pytest.mark.parametrize(
    "sizes, words",
    [
        ({"hidden_sizes": (8, 7)}, "--hidden_sizes: .* all of the same size, got 8 7"),
        ({"actor_sizes": (8, 7)}, "--actor_sizes: .* all of the same size, got 8 7"),
        ({"critic_sizes": (7, 7, 8)}, "--critic_sizes: .* all of the same size, got 7 7 8"),
    ],
)
def test_layers_must_have_one_size(sizes, words):
    check_network(Config(network="soft_order", critic_sizes=(7, 7, 7)), num_tasks=2)
    with pytest.raises(UserError, match=words):
        check_network(Config(network="soft_order", **sizes), num_tasks=2)


# Through the front door ----------------------------------------------------------


def loaded(run):
    values = RunDir(run).config
    env = envs.make(values["env"], **env_options(values))
    return load_agent(RunDir(run), "last", env.spec, values).algo


def test_meta_test_trains_all_but_the_layers(tmp_path, capsys):
    """And goes on from its first checkpoint as if it had never stopped."""
    source = train(tmp_path, *ML, *IDLE)
    args = ("--episodes", "6", "--start", "best", "--num_test_episodes", "2")
    assert main(["meta-test", str(source), *args, "--data_dir", str(tmp_path)]) == 0
    run = tmp_path / "x_meta" / "x_meta_s0"
    assert column(run, "Epoch") == [4, 5, 6]
    trained = loaded(source)
    adapted = loaded(run)
    tasks = envs.make("PointMass-ML4").spec.tasks
    best = [tasks.index(name) for name in RunDir(run).config["meta_start"].values()]
    for network, learned in zip(networks(adapted), networks(trained), strict=True):
        for variable, bank in zip(network.learned, learned.regions[learned.layers_region]):
            np.testing.assert_array_equal(variable, bank.variable)
    torso = adapted.q.torso
    learned = trained.q.torso
    for (bank, *_), (before, *_) in zip(torso.regions, learned.regions):
        start = np.take(np.array(before.variable), best, axis=0)
        assert np.abs(np.array(bank.variable) - start).max() > 1e-4
    whole = rows(run)
    keep_checkpoints(run, 1)
    assert main(["resume", str(run)]) == 0
    assert rows(run) == whole
    words = refused(capsys, "meta-test", source, "--order", "permuted", "--data_dir", tmp_path)
    assert "--order is not for meta-test" in words


def test_orders_are_saved_and_targets_have_the_same(tmp_path):
    flags = ("--order", "permuted", "--hidden_sizes", "8", "8", "8", *IDLE)
    run = train(tmp_path, *ML[:-3], *flags)
    first, again = loaded(run), loaded(run)
    for name in ("actor", "q"):
        torsos = [
            getattr(algo, key).torso for algo in (first, again) for key in (name, f"{name}_targ")
        ]
        for torso in torsos[1:]:
            np.testing.assert_array_equal(torso.permutations, torsos[0].permutations)
    assert (np.array(first.actor.torso.permutations) != first.q.torso.permutations).any()


@pytest.mark.parametrize(
    "argv, words",
    [
        ((*ML, "--hidden_sizes", "8", "7"), "all of the same size, got 8 7"),
        ((*ML[:3], "meta_soft_order"), "is made from a run: main.py meta-test DIR"),
        ((*ML, "--layers", "simba"), "--layers simba is for --network mlp"),
        ((*ML, "--order", "hard"), "--order"),
    ],
)
def test_refused(tmp_path, capsys, argv, words):
    assert words in refused(capsys, *argv, "--data_dir", tmp_path)
