"""Options of every algorithm: n-step returns, prioritised replay, normalisation, optimisers."""

import types

import numpy as np
import pytest
import tensorflow as tf

from rl import gradients
from rl.algos import ALGOS
from rl.buffers.normaliser import Config as NormConfig
from rl.buffers.normaliser import Normaliser, RunningMoments
from rl.buffers.prioritised import PrioritisedReplay, SumTree
from rl.buffers.replay import ReplayBuffer
from rl.config import UserError
from rl.experiments.build import make_torsos
from rl.flags.optimizer import PARAMETERS, check_parameters
from rl.gradients.optimizer import OPTIMIZERS, Config, Optimizer, Optimizers
from rl.networks import Temperature
from rl.networks.groups import Group
from rl.spec import RolloutBatch
from rl.splitting.optimizers import TaskOptimizers
from rl.splitting.task_optimizer import TaskOptimizer
from tests.helpers_algos import FULL, STILL, make_algo, make_batches, make_spec
from tests.helpers_buffers import flat_spec, n_step_return, transition


@pytest.mark.parametrize("num_envs", [1, 3])
@pytest.mark.parametrize("n_step", [1, 2, 5])
@pytest.mark.parametrize("num_tasks", [None, 2])
def test_n_step_returns_against_brute_force(num_envs, n_step, num_tasks):
    """Random ends, a ring that has wrapped around: every start that is stored, in every env."""
    rng, tasks, steps = np.random.default_rng(0), num_tasks or 1, 50
    capacity = 20 * num_envs + 1
    buffer = ReplayBuffer(flat_spec(1, 1, num_tasks), capacity, num_envs, 0.9, n_step)
    rews, dones = (
        rng.normal(size=(steps, tasks * num_envs)),
        rng.random((steps, tasks * num_envs)) < 0.1,
    )
    ends = dones | (rng.random(dones.shape) < 0.1)
    for t in range(steps):
        n = np.full((tasks * num_envs, 1), t, np.float32)
        buffer.store(obs=n, act=n, rew=rews[t], obs2=n + 1, done=dones[t], end=ends[t])
    for batch, drawn in [buffer.sample(1, 2000, rng)]:
        rows = drawn.reshape(tasks, -1)
        for task in range(tasks):
            field = lambda key, task=task: getattr(batch, key).reshape(tasks, 2000, -1)[task, :, 0]
            for i in range(0, 2000, 7):
                newest = buffer.total - 1
                number = rows[task, i] + (newest - rows[task, i]) // capacity * capacity
                t, env = divmod(number, num_envs)
                last, total, discount = n_step_return(
                    task * num_envs + env, t, n_step, 0.9, rews, ends
                )
                assert field("obs")[i] == t and field("obs2")[i] == last + 1
                assert field("done")[i] == dones[last, task * num_envs + env]
                np.testing.assert_allclose(
                    [field("rew")[i], field("gamma")[i]], [total, discount], rtol=1e-4, atol=1e-5
                )


def test_cut_ends_every_envs_trajectory():
    buffer = ReplayBuffer(flat_spec(2, 1), 100, 2, 0.9, 3)
    for i in range(4):
        buffer.store(**transition(2 * i, 2) | {"done": np.zeros(2)})
        if i == 1:
            buffer.cut()
    assert buffer.data["end"][0, :8].tolist() == [0, 0, 1, 1, 0, 0, 0, 0]


def test_sum_tree_draws_in_proportion():
    tree = SumTree(5)
    tree.set(np.arange(5), np.array([1.0, 0, 2, 3, 4]))
    mass = (np.arange(1000) + 0.5) / 100
    counts = np.bincount(tree.find(mass), minlength=5)
    assert counts.tolist() == [100, 0, 200, 300, 400] and tree.tree[1] == 10
    tree.set(np.array([3, 3]), np.array([9.0, 0.0]))  # the last value counts
    assert tree.tree[1] == 7 and tree.leaves[3] == 0


def prioritised(num_tasks=None, count=8, **options):
    buffer = PrioritisedReplay(flat_spec(2, 1, num_tasks), 16, **options)
    for i in range(count):
        buffer.store(**transition(i * (num_tasks or 1), num_tasks or 1))
    return buffer


@pytest.mark.parametrize("num_tasks", [None, 2])
def test_priorities_follow_the_errors(num_tasks):
    buffer, rng = prioritised(num_tasks, alpha=0.5, beta0=1.0), np.random.default_rng(0)
    buffer.sample(1, 4, rng)
    dims = () if num_tasks is None else (num_tasks,)
    rows = np.broadcast_to(np.arange(8), (1, *dims, 8))
    errors = np.broadcast_to(np.arange(8.0) ** 2, (1, *dims, 8))
    buffer.learn(rows, errors)
    batch, rows = buffer.sample(100, 280, rng)
    row = rows[:, 0] if num_tasks else rows
    shares = np.bincount(row.reshape(-1), minlength=8) / row.size
    np.testing.assert_allclose(shares, np.arange(8) / 28, atol=2e-3)  # sqrt of the errors
    # beta 1 undoes the bias: a weighted mean over draws is the mean over what is stored (but row 0,
    # never drawn)
    weight = batch.weight[:, 0] if num_tasks else batch.weight
    assert weight.max() == 1
    np.testing.assert_allclose(
        (weight * row).sum() / weight.sum(), np.arange(1, 8).mean(), rtol=0.03
    )


def test_new_transitions_have_the_largest_priority():
    buffer, rng = prioritised(alpha=1.0), np.random.default_rng(0)
    buffer.sample(1, 4, rng)
    buffer.learn(np.arange(8)[None], np.full((1, 8), 5.0))
    buffer.learn(np.arange(8)[None], np.full((1, 8), 0.1))
    buffer.store(**transition(8, 1))
    _, rows = buffer.sample(100, 64, rng)
    np.testing.assert_allclose((rows == 8).mean(), 5 / 5.8, atol=0.01)


def test_alpha_zero_is_uniform():
    buffer, rng = prioritised(alpha=0.0), np.random.default_rng(0)
    buffer.sample(1, 4, rng)
    buffer.learn(np.arange(8)[None], np.arange(8.0)[None])
    batch, rows = buffer.sample(100, 80, rng)
    np.testing.assert_allclose(np.bincount(rows.reshape(-1)) / 8000, 1 / 8, atol=1e-3)
    np.testing.assert_allclose(batch.weight, 1)


def test_priorities_survive_a_checkpoint():
    buffer, rng = prioritised(count=20), np.random.default_rng(0)
    buffer.sample(1, 4, rng)
    buffer.learn(np.arange(16)[None], 5 * rng.random((1, 16)))
    copy = PrioritisedReplay(flat_spec(2, 1), 16)
    copy.put_rows(4, buffer.rows(4, 20))
    copy.total = 20
    copy.load_state(buffer.state())
    for replay in (buffer, copy):  # with the largest priority, which isn't 1
        replay.store(**transition(20, 1))
    draws = [replay.sample(3, 8, np.random.default_rng(1)) for replay in (buffer, copy)]
    (batch, rows), (copied_batch, copied_rows) = draws
    np.testing.assert_array_equal(rows, copied_rows)
    for values, copied_values in zip(batch, copied_batch):
        np.testing.assert_array_equal(values, copied_values)


def test_moments_in_pieces_are_those_of_all():
    rng, moments = np.random.default_rng(0), RunningMoments((3,))
    data = rng.normal(5, [1, 2, 3], (1000, 3))
    for part in np.split(data, [1, 10, 500]):
        moments.update(part)
    np.testing.assert_allclose(moments.mean, data.mean(0), rtol=1e-4)
    np.testing.assert_allclose(moments.std, data.std(0), rtol=1e-4)


def test_normaliser_round_trip_and_flags():
    rng, spec = np.random.default_rng(0), make_spec()
    norm, off = Normaliser(spec, NormConfig(True, True), 4, 0.9), Normaliser(spec)
    data = rng.normal(3, 2, (500, 4, 3)).astype("f")
    for obs in data:
        for normaliser in (norm, off):
            normaliser.observe(obs, rng.normal(size=4), rng.random(4) < 0.1)
    seen = norm.obs(data)
    assert np.abs(seen.mean((0, 1))).max() < 0.01 and np.abs(seen.std((0, 1)) - 1).max() < 0.01
    assert norm.obs(data + 1e6).max() == 10 and norm.obs(data).dtype == np.float32
    np.testing.assert_array_equal(off.obs(data), data)
    np.testing.assert_array_equal(off.rew(data[..., 0]), data[..., 0])
    copy = Normaliser(spec, NormConfig(True, True), 4, 0.9)
    copy.load_state(norm.state())
    for normaliser in (norm, copy):
        normaliser.observe(data[0], data[0, :, 0], np.zeros(4, bool))
    np.testing.assert_array_equal(norm.obs(data), copy.obs(data))
    np.testing.assert_array_equal(norm.rew(data[..., 0]), copy.rew(data[..., 0]))


def test_rewards_are_scaled_by_the_std_of_the_return_per_task():
    """Task 1 pays ten times task 0; after scaling they are alike. An independent sum of the returns
    agrees."""
    rng, norm = np.random.default_rng(0), Normaliser(make_spec(2), NormConfig(False, True), 4, 0.5)
    scale, rets, ret = np.array([1, 1, 10, 10]), [], np.zeros(4)
    for _ in range(2000):
        rew, end = scale * rng.normal(size=4), rng.random(4) < 0.1
        norm.observe(np.zeros((4, 3), "f"), rew, end)
        ret = 0.5 * ret + rew
        rets.append(ret)
        ret = np.where(end, 0, ret)
    wanted = np.array(rets).reshape(-1, 2, 2).std((0, 2))
    np.testing.assert_allclose(norm.rew(np.ones((2, 1), "f"))[:, 0], 1 / wanted, rtol=1e-3)
    assert 9 < wanted[1] / wanted[0] < 11


def net_of(*variables):
    return types.SimpleNamespace(trainable_variables=list(variables))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimisers_descend_and_follow_the_rate(name):
    x = tf.Variable([4.0, -3.0])
    opt = Optimizer(0.05, net_of(x), Config(optimizer=name))
    loss = lambda: (tf.reduce_sum(x**2), {"Loss": tf.reduce_sum(x**2)})
    losses = [float(opt.minimise(loss, FULL)["Loss"]) for _ in range(100)]
    assert losses[0] == 25 and losses[-1] < 5
    before = x.numpy()
    opt.minimise(loss, STILL)
    np.testing.assert_array_equal(x.numpy(), before)


def test_parameters_are_known_for_every_optimiser():
    assert sorted(PARAMETERS) == sorted(OPTIMIZERS)


def descended(steps, **options):
    """x after `steps` steps down x^2 / 2 from 1, at a rate of 0.1."""
    x = tf.Variable([1.0])
    opt = Optimizer(0.1, net_of(x), Config(**options))
    for _ in range(steps):
        opt.minimise(lambda: (tf.reduce_sum(x**2) / 2, {}), FULL)
    return float(x[0])


def test_momentum_by_hand():
    """Velocities v <- m v - lr g: -0.1, then -0.05 - 0.09; Nesterov's step is m v - lr g with the
    new v."""
    assert descended(2, optimizer="sgd") == pytest.approx(0.81)
    assert descended(2, optimizer="sgd", momentum=0.5) == pytest.approx(0.9 - 0.14)
    first = 1 - 0.5 * 0.1 - 0.1
    velocity = -0.5 * 0.1 - 0.1 * first
    second = first + 0.5 * velocity - 0.1 * first
    nesterov = descended(2, optimizer="sgd", momentum=0.5, nesterov=True)
    assert nesterov == pytest.approx(second)


def test_rho_and_momentum_of_rmsprop_by_hand():
    """Mean squares s <- rho s + (1 - rho) g^2, steps lr g / sqrt(s)."""
    first = 1 - 0.1 / np.sqrt(0.25)
    assert descended(1, optimizer="rmsprop", rho=0.75) == pytest.approx(first, rel=1e-4)
    square = 0.75 * 0.25 + 0.25 * first**2
    step = 0.1 * first / np.sqrt(square)
    assert descended(2, optimizer="rmsprop", rho=0.75) == pytest.approx(first - step, rel=1e-4)
    moved = descended(2, optimizer="rmsprop", rho=0.75, momentum=0.5)
    assert moved == pytest.approx(first - step - 0.5 * 0.2, rel=1e-4)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_betas_by_hand(name):
    """Without a memory of gradients, beta_1 0, the second step is lr g / sqrt(mean square)."""
    first = 1 - 0.1
    square = (0.5 * 0.5 + 0.5 * first**2) / (1 - 0.5**2)
    options = {"optimizer": name, "beta_1": 0.0, "beta_2": 0.5, "weight_decay": 0.0}
    if name == "adamw":
        options["weight_decay"] = 1e-9  # Keras' own default is more
    second = first - 0.1 * first / np.sqrt(square)
    assert descended(2, **options) == pytest.approx(second, rel=1e-4)


def test_adam_steps_as_keras_does():
    x, reference = tf.Variable([[1.0, -2.0]]), tf.Variable([[1.0, -2.0]])
    opt = Optimizer(0.1, net_of(x), Config())
    ours = opt.opt
    keras = tf.keras.optimizers.Adam(0.1, ours.beta_1, ours.beta_2, ours.epsilon)
    for factor in (1.0, 3.0, 0.01):
        opt.minimise(lambda factor=factor: (tf.reduce_sum(factor * x**2), {}), FULL)
        keras.apply([2 * factor * reference.value()], [reference])
        np.testing.assert_array_equal(x, reference)
    assert np.all(x.numpy() != [[1.0, -2.0]])


@pytest.mark.parametrize(
    "options, words",
    [
        ({"optimizer": "sgd", "beta_1": 0.5}, "--beta_1 is for adam, adamw, not sgd"),
        ({"optimizer": "rmsprop", "beta_2": 0.5}, "--beta_2 is for adam, adamw, not rmsprop"),
        ({"momentum": 0.9}, "--momentum is for rmsprop, sgd, not adam"),
        ({"optimizer": "rmsprop", "nesterov": True}, "--nesterov is for sgd, not rmsprop"),
        ({"optimizer": "sgd", "rho": 0.5}, "--rho is for rmsprop, not sgd"),
        ({"optimizer": "sgd", "epsilon": 0.1}, "--epsilon is for adam, adamw, rmsprop, not sgd"),
        ({"optimizer": "sgd", "nesterov": True}, "--nesterov needs a --momentum above 0"),
    ],
)
def test_parameters_of_other_optimisers_are_refused(options, words):
    with pytest.raises(UserError, match=words):
        check_parameters(Config(**options), Config())
    usual = Config(epsilon=0.1)
    check_parameters(Config(optimizer="sgd", momentum=0.9, nesterov=True, epsilon=0.1), usual)


def test_gradients_are_clipped_to_the_norm():
    x = tf.Variable([4.0, -3.0])
    opt = Optimizer(1.0, net_of(x), Config(optimizer="sgd", max_grad_norm=0.5))
    opt.minimise(lambda: (tf.reduce_sum(x**2), {}), FULL)
    np.testing.assert_allclose(
        x, [4 - 0.4, -3 + 0.3], rtol=1e-6
    )  # the gradient (8, -6) scaled to length 0.5


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_is_of_kernels_only(name):
    """A step without a gradient: kernels shrink by lr * weight_decay, all else stays."""
    kernel = tf.Variable([4.0, -2.0], name="kernel_0")
    bias = tf.Variable([3.0], name="bias_0")
    opt = Optimizer(0.1, net_of(kernel, bias), Config(optimizer=name, weight_decay=0.5))
    loss = lambda: (0 * (tf.reduce_sum(kernel) + tf.reduce_sum(bias)), {})
    opt.minimise(loss, FULL._replace(lr=np.float32(0.5)))
    np.testing.assert_allclose(kernel, [4 * (1 - 0.025), -2 * (1 - 0.025)], rtol=1e-6)
    assert bias.numpy() == 3


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_weight_decay_changes_nothing(name):
    kernel = tf.Variable([4.0, -2.0], name="kernel_0")
    opt = Optimizer(0.1, net_of(kernel), Config(optimizer=name, weight_decay=0.0))
    opt.minimise(lambda: (0 * tf.reduce_sum(kernel), {}), FULL)
    np.testing.assert_array_equal(kernel, [4.0, -2.0])


def decayed(optimizers, net):
    """What a step without a gradient multiplies each variable by, `(name, factor)`."""
    for variable in net.trainable_variables:
        variable.assign(tf.ones_like(variable))
    opt = optimizers.make(0.1, net)
    opt.opt.apply([tf.zeros_like(variable) for variable in opt.targets], opt.targets)
    factors = [(variable.name, np.unique(variable)) for variable in net.trainable_variables]
    assert all(len(factor) == 1 for _, factor in factors)
    return [(name, factor[0]) for name, factor in factors]


@pytest.mark.parametrize(
    "flags, others",
    [
        ({"network": "paco"}, {"mix"}),
        ({"network": "care", "task_embedding": 3}, {"code_0"}),
        ({"network": "multi_head", "layers": "simba"}, {"scale_1", "shift_1", "scale_3"}),
    ],
)
def test_weight_decay_in_networks_of_several_tasks(flags, others):
    """With a TaskOptimizer, an ensemble, and what tasks learn beside kernels."""
    flags = flags | {"hidden_sizes": (4,)}
    net = make_torsos(flags, make_spec(2)).make(1, members=2)
    net.build((2, None, 3))
    owner = types.SimpleNamespace(
        trainable_variables=net.trainable_variables, groups={"LossQ": Group((net,))}
    )
    optimizers = TaskOptimizers(
        Config(weight_decay=0.5), gradients.Config(gradient="pcgrad"), num_tasks=2
    )
    assert isinstance(optimizers.make(0.1, owner), TaskOptimizer)
    whole = set()
    for name, factor in decayed(optimizers, owner):
        if factor == 1:
            whole.add(name)
        else:
            np.testing.assert_allclose(factor, 1 - 0.1 * 0.5, rtol=1e-6)
            assert name.startswith("kernel")
    assert others < whole and any(name.startswith("bias") for name in whole)


def test_stds_and_temperatures_do_not_decay():
    optimizers = Optimizers(Config(weight_decay=0.5))
    assert decayed(optimizers, Temperature(1.0, ())) == [("log_alpha", 1)]
    ppo = make_algo(ALGOS["ppo"], opt={"weight_decay": 0.5})
    names = {name: factor for name, factor in decayed(optimizers, ppo.actor)}
    assert names["constants"] == 1 and names["kernel_0"] == np.float32(0.95)


@pytest.mark.parametrize("name", ALGOS)
def test_default_optimisers_of_every_algorithm(name):
    """The constructor's own optimisers train every network."""
    algo = ALGOS[name](make_spec(), make_torsos({"hidden_sizes": (4,)}, make_spec()))
    batches, updates = make_batches(2)
    if name == "ppo":
        rew = batches.rew
        batches = RolloutBatch(batches.obs, batches.act, log_prob=rew, adv=rew, ret=rew, out=rew)
    before = algo.actor.get_weights()
    info = algo.update(batches, updates, 2)
    assert np.isfinite(info["LossPi"]).all()
    assert any((old != new).any() for old, new in zip(before, algo.actor.get_weights()))
