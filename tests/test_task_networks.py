"""What every torso for several tasks must satisfy, and what is true of each. NETWORKS covers a new
one."""

import functools
import importlib
import pkgutil
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

import rl.networks
from rl import gradients
from rl.config import UserError, build
from rl.experiments.build import make_torsos
from rl.flags import torsos
from rl.gradients import make_balancer, shared_gram
from rl.gradients.balancer import shared_regions
from rl.gradients.per_task import TaskGradients
from rl.networks import MLP, NETWORKS
from rl.networks.banks import Bank, MixBank, RoutedBank, WeightBank, copy_row, picked
from rl.networks.constants import Constants
from rl.networks.drawn import DrawnBank, GateBank
from rl.networks.groups import Group
from rl.networks.masks import MaskBank, ScoreBank
from rl.networks.policy import CompiledForward
from rl.networks.stacks import StackNet, mixed
from rl.networks.task_net import TaskNet
from rl.networks.torsos.moore import orthonormal
from rl.networks.torsos.splitting import SplittingLayers
from tests.helpers_algos import make_spec

T, B, D, OUT = 3, 5, 4, 2
SIZES = (8, 7, OUT)
ONE_SIZE = (8, 8, OUT)
FLAGS = {"task_embedding": 5, "experts": 2, "modules": 2, "module_layers": 3, "module_units": 6}
ROWS = {name: {"network": name} for name in NETWORKS}  # what every test with `name` makes, by flags
ROWS["split_weights"] = {"network": "sparse_splitting", "split_weights": True}
ROWS["sparse_splitting"] |= {"split_start": "shared"}
ROWS["modular_sum"] = {"network": "modular", "compose": "sum", "shared_heads": True}
ROWS["splitting_simba"] = {"network": "splitting", "layers": "simba"}
ROWS["splitting_bronet"] = {"network": "splitting", "layers": "bronet", "split_biases": True}
ROWS["splitting_bronet"] |= {"embedding": 4, "learns": True}
SLOW = {
    "splitting_soft_modules": ROWS.pop("splitting_soft_modules"),
    "splitting_care": ROWS.pop("splitting_care"),
    "simba": {"network": "multi_head", "layers": "simba"},
    "bronet": {"network": "independent", "layers": "bronet"},
    "permuted": {"network": "soft_order", "order": "permuted"},
}
ROWS |= SLOW
ROWS["tickets"] = {"network": "sparse_sharing", "private": True}


def make(name, members=None, sizes=None, flags=None, jitter=0.1, **options):
    """A network whose every variable is off its initial value, which for some is one without
    gradients."""
    tf.keras.utils.set_random_seed(0)
    values = FLAGS | ROWS[name] | (flags or {})
    network = values["network"]
    options |= {key: values[key] for key in ("layers", "embedding", "learns") if key in values}
    sizes = sizes or sizes_of(values)
    config = build(torsos.NETWORKS[network].config, values)
    net = NETWORKS[network](sizes, config, members=members, **options)
    net.build((T, None, D))
    rng = np.random.default_rng(0)
    for variable in net.trainable_variables:
        variable.assign(variable + jitter * rng.normal(size=variable.shape))
    if values["network"] == "sparse_sharing":
        net.private.assign("private" in values)
        for bank in net.masked:
            bank.mask.assign(rng.random(bank.mask.shape) < 0.7)
    for variable in net.non_trainable_variables:
        if "int" in variable.dtype:  # which copy each task uses
            variable.assign(rng.integers(0, 2, variable.shape))
    for region in net.regions:
        for bank in region:
            if isinstance(bank, RoutedBank):
                bank.sampled.assign(bank.copy)
            if isinstance(bank, DrawnBank):  # one sample, in updates and outside of them
                bank.sampled_outside = True
                bank.noise.assign(rng.gumbel(size=bank.noise.shape))
                bank.temperature.assign(1.0)
            if isinstance(bank, GateBank):
                bank.learned.assign(np.ones(bank.learned.shape, bool))
    return net


def sizes_of(values):
    """Sizes of layers that a network takes."""
    if "layers" in values:
        return (8, OUT)
    one_size = torsos.NETWORKS[values["network"]].one_size or "compose" in values
    return ONE_SIZE if one_size else SIZES


def inputs(seed=0, batch=B):
    return tf.constant(np.random.default_rng(seed).normal(size=(T, batch, D)), tf.float32)


def task_losses(out, target=0.3):
    """(num_tasks,), of outputs ([members,] num_tasks, batch, dim)."""
    errors = tf.reshape((out - target) ** 2, (-1, T, *out.shape[-2:]))
    return tf.reduce_sum(tf.reduce_mean(errors, axis=(2, 3)), axis=0)


def task_gradients(net, x):
    owner = SimpleNamespace(
        groups={"Loss": Group((net,))}, trainable_variables=net.trainable_variables
    )
    return TaskGradients(owner, lambda: (task_losses(net(x)), {}))


def each_gradient(net, x, params=None):
    """The gradient of each task's loss, by a backward pass for each, in `params` or in the
    variables."""
    with tf.GradientTape(persistent=True) as tape:
        if params is not None:
            tape.watch(params)
            with net.using(params):
                losses = tf.unstack(task_losses(net(x)))
        else:
            losses = tf.unstack(task_losses(net(x)))
    of = net.trainable_variables if params is None else params
    return [
        tape.gradient(loss, of, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        for loss in losses
    ]


def by_task(bank, value):
    """(num_tasks, everything else) of a gradient with respect to a task's own parameters."""
    return np.moveaxis(np.asarray(value), bank.axis, 0).reshape(T, -1)


@pytest.fixture(name="members", params=[None, 2])
def members_fixture(request):
    return request.param


@pytest.fixture(
    name="name",
    params=[pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in ROWS],
)
def name_fixture(request):
    return request.param


@pytest.fixture(name="net")
def net_fixture(name, members):
    return make(name, members)


def test_every_torso_is_in_the_table():
    for module in pkgutil.iter_modules(rl.networks.__path__, "rl.networks."):
        importlib.import_module(module.name)
    below = lambda kind: {kind}.union(*map(below, kind.__subclasses__()))
    torsos_found = below(TaskNet) - {TaskNet, StackNet, SplittingLayers, Constants}
    ours = {kind for kind in torsos_found if kind.__module__.startswith("rl.")}
    assert ours == set(NETWORKS.values())


def test_build_makes_every_variable_and_each_is_in_a_region(net):
    before = [v.path for v in net.variables]
    net(inputs())
    assert before and [v.path for v in net.variables] == before
    banks = [bank for region in net.regions for bank in region]
    known = {
        id(variable)
        for bank in banks
        for variable in (bank.variable, getattr(bank, "mix", None), bank.copy, *bank.states)
        if variable is not None
    }
    frozen = {id(variable) for layer in getattr(net, "frozen", ()) for variable in layer}
    assert {id(v) for v in net.variables} == known | frozen


def test_output_and_its_members(net, members):
    out = net(inputs())
    assert (
        out.shape == (*(() if members is None else (members,)), T, B, OUT)
        and out.dtype == tf.float32
    )
    for k in range(members or 0):
        np.testing.assert_allclose(net(inputs(), member=k), out[k], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("jit", [False, True])
def test_compiled_equals_eager_with_one_trace_for_any_batch_size(net, jit):
    spec = tf.TensorSpec((T, None, D))
    compiled = tf.function(net.call, autograph=False, input_signature=[spec], jit_compile=jit)
    for x in (inputs(), inputs(1, batch=3)):
        np.testing.assert_allclose(compiled(x), net(x), rtol=1e-4, atol=1e-5)
    assert compiled.experimental_get_tracing_count() == 1


def test_some_gradient_reaches_every_variable(net):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(task_losses(net(inputs())))
    for variable, gradient in zip(
        net.trainable_variables, tape.gradient(loss, net.trainable_variables)
    ):
        assert gradient is not None and np.abs(gradient).max() > 0, variable.path


def test_tasks_do_not_see_each_other(net):
    x = inputs()
    other = tf.concat([x[:1], 2.0 - x[1:2], x[2:]], axis=0)
    first, second = (task_gradients(net, inputs_of_tasks) for inputs_of_tasks in (x, other))
    kept = [0, 2]
    np.testing.assert_allclose(
        tf.gather(net(x), kept, axis=-3), tf.gather(net(other), kept, axis=-3), atol=1e-6
    )
    for one, two in zip(first.regions["Loss"], second.regions["Loss"]):
        for (bank, gradient), (_, changed) in zip(one, two):
            np.testing.assert_allclose(
                by_task(bank, gradient)[kept], by_task(bank, changed)[kept], atol=1e-6
            )
    assert np.abs(first.losses - second.losses)[1] > 1e-3


def test_task_gradients_are_those_of_a_backward_pass_each(net):
    tasks, params = task_gradients(net, inputs()), net.expand()
    separate = each_gradient(net, inputs(), params)
    grams = []
    for r, region in enumerate(tasks.regions["Loss"]):
        gram = 0
        for k, (bank, gradient) in enumerate(region):
            rows = [by_task(bank, separate[t][r][k])[t] for t in range(T)]
            for t in range(T):
                assert not np.delete(by_task(bank, separate[t][r][k]), t, axis=0).any()
            np.testing.assert_allclose(by_task(bank, gradient), rows, rtol=1e-5, atol=1e-6)
            gram = gram + by_region(
                bank, [by_task(bank, separate[t][r][k] * to_rows(bank))[t] for t in range(T)]
            )
        grams.extend(gram)
    np.testing.assert_allclose(tasks.grams["Loss"], grams, rtol=1e-4, atol=1e-6)


def joined(bank):
    """(num_tasks, ...) to multiply gradients by: 0 for what a task has for itself, where that is
    known by weight."""
    if isinstance(bank, WeightBank):
        return np.array(bank.shared(), np.float32)
    if isinstance(bank, MaskBank) and bank.mask is not None:
        by_mask = np.moveaxis(np.array(bank.mask, np.float32), bank.axis, 0)
        return np.expand_dims(by_mask, bank.axis + 1)
    rank = len(bank.expand(full=True).shape) - bank.axis
    return np.ones((T, *[1] * (rank - 1)), np.float32)


def to_rows(bank):
    """What multiplies the gradients of tasks' own parameters in `Bank.rows`."""
    if isinstance(bank, ScoreBank):
        return np.array(bank.kernel)
    if isinstance(bank, MaskBank):
        return bank.kept()
    return joined(bank)


def by_region(bank, rows):
    """Inner products (regions, num_tasks, num_tasks) of rows (num_tasks, size). A bank's regions
    are the first axis of what is in a row, its members, or the last, its units."""
    if isinstance(bank, MixBank):
        cut = np.reshape(rows, (T, bank.count, -1))
        return np.einsum("smk,tmk->mst", cut, cut)
    cut = np.reshape(rows, (T, -1, bank.count))
    return np.einsum("sku,tku->ust", cut, cut)


@pytest.mark.parametrize("apart", [False, True])
def test_weighted_task_gradients_are_the_gradient_of_weighted_losses(net, apart):
    counts = [region[0].count for region in net.regions]
    weights = np.random.default_rng(1).normal(size=(len(counts), T)).astype(np.float32)
    weights = weights if apart else np.broadcast_to(weights[:1], weights.shape)
    got = task_gradients(net, inputs()).weighted({"Loss": np.repeat(weights, counts, axis=0)})
    separate = each_gradient(net, inputs())
    place = {
        id(bank.variable): (r, joined(bank))
        for r, region in enumerate(net.regions)
        for bank in region
    }
    for k, variable in enumerate(net.trainable_variables):
        r, parts = place.get(id(variable), (0, np.zeros((T, 1))))  # a mix is each task's own
        wanted = sum((1 + (weights[r, t] - 1) * parts[t]) * separate[t][k] for t in range(T))
        np.testing.assert_allclose(got[k], wanted, rtol=1e-4, atol=1e-6)


def test_what_a_task_has_for_itself_is_not_weighed(net, name):
    """Variables with an axis of tasks, whose row t gets a gradient from task t alone."""
    tasks, separate = task_gradients(net, inputs()), each_gradient(net, inputs())
    share = tasks.shares["Loss"]
    random = np.random.default_rng(1).normal(size=share.shape[:2]).astype(np.float32)
    got = tasks.weighted({"Loss": tf.where(shared_regions(share), random, 1.0)})
    private = []
    for k, variable in enumerate(net.trainable_variables):
        by_loss = np.stack([separate[t][k] for t in range(T)])
        for axis in np.flatnonzero(np.array(variable.shape) == T):
            if (np.moveaxis(by_loss, axis + 1, 1)[~np.eye(T, dtype=bool)] == 0).all():
                np.testing.assert_allclose(got[k], by_loss.sum(axis=0), rtol=1e-4, atol=1e-6)
                private.append(variable.name)
    have = {"mlp": 0, "splitting": 0, "sparse_splitting": 0, "split_weights": 0, "paco": 1}
    have |= {"splitting_simba": 0, "splitting_bronet": 1, "modular_sum": 0}
    assert (len(private) == have[name]) if name in have else private


def test_shares_make_grams_those_of_the_variables(net):
    tasks, separate = task_gradients(net, inputs()), each_gradient(net, inputs())
    place, grams = {id(v): k for k, v in enumerate(net.trainable_variables)}, []
    compared = []
    for region in net.regions:
        bank = region[0]
        # What is drawn from logits is no linear function of them; what is kept has no gradient.
        is_compared = id(bank.variable) in place and not isinstance(bank, DrawnBank)
        compared += [is_compared] * bank.count
        if not is_compared:
            continue
        places = [(bank, place[id(bank.variable)]) for bank in region]
        rows = [
            (bank, [np.ravel(separate[t][k] * joined(bank)[t]) for t in range(T)])
            for bank, k in places
        ]
        grams.extend(sum(by_region(bank, row) for bank, row in rows))
    products = np.array(tasks.shares["Loss"] * tasks.grams["Loss"])
    np.testing.assert_allclose(products[compared], grams, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "batch, calls", [(2, 1), (40, 1), (6, 2)]
)  # by products of samples, or of gradients
@pytest.mark.parametrize(
    "name",
    [
        "multi_head",
        "splitting",
        "sparse_splitting",
        "splitting_bronet",
        pytest.param("splitting_simba", marks=pytest.mark.slow),
    ],
)
def test_halves_of_a_batch(name, members, batch, calls):
    """The whole's gradient is the mean of theirs; inner products across halves are those of a pass
    for each half."""
    net, x = make(name, members), inputs(batch=batch)
    owner = SimpleNamespace(
        groups={"Loss": Group((net,))}, trainable_variables=net.trainable_variables
    )

    def loss(batch):
        return tf.add_n([task_losses(net(batch * (1 + k))) for k in range(calls)]), {}

    whole = TaskGradients(owner, lambda: loss(x))
    both = TaskGradients(owner, lambda: loss(x), halves=True)
    np.testing.assert_allclose(both.losses, whole.losses, rtol=1e-5)
    np.testing.assert_allclose(both.grams["Loss"], whole.grams["Loss"], rtol=1e-4, atol=1e-6)
    weights = {
        "Loss": np.random.default_rng(1)
        .normal(size=whole.grams["Loss"].shape[:2])
        .astype(np.float32)
    }
    for one, two in zip(whole.weighted(weights), both.weighted(weights)):
        np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-6)
    first, second = (
        tf.nest.flatten(TaskGradients(owner, functools.partial(loss, half)).regions["Loss"])
        for half in tf.split(x, 2, axis=1)
    )
    halves, wanted = zip(first[1::2], second[1::2]), []
    for region in net.regions:
        crosses = []
        for bank, pair in zip(region, halves):
            cut = [np.reshape(by_task(bank, g), (T, -1, bank.count)) for g in pair]
            crosses.append(np.einsum("sku,tku->ust", *cut))
        wanted.append(sum(crosses))
    wanted = np.concatenate(wanted)
    products = both.products("Loss")
    np.testing.assert_allclose(
        products.cross, (wanted + wanted.transpose(0, 2, 1)) / 2, rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(products.norms, np.einsum("rtt->rt", wanted), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(products.sums, whole.products("Loss").sums, rtol=1e-4, atol=1e-5)


def test_permuting_tasks_permutes_everything(name, members):
    net, order = make(name, members, onehot=False), [2, 0, 1]
    params, banks = net.expand(), [bank for region in net.regions for bank in region]
    flat = [
        tf.gather(param, order, axis=bank.axis)
        for bank, param in zip(banks, tf.nest.flatten(params))
    ]
    wanted = tf.gather(net(inputs()), order, axis=-3)
    if hasattr(net, "permutations"):
        net.permutations.assign(tf.gather(net.permutations, order))
    with net.using(tf.nest.pack_sequence_as(params, flat)):
        permuted = net(tf.gather(inputs(), order))
    np.testing.assert_allclose(permuted, wanted, rtol=1e-5, atol=1e-6)


def test_full_parameters_give_the_same_outputs(net):
    with net.using(net.expand(full=True)):
        full = net(inputs())
    np.testing.assert_allclose(full, net(inputs()), rtol=1e-5, atol=1e-6)


def test_bfloat16_is_near(name, members):
    exact, rounded = make(name, members), make(name, members, precision="bfloat16")
    rounded.set_weights(exact.get_weights())
    out, near = exact(inputs()), rounded(inputs())
    assert near.dtype == tf.float32 and 0 < np.abs(out - near).max() < 0.05 * np.abs(out).max()


def test_save_and_load(net):
    wanted, weights = net(inputs()).numpy(), net.get_weights()
    net.set_weights([0 * w for w in weights])
    assert np.abs(net(inputs()) - wanted).max() > 1e-3
    net.set_weights(weights)
    np.testing.assert_array_equal(net(inputs()), wanted)


def test_acts_by_given_weights_whatever_the_variables_are(name):
    net = make(name)
    weights, wanted = net.get_weights(), net(inputs()).numpy()
    forward = CompiledForward(net).with_params(weights)
    net.set_weights([0 * w for w in weights])
    out, memory = forward(inputs().numpy(), ())
    np.testing.assert_allclose(out, wanted, rtol=1e-4, atol=1e-5)
    assert memory == ()


def test_flags_make_the_network(name):
    flags = {**ROWS[name], "hidden_sizes": (8,), "task_onehot": False}
    net = make_torsos(flags, make_spec(T)).make(OUT, members=2, out_gain=0.0)
    net.build((T, None, D))
    heads = net(inputs()).numpy()
    assert heads.shape == (2, T, B, OUT) and (heads == 0).all()  # out_gain is the output layer's
    assert not net.onehot
    if name != "mlp":
        with pytest.raises(UserError, match=ROWS[name]["network"]):
            make_torsos(ROWS[name], make_spec())


def plain(weights, sizes=SIZES):
    """An MLP with these kernels and biases."""
    net = MLP(sizes)
    net.build((None, weights[0].shape[-2]))
    net.set_weights([np.reshape(w, v.shape) for w, v in zip(weights, net.variables)])
    return net


def kernels_and_biases(layers):
    return [k for k, _ in layers] + [b for _, b in layers]


def relu(x):
    return np.maximum(x, 0)


def softmax(x):
    return np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True)


def tasks_in_numpy(net):
    """For each task its number, its dense layers as a function of regions, a vector and maybe an
    expert, its code."""
    params = [[param.numpy() for param in region] for region in net.expand()]
    for t in range(T):

        def dense(regions, x, expert=None, t=t):
            for k, r in enumerate(regions):
                kernel, bias = (
                    param[t] if expert is None else param[expert, t] for param in params[r]
                )
                x = (relu(x) if k else x) @ kernel + bias
            return x

        yield t, dense, params[net.task][0][t]


def test_what_all_share_equals_a_perceptron():
    net = make("mlp", onehot=False)
    single, x = (
        plain(kernels_and_biases([[bank.variable for bank in region] for region in net.regions])),
        inputs(),
    )
    np.testing.assert_allclose(net(x), single(x), rtol=1e-5, atol=1e-6)
    grads = []
    for network in (net, single):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(task_losses(network(x)))
        grads.append(
            {
                v.path.split("/")[-1]: g
                for v, g in zip(network.variables, tape.gradient(loss, network.variables))
            }
        )
    for key, gradient in grads[1].items():
        np.testing.assert_allclose(
            np.reshape(grads[0][key], gradient.shape), gradient, rtol=1e-5, atol=1e-6
        )


def test_independent_networks_learn_as_if_alone():
    net = make("independent", onehot=False)
    rows = [[bank.variable for bank in region] for region in net.regions]
    singles = [plain([w[t] for w in kernels_and_biases(rows)]) for t in range(T)]
    opts = [tf.keras.optimizers.Adam(0.01) for _ in range(T + 1)]
    for i in range(10):
        x = inputs(i)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(task_losses(net(x)))
        opts[T].apply(tape.gradient(loss, net.trainable_variables), net.trainable_variables)
        for t, single in enumerate(singles):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((single(x[t]) - 0.3) ** 2)
            opts[t].apply(
                tape.gradient(loss, single.trainable_variables), single.trainable_variables
            )
    for t, single in enumerate(singles):
        np.testing.assert_allclose(net(inputs())[t], single(inputs()[t]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name, own", [("independent", range(len(SIZES))), ("trunk", [len(SIZES) - 2, len(SIZES) - 1])]
)
def test_copies_that_start_the_same(name, own):
    """Those of all tasks do with --same_start, but members of an ensemble don't; without it no two
    kernels are the same."""
    for same_start in (True, False):
        net = make(name, members=2, flags={"same_start": same_start}, jitter=0.0)
        for number in own:
            kernel = np.array(net.regions[number][0].variable)
            assert kernel.shape[:2] == (2, T)
            assert (kernel == kernel[:, :1]).all() == same_start
            assert not (kernel[0] == kernel[1]).any()


def test_picked_rows_and_their_gradient_by_hand():
    copies = tf.Variable([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    with tf.GradientTape() as tape:
        rows = picked(copies, tf.constant([2, 0, 2]), axis=0)
    np.testing.assert_array_equal(rows, [[5, 6], [1, 2], [5, 6]])
    upstream = tf.constant([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    gradient = tape.gradient(rows, copies, output_gradients=upstream)
    assert isinstance(gradient, tf.Tensor)  # dense
    np.testing.assert_array_equal(gradient, [[2, 20], [0, 0], [5, 50]])


def test_film_is_the_identity_at_first():
    net = make("film", onehot=False, jitter=0.0)
    single = plain(
        kernels_and_biases(
            [[bank.variable for bank in region] for region in net.regions[: len(SIZES)]]
        )
    )
    np.testing.assert_allclose(net(inputs()), single(inputs()), rtol=1e-5, atol=1e-6)


def test_film_by_hand():
    net = make("film", sizes=(1, 1), flags={"task_embedding": 1}, onehot=False)
    w = lambda *shape: np.ones(shape, np.float32)
    # kernel, bias of two layers; embedding of each task; kernel and bias to (scale, shift)
    values = [w(1, D, 1), 0 * w(1, 1), w(1, 1, 1), 0 * w(1, 1), np.array([[0], [1], [-2]])]
    net.set_weights(values + [np.array([[[2, 5]]]), np.array([[0, 1]])])
    # the sum of x is 4; task 1: 4 * (1 + 2) + 5 + 1; task 2: 4 * (1 - 4) - 10 + 1 = -21, and relu
    np.testing.assert_allclose(np.ravel(net(tf.ones((T, 1, D)))), [4 + 1, 18, 0])


def test_soft_modules_choose_with_probabilities(members):
    net = make("soft_modules", members)
    encoded = tf.random.stateless_normal((*net.lead, T, B, SIZES[-2]), (0, 0))
    choices = net.probabilities(net.expand(full=False), encoded)
    assert [c.shape[-2:] for c in choices] == [
        (2, 2),
        (2, 2),
        (1, 2),
    ]  # the last layer has one weighted sum
    for choice in choices:
        np.testing.assert_allclose(
            tf.reduce_sum(choice, axis=-1), np.ones(choice.shape[:-1]), rtol=1e-6
        )
        assert (
            np.ptp(choice, axis=-3).max() > 1e-4 and np.ptp(choice, axis=-4).max() > 1e-4
        )  # by sample, by task


@pytest.mark.parametrize("layers", [1, 3])
def test_one_module_a_layer_is_a_perceptron(layers):
    net = make("soft_modules", flags={"modules": 1, "module_layers": layers}, onehot=False)
    places = [*range(net.f.start, net.f.stop), *net.modules, net.head]
    parts = [[bank.variable for bank in net.regions[r]] for r in places]
    single = plain(kernels_and_biases(parts), (*SIZES[:-1], *[6] * layers, OUT))
    np.testing.assert_allclose(net(inputs()), single(inputs()), rtol=1e-5, atol=1e-6)


def test_soft_modules_sample_by_sample():
    net, x = make("soft_modules", onehot=False), inputs()
    for t, dense, code in tasks_in_numpy(net):
        for sample, out in zip(x.numpy()[t], net(x)[t]):
            encoded = dense([*range(net.f.start, net.f.stop)], sample)
            route = hidden = dense(
                [*range(net.router.start, net.router.stop)], relu(encoded * code)
            )
            found, h = [], [relu(encoded)] * 2
            for k in range(3):
                if k:
                    hidden = dense([net.w_u[k - 1]], np.concatenate(found)) * route
                found.append(softmax(dense([net.w_d[k]], relu(hidden)).reshape(-1, 2)).ravel())
                outputs = np.stack([dense([net.modules[k]], h[j], j) for j in range(2)])
                h = relu(found[k].reshape(-1, 2) @ outputs)
            np.testing.assert_allclose(out, dense([net.head], h[0]), rtol=1e-4, atol=1e-5)


def test_moore_sample_by_sample():
    net, x = make("moore", onehot=False), inputs()
    assert net.regions[net.head][0].copies == T
    for t, dense, code in tasks_in_numpy(net):
        for sample, out in zip(x.numpy()[t], net(x)[t]):
            first, second = (dense([*range(len(SIZES) - 1)], sample, k) for k in range(2))
            first = first / np.linalg.norm(first)
            second = second - first * (first @ second)
            mix = code[0] * first + code[1] * second / np.linalg.norm(second)
            np.testing.assert_allclose(out, dense([net.head], np.tanh(mix)), rtol=1e-4, atol=1e-5)


def test_care_sample_by_sample():
    net, x = make("care", onehot=False), inputs()
    context, attend, encoder, top = (
        [*range(part.start, part.stop)]
        for part in (net.context_layers, net.attention_layers, net.encoders, net.top)
    )
    for t, dense, code in tasks_in_numpy(net):
        about = dense(context, relu(code))
        weights = softmax(dense(attend, about))
        for sample, out in zip(x.numpy()[t], net(x)[t]):
            mix = sum(weights[k] * dense(encoder, sample, k) for k in range(2))
            np.testing.assert_allclose(
                out, dense(top, np.concatenate([mix, about])), rtol=1e-4, atol=1e-5
            )


def test_paco_with_one_set_each_is_independent(members):
    net, other = make("paco", members, flags={"experts": T}), make("independent", members)
    net.mix.assign(tf.broadcast_to(tf.eye(T), net.mix.shape))
    for region, wanted in zip(net.regions, other.regions):
        for bank, copy in zip(region, wanted):
            bank.variable.assign(copy.variable)
    np.testing.assert_allclose(net(inputs()), other(inputs()), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(net.regions[0][0].share()[0], np.eye(T))


def test_paco_critics_have_the_gram_of_their_sets():
    """Twin critics mix by different numbers; the sets' gradients of both count as one vector."""
    net = make("paco", members=2)
    tasks, separate = task_gradients(net, inputs()), each_gradient(net, inputs())
    sets = [k for k, variable in enumerate(net.trainable_variables) if variable is not net.mix]
    rows = [np.concatenate([np.ravel(grads[k]) for k in sets]) for grads in separate]
    gram = shared_gram(tasks.grams["Loss"], tasks.shares["Loss"])
    np.testing.assert_allclose(gram, np.inner(rows, rows), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("method", ["pcgrad", "mgda"])
def test_paco_mixes_learn_as_by_the_sum_whatever_the_method(method, members):
    net = make("paco", members)
    tasks, separate = task_gradients(net, inputs()), each_gradient(net, inputs())
    balancer = make_balancer(T, gradients.Config(gradient=method))
    gram, share = tasks.grams["Loss"], tasks.shares["Loss"]
    weights = balancer.weights(tasks.losses, gram, share, tf.constant((0, 1)))
    assert np.abs(weights - 1).max() > 5e-3
    place = [variable is net.mix for variable in net.trainable_variables].index(True)
    got = tasks.weighted({"Loss": weights})[place]
    np.testing.assert_allclose(got, sum(grads[place] for grads in separate), rtol=1e-4, atol=1e-6)


def test_paco_with_one_set_is_a_perceptron():
    net = make("paco", flags={"experts": 1}, onehot=False)
    net.mix.assign(tf.ones_like(net.mix))
    single = plain(
        kernels_and_biases([[bank.variable for bank in region] for region in net.regions])
    )
    np.testing.assert_allclose(net(inputs()), single(inputs()), rtol=1e-5, atol=1e-6)


def test_paco_mixes_before_the_activation():
    net, x = make("paco", sizes=(3,), onehot=False), inputs()
    kernel, bias = (bank.variable.numpy() for bank in net.regions[0])
    outputs = np.einsum("tbi,kio->tkbo", x, kernel) + bias[:, None]
    np.testing.assert_allclose(
        net(x), np.einsum("tk,tkbo->tbo", net.mix, outputs), rtol=1e-4, atol=1e-5
    )


def test_gram_schmidt_by_hand():
    x = np.reshape([[3.0, 4.0], [1.0, 0.0]], (2, 1, 1, 2)).astype(np.float32)
    np.testing.assert_allclose(
        np.reshape(orthonormal(x), (2, 2)), [[0.6, 0.8], [0.8, -0.6]], rtol=1e-6
    )


def test_moore_features_are_orthonormal_for_every_sample():
    x = tf.random.stateless_normal((2, 4, T, B, 9), (0, 0))  # members, experts
    vectors = tf.einsum("nktbd->ntbkd", orthonormal(x))
    gram = tf.matmul(vectors, vectors, transpose_b=True)
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(4), gram.shape), atol=1e-5)
    np.testing.assert_allclose(
        orthonormal(x[:, :1]), tf.math.l2_normalize(x[:, :1], axis=-1), rtol=1e-5, atol=1e-6
    )


def test_moore_has_finite_gradients_where_experts_are_zero_or_alike():
    for x in (tf.zeros((2, 1, 1, 3)), tf.ones((2, 1, 1, 3))):
        with tf.GradientTape() as tape:
            tape.watch(x)
            out = orthonormal(x)
        assert np.isfinite(out).all() and np.isfinite(tape.gradient(out, x)).all()


def test_care_attends_by_task_alone(members):
    net = make("care", members)
    params = net.expand(full=False)
    attention = net.attention(params, net.context(params))
    assert attention.shape == (*net.lead, T, 1, 2) and np.ptp(attention, axis=-3).max() > 1e-4
    np.testing.assert_allclose(
        tf.reduce_sum(attention, axis=-1), np.ones(attention.shape[:-1]), rtol=1e-6
    )


def test_care_attention_does_not_train_the_context():
    net = make("care")
    with tf.GradientTape() as tape:
        params = net.expand(full=False)
        loss = tf.reduce_sum(net.attention(params, net.context(params)) ** 2)
    grads = tape.gradient(loss, net.trainable_variables)
    trained = {
        v.path.split("_")[-1] for v, g in zip(net.trainable_variables, grads) if g is not None
    }
    assert trained == {str(r) for r in range(net.attention_layers.start, net.attention_layers.stop)}


def test_mixture_by_hand():
    weights = tf.constant([[[1.0, 2.0]], [[0.5, 0.0]]])  # two tasks, any sample, two experts
    x = tf.constant(
        [[[[1.0, 2.0]], [[4.0, 6.0]]], [[[10.0, 20.0]], [[7.0, 7.0]]]]
    )  # expert, task, sample, feature
    np.testing.assert_allclose(mixed(weights, x), [[[21.0, 42.0]], [[2.0, 3.0]]])


def test_copies_follow_the_map():
    variable = tf.Variable(
        np.arange(24.0).reshape(2, 4, 3), dtype=tf.float32
    )  # members, copies, dim
    bank = Bank(variable, 1, T, copy=tf.Variable([2, 0, 2]))
    with tf.GradientTape() as tape:
        expanded = bank.expand(full=False)
    np.testing.assert_array_equal(expanded, variable.numpy()[:, [2, 0, 2]])
    np.testing.assert_array_equal(bank.share()[0], [[1, 0, 1], [0, 1, 0], [1, 0, 1]])
    grads = tape.gradient(
        expanded, variable, output_gradients=tf.reshape(tf.range(18.0), (2, T, 3))
    )
    np.testing.assert_array_equal(grads[0], [[3, 4, 5], [0, 0, 0], [6, 8, 10], [0, 0, 0]])
    with pytest.raises(ValueError, match="4 copies for 3 tasks"):
        Bank(variable, 1, T)


def test_private_weights_by_hand():
    """Three tasks, of which one has the first weight for itself and two have the second, so that
    none shares it."""
    variable = tf.Variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0], [10.0, 11.0, 12.0]])
    copy = tf.Variable([[False, True, False], [True, True, False], [False, False, False]])
    bank, gradient = WeightBank(variable, 0, T, copy=copy), tf.reshape(tf.range(1.0, 10.0), (T, 3))
    with tf.GradientTape() as tape:
        expanded = bank.expand(full=False)
    np.testing.assert_array_equal(expanded, [[1, 5, 3], [7, 8, 3], [1, 2, 3]])
    np.testing.assert_array_equal(bank.shared(), [[1, 0, 1], [0, 0, 1], [1, 0, 1]])
    np.testing.assert_array_equal(bank.rows(gradient)[0, 0], [[1, 0, 3], [0, 0, 6], [7, 0, 9]])
    weighted = bank.scaled(tf.constant([[2.0, 3.0, 0.5]]), gradient)
    np.testing.assert_array_equal(weighted, [[2, 2, 6], [4, 5, 18], [3.5, 8, 4.5]])
    pulled = tape.gradient(expanded, variable, output_gradients=gradient)
    np.testing.assert_array_equal(pulled, [[8, 8, 18], [0, 2, 0], [4, 5, 0], [0, 0, 0]])
    np.testing.assert_array_equal(tf.reduce_sum(pulled, axis=0), tf.reduce_sum(gradient, axis=0))


def test_weights_that_nobody_has_for_himself_are_a_perceptron():
    net, other = make("split_weights", jitter=0.0), make("mlp")
    for variable in net.non_trainable_variables:
        variable.assign(tf.zeros_like(variable))
    for region, wanted in zip(net.regions, other.regions):
        for bank, shared in zip(region, wanted):
            bank.variable[:1].assign(shared.variable)
    np.testing.assert_allclose(net(inputs()), other(inputs()), rtol=1e-5, atol=1e-6)
    grads = []
    for network in (net, other):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(task_losses(network(inputs())))
        grads.append(
            tape.gradient(loss, [bank.variable for region in network.regions for bank in region])
        )
    for gradient, wanted in zip(*grads):
        np.testing.assert_allclose(gradient[:1], wanted, rtol=1e-4, atol=1e-6)
        assert not np.array(gradient[1:]).any()


def test_mixes_share_by_their_inner_products():
    mix = tf.constant(
        [[[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]], [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]]
    )  # two members
    bank = MixBank(tf.Variable(tf.ones((2, 2, 5))), 1, T, mix=mix)
    shares = [[[1, 1, 0], [1, 2, 2], [0, 2, 4]], [[1, 0, 0], [0, 1, 0], [0, 0, 0]]]
    np.testing.assert_allclose(bank.share(), shares)
    np.testing.assert_allclose(bank.expand(full=True)[..., 0], [[1, 2, 2], [1, 1, 0]])


def test_a_split_keeps_the_function_and_adds_no_trace():
    """Task 2 leaves the copy of task 0 for one that nobody has used, with its moments and its
    target's weights."""
    variable, target = (
        tf.Variable(tf.random.stateless_normal((2, T, D, 1), (0, 0))) for _ in range(2)
    )
    copy, opt = tf.Variable([0, 1, 0]), tf.keras.optimizers.Adam(0.1)
    opt.build([variable])
    banks = [Bank(v, 1, T, copy) for v in (variable, target)]

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            out = tf.matmul(x, banks[0].expand(full=True))
            loss = tf.reduce_sum((out - tf.reshape([1.0, 2.0, 3.0], (T, 1, 1))) ** 2)
        opt.apply([tape.gradient(loss, variable)], [variable])
        return [tf.matmul(x, bank.expand(full=True)) for bank in banks]

    step(inputs())
    slots = [v for v in opt.variables if v.shape == variable.shape]
    before = [bank.expand(full=True).numpy() for bank in banks]
    for stored in (variable, target, *slots):
        copy_row(stored, 1, 0, 2)
    copy.assign([0, 1, 2])
    for bank, old in zip(banks, before):
        np.testing.assert_array_equal(bank.expand(full=True), old)
    assert len(slots) == 2 and all(
        np.array_equal(s.numpy()[:, 0], s.numpy()[:, 2]) and s.numpy().any() for s in slots
    )
    others = variable.numpy()[:, 1]
    step(inputs())
    assert (
        np.abs(variable[:, 0] - variable[:, 2]).min() > 1e-3
        and np.abs(variable[:, 1] - others).max() > 1e-3
    )
    assert step.experimental_get_tracing_count() == 1


def test_parameters_are_given_in_one_thread_alone():
    """Updates may be traced in one while another acts."""
    net = make("multi_head")
    x = tf.random.stateless_normal((T, B, D), (0, 0))
    wanted = net(x)
    params = tf.nest.map_structure(tf.zeros_like, net.expand())
    with net.using(params), ThreadPoolExecutor(1) as pool:
        there = pool.submit(net, x).result()
        here = net(x)
    np.testing.assert_array_equal(there, wanted)
    assert not np.any(here) and np.any(wanted)
    with pytest.raises(ZeroDivisionError), net.using(params):
        raise ZeroDivisionError
    np.testing.assert_array_equal(net(x), wanted)
