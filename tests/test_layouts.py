"""Residual blocks in networks for one task; test_task_networks.py has several."""

import numpy as np
import pytest
import tensorflow as tf

from rl.config import UserError
from rl.flags.network import Config, check_network
from rl.networks import LAYOUTS, MLP
from rl.networks.policy import MLPForward
from tests.helpers_algos import set_weights

B, D, OUT = 5, 4, 2
BLOCKS = sorted(set(LAYOUTS) - {"dense"})


def make(layers, members=None, sizes=(8, 8, OUT)):
    """An MLP of blocks, every variable of which is off its initial value."""
    tf.keras.utils.set_random_seed(0)
    net = MLP(sizes, layers=layers, members=members)
    net.build((None, D))
    rng = np.random.default_rng(0)
    for variable in net.variables:
        variable.assign(variable + 0.1 * rng.normal(size=variable.shape))
    return net


def inputs(*lead):
    return tf.constant(np.random.default_rng(0).normal(size=(*lead, B, D)), tf.float32)


def test_simba_by_hand():
    """The normalisation of two numbers leaves their order: (1, -1) or (-1, 1)."""
    net = MLP([2, 1], layers="simba")
    net.build((None, 1))
    widen = np.zeros((2, 8))
    widen[0, 0] = widen[1, 1] = 1
    narrow = np.zeros((8, 2))
    narrow[0, 1] = 4
    kernels = [[[1, -1]], widen, narrow, [[10], [7]]]
    biases = [[0, 0], np.zeros(8), [0, 0], [1]]
    scales = [[2, 1], [1, 1]]
    shifts = [[0, 0], [0, 3]]
    set_weights(net, *kernels, *biases, *scales, *shifts)
    # (3, -3), normalised (2, -1); inside (2, 0, ...), out of which comes (0, 8); x = (3, 5), which
    # is (-1, 1 + 3) when it is normalised
    np.testing.assert_allclose(net(tf.constant([[3.0]])), [[-10 + 28 + 1]], rtol=1e-5)


def test_bronet_by_hand():
    net = MLP([2, 1], layers="bronet")
    net.build((None, 1))
    kernels = [[[1, -1]], [[2, 0], [0, 0]], [[1, 0], [0, 2]], [[10], [7]]]
    biases = [[0, 0], [0, 0], [0, 0], [1]]
    scales = [[1, 1], [3, 1], [1, 1]]
    shifts = [[0, 0], [0, 5], [0, 0]]
    set_weights(net, *kernels, *biases, *scales, *shifts)
    # (3, -3), normalised (1, -1), x = (1, 0); inside (2, 0), normalised (3, -1 + 5); of that
    # (3, 8), normalised (-1, 1); x = (0, 1)
    np.testing.assert_allclose(net(tf.constant([[3.0]])), [[8]], rtol=1e-5)


@pytest.mark.parametrize("layers", BLOCKS)
def test_sizes_are_those_of_blocks(layers):
    """A block has two layers; beside the blocks there are the first and the last."""
    net = make(layers, sizes=(8, 8, 8, OUT))
    assert len(net.kernels) == 2 * 3 + 2
    inside = 32 if layers == "simba" else 8
    shapes = [tuple(kernel.shape) for kernel in net.kernels]
    assert shapes == [(D, 8), *[(8, inside), (inside, 8)] * 3, (8, OUT)]


@pytest.mark.parametrize("layers", BLOCKS)
@pytest.mark.parametrize("lead", [(), (3,)])
def test_numpy_mirror(layers, lead):
    net = make(layers)
    mirror = MLPForward(net).with_params(net.get_weights())
    x = inputs(*lead)
    np.testing.assert_allclose(mirror(x.numpy(), ())[0], net(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layers", BLOCKS)
def test_numpy_mirror_with_parameters_of_each_task(layers):
    net = make(layers)
    params = [np.stack([value, 2 * value, -value]) for value in net.get_weights()]
    out = MLPForward(net).with_params(params)(inputs(3).numpy(), ())[0]
    for task, factor in enumerate((1, 2, -1)):
        single = make(layers)
        single.set_weights([factor * value for value in single.get_weights()])
        np.testing.assert_allclose(out[task], single(inputs(3)[task]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layers", BLOCKS)
def test_an_ensemble_is_its_members(layers):
    ensemble = make(layers, members=2)
    out = ensemble(inputs())
    for member in range(2):
        single = make(layers)
        weights = zip(ensemble.get_weights(), single.variables)
        single.set_weights([np.reshape(value[member], like.shape) for value, like in weights])
        np.testing.assert_allclose(out[member], single(inputs()), rtol=1e-4, atol=1e-5)
        alone = ensemble(inputs(), member=member)
        np.testing.assert_allclose(alone, out[member], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layers", BLOCKS)
def test_compiled_equals_eager_and_every_variable_learns(layers):
    net = make(layers, members=2)

    @tf.function(jit_compile=True)
    def step(x):
        with tf.GradientTape() as tape:
            out = net(x)
            loss = tf.reduce_sum(out**2)
        return out, tape.gradient(loss, net.trainable_variables)

    out, grads = step(inputs(3))
    np.testing.assert_allclose(out, net(inputs(3)), rtol=1e-4, atol=1e-5)
    assert all(np.abs(gradient).max() > 0 for gradient in grads)
    step(inputs(3))
    assert step.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("layers", BLOCKS)
def test_a_block_whose_last_layer_is_zero_changes_nothing(layers):
    """Layers 3 and 4 of the deep network are its second block, which the shallow one lacks."""
    deep = make(layers)
    shallow = make(layers, sizes=(8, OUT))
    by_name = {variable.name: variable for variable in deep.variables}
    for name in ("kernel_4", "bias_4", "shift_4"):
        if name in by_name:
            by_name[name].assign(tf.zeros_like(by_name[name]))
    for variable in shallow.variables:
        variable.assign(by_name[variable.name.replace("_3", "_5")])
    np.testing.assert_allclose(deep(inputs()), shallow(inputs()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "flags, words",
    [
        (
            {"network": "film", "layers": "simba"},
            "--layers simba is for --network mlp, multi_head, trunk, independent, splitting, not",
        ),
        (
            {"layers": "bronet", "hidden_sizes": (400, 300)},
            "--hidden_sizes: the blocks of --layers bronet are one or more, all of the same size, "
            "got 400 300",
        ),
        ({"layers": "simba", "critic_sizes": (8, 9)}, "--critic_sizes: .* got 8 9"),
        ({"layers": "simba", "hidden_sizes": ()}, "--hidden_sizes: .* got none"),
    ],
)
def test_networks_and_sizes_that_are_not_for_blocks(flags, words):
    with pytest.raises(UserError, match=words):
        check_network(Config(**flags), num_tasks=2)
    check_network(Config(layers="simba", hidden_sizes=(8, 8), actor_sizes=(4,)), num_tasks=2)
