"""Cross-stitch networks: a network for each task, whose features are mixed after each hidden
layer."""

import numpy as np
import pytest
import tensorflow as tf

from rl.config import UserError, build
from rl.flags import torsos
from rl.networks.torsos.cross_stitch import first_alpha
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

DEEP = (8, 7, 6, OUT)  # two stitches of all columns, and the last


def alphas_of(net):
    return [net.regions[region][0].variable for region in (*net.stitches, net.last_stitch)]


def test_alpha_by_hand():
    np.testing.assert_allclose(
        first_alpha(3, 0.9), [[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]]
    )
    np.testing.assert_array_equal(first_alpha(2, 1.0), np.eye(2))
    np.testing.assert_array_equal(first_alpha(1, 0.9), [[1.0]])


@pytest.mark.parametrize("members", [None, 2])
@pytest.mark.parametrize("flags, own", [({}, 0.9), ({"stitch_alpha": 0.5}, 0.5)])
def test_every_stitch_starts_so(members, flags, own):
    net = make_net("cross_stitch", sizes=DEEP, members=members, jitter=0.0, **flags)
    lead = () if members is None else (members,)
    first, second, last = alphas_of(net)
    assert first.shape == second.shape == (*lead, 1, TASKS, TASKS)
    assert last.shape == (*lead, TASKS, TASKS)
    for alpha in (first, second, last):
        wanted = np.broadcast_to(first_alpha(TASKS, own), alpha.shape)
        np.testing.assert_allclose(alpha, wanted, rtol=1e-6)


@pytest.mark.parametrize("members", [None, 2])
def test_unstitched_columns_are_independent(members):
    net = make_net("cross_stitch", sizes=DEEP, members=members)
    other = make_net("independent", sizes=DEEP, members=members)
    for alpha in alphas_of(net):
        alpha.assign(tf.broadcast_to(tf.eye(TASKS), alpha.shape))
    regions = [*range(net.columns.start, net.columns.stop), net.head]
    for region, wanted in zip(regions, other.regions, strict=True):
        for bank, copies in zip(net.regions[region], wanted):
            copies.variable.assign(tf.reshape(bank.variable, copies.variable.shape))
    np.testing.assert_allclose(net(inputs()), other(inputs()), rtol=1e-5, atol=1e-6)


def test_sample_by_sample():
    net = make_net("cross_stitch", sizes=DEEP)
    *stitches, last = map(np.array, alphas_of(net))
    x = inputs()
    for t in range(TASKS):
        for sample, out in zip(x.numpy()[t], net(x)[t]):
            features = np.stack([sample] * TASKS)
            for k, region in enumerate(range(net.columns.start, net.columns.stop)):
                if k > 0:
                    features = stitches[k - 1][0] @ features
                columns = []
                for c in range(TASKS):
                    kernel, bias = values_of(net, region, c, 0)
                    columns.append(relu(features[c] @ kernel + bias))
                features = np.stack(columns)
            kernel, bias = values_of(net, net.head, t)
            wanted = last[t] @ features @ kernel + bias
            np.testing.assert_allclose(out, wanted, rtol=1e-4, atol=1e-5)


def test_a_task_trains_all_columns_and_of_heads_and_last_sums_its_own():
    net = make_net("cross_stitch", sizes=DEEP)
    first, second, last = alphas_of(net)
    head = net.regions[net.head][0].variable
    column = net.regions[net.columns.start][0].variable
    by_task = gradients_by_task(net, [first, second, last, head, column])
    for gradients in (by_task[2], by_task[3]):
        assert is_each_tasks_own(gradients)
    for gradients in (by_task[0], by_task[1]):
        assert (gradients != 0).all()
    assert (np.abs(by_task[4]).reshape(TASKS, TASKS, -1).max(axis=-1) > 0).all()


def test_columns_start_different():
    net = make_net("cross_stitch", jitter=0.0)
    kernel = np.array(net.regions[net.columns.start][0].variable)
    assert np.abs(kernel[0] - kernel[1]).max() > 0.1


@pytest.mark.parametrize("alpha", [-0.1, 1.1])
def test_alpha_is_a_share(alpha):
    with pytest.raises(UserError, match="--stitch_alpha"):
        build(torsos.CrossStitch, {"stitch_alpha": alpha})
