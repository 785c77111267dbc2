"""MTAN: shared features that each task looks at through masks of its own."""

import numpy as np
import pytest
import tensorflow as tf

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

DEEP = (8, 7, 6, OUT)
OPEN = 40.0  # a bias before the sigmoid that makes a mask of ones, to rounding


def masks_of(net, x):
    """The masks of all layers, from outputs for `x`."""
    masks = []
    mask = net.mask

    def noted(*args):
        masks.append(mask(*args))
        return masks[-1]

    net.mask = noted
    net(x)
    net.mask = mask
    return [np.array(values) for values in masks]


@pytest.mark.parametrize("members", [None, 2])
def test_masks_are_between_zero_and_one(members):
    net = make_net("mtan", sizes=DEEP, members=members)
    x = np.stack([inputs().numpy()[0]] * TASKS)  # the same for all tasks
    masks = masks_of(net, x)
    assert [mask.shape[-1] for mask in masks] == [8, 7, 6]
    for mask in masks:
        assert 0 < mask.min() and mask.max() < 1
        assert np.ptp(mask, axis=-3).max() > 0.01  # by task
        assert np.ptp(mask, axis=-2).max() > 0.01  # by sample


@pytest.mark.parametrize("members", [None, 2])
def test_open_masks_leave_a_network_with_heads(members):
    net = make_net("mtan", sizes=DEEP, members=members)
    other = make_net("multi_head", sizes=DEEP, members=members)
    for region in net.h:
        kernel, bias = (bank.variable for bank in net.regions[region])
        kernel.assign(tf.zeros_like(kernel))
        bias.assign(tf.fill(bias.shape, OPEN))
    regions = [*range(net.trunk.start, net.trunk.stop), net.head]
    for region, wanted in zip(regions, other.regions, strict=True):
        for bank, copies in zip(net.regions[region], wanted):
            copies.variable.assign(bank.variable)
    np.testing.assert_allclose(net(inputs()), other(inputs()), rtol=1e-5, atol=1e-6)


def test_sample_by_sample():
    net = make_net("mtan", sizes=DEEP)
    x = inputs()
    for t in range(TASKS):
        for sample, out in zip(x.numpy()[t], net(x)[t]):
            features = sample
            attended = None
            for k, region in enumerate(range(net.trunk.start, net.trunk.stop)):
                kernel, bias = values_of(net, region, 0)
                features = relu(features @ kernel + bias)
                seen = features
                if k > 0:
                    kernel, bias = values_of(net, net.f[k - 1], 0)
                    seen = np.concatenate([features, relu(attended @ kernel + bias)])
                kernel, bias = values_of(net, net.g[k], t)
                hidden = relu(seen @ kernel + bias)
                kernel, bias = values_of(net, net.h[k], t)
                attended = features / (1 + np.exp(-(hidden @ kernel + bias)))
            kernel, bias = values_of(net, net.head, t)
            np.testing.assert_allclose(out, attended @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_a_task_alone_trains_its_masks_and_all_train_what_is_shared():
    net = make_net("mtan", sizes=DEEP)
    kernel = lambda region: net.regions[region][0].variable
    masks = gradients_by_task(net, [kernel(region) for region in (*net.g, *net.h)])
    for gradients in masks:
        assert is_each_tasks_own(gradients)
    shared = [*range(net.trunk.start, net.trunk.stop), *net.f]
    for gradients in gradients_by_task(net, [kernel(region) for region in shared]):
        assert (np.abs(gradients).reshape(TASKS, -1).max(axis=-1) > 0).all()


@pytest.mark.parametrize("units, inside", [(0, [8, 7, 6]), (3, [3, 3, 3])])
def test_units_before_masks(units, inside):
    net = make_net("mtan", sizes=DEEP, mask_units=units)
    assert [net.regions[region][0].variable.shape[-1] for region in net.g] == inside
    assert [net.regions[region][0].variable.shape[-2] for region in net.g] == [8, 14, 12]
    assert net(inputs()).shape == (TASKS, 5, OUT)
