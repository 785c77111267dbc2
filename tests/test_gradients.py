"""Gradient balancing: each method by hand and against its definition on explicit vectors; what all
must satisfy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.optimize import minimize, nnls

from rl.config import build
from rl.flags.gradients import GRADIENTS as FLAGS
from rl.gradients import (
    GRADIENTS,
    Balancer,
    Config,
    conflict,
    make_balancer,
    nash_mtl,
    shared_gram,
)
from rl.gradients.balancer import GramBalancer
from rl.gradients.nash_mtl import bargain
from rl.gradients.surgery import random_orders

SEED = (3, 4)
RANDOM = {"pcgrad", "gradvac"}  # they draw the order of tasks
WITH_GRAM = sorted(name for name in GRADIENTS if GRADIENTS[name].needs_gram)
WEIGHT_LR = FLAGS["gradnorm"]().task_weight_lr
# three regions of four tasks: for all; for 0 and 1, and 2 and 3; of each one's own. No task has all
# to itself.
COPIES = np.array([[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 2, 3]])


def vectors(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def gram_of(g):
    """(..., T, T) of vectors (..., T, dim)."""
    return g @ np.swapaxes(g, -1, -2)


def one_hot(copies):
    return np.eye(copies.max() + 1)[copies]


def float32(*arrays):
    return [None if a is None else tf.constant(a, tf.float32) for a in arrays]


def make(name, tasks, **flags):
    return make_balancer(tasks, Config(gradient=name), build(FLAGS[name], flags))


def compiled(balancer, jit=False):
    """`balancer.weights` from and to NumPy arrays. Algorithms call it in XLA, which takes longer to
    compile."""
    weights = tf.function(balancer.weights, autograph=False, jit_compile=jit)

    def call(losses, gram=None, share=None, seed=SEED):
        gram, share = (gram, share) if balancer.needs_gram else (None, None)
        return weights(*float32(losses, gram, share), tf.constant(seed)).numpy()

    return call


def weigh(name, g, losses=None, **flags):
    """Weights (T,) for gradients g (T, dim) of one region that all share."""
    tasks = len(g)
    losses = np.ones(tasks) if losses is None else losses
    return compiled(make(name, tasks, **flags))(
        losses, gram_of(g)[None], np.ones((1, tasks, tasks))
    )[0]


def settled(name, losses, steps, **flags):
    """A balancer without gradients after `steps` updates with the same losses, and its last
    weights."""
    balancer = make(name, len(losses), **flags)
    call = compiled(balancer)
    for _ in range(steps):
        weights = call(losses)
    return balancer, weights


# By hand ----------------------------------------------------------------

BY_HAND = {
    # g1' = (1, 0) + (-1, 1) / 2 = (1/2, 1/2), g2' = (-1, 1) + (1, 0) = (0, 1)
    "pcgrad": ([[1, 0], [-1, 1]], [2, 1.5]),
    # mean (2, 0); all dual weight on the shorter; lambda = 0.5 * 2 / 1; (1 + 2, 1) scaled to sum 2
    "cagrad": ([[1, 0], [3, 0]], [1.5, 0.5]),
    # w1^2 + 4 w2^2 is least at (4/5, 1/5)
    "mgda": ([[1, 0], [0, 2]], [1.6, 0.4]),
    # both projections are 2/3 at (2/3, 1/3)
    "imtl_g": ([[1, 0], [0, 2]], [4 / 3, 2 / 3]),
    # a = (1, 1/2) has (K a) = (1, 2)
    "nash_mtl": ([[1, 0], [0, 2]], [4 / 3, 2 / 3]),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_gradients_by_hand(name):
    g, wanted = BY_HAND[name]
    np.testing.assert_allclose(weigh(name, np.array(g)), wanted, rtol=1e-3)


def test_gradvac_by_hand():
    balancer = make("gradvac", 2)
    balancer.target.assign(np.full((2, 2), 0.6))
    # g1' = (1, 0) + 0.375 (0, 2) has cosine 0.75 / 1.25 with g2, and so has g2' = (0, 2) + 1.5 (1,
    # 0) with g1
    weights = compiled(balancer)(np.ones(2), gram_of(np.diag([1.0, 2.0]))[None], np.ones((1, 2, 2)))
    np.testing.assert_allclose(weights, [[2.5, 1.375]], rtol=1e-5)
    np.testing.assert_allclose(
        balancer.target.numpy()[[0, 1], [1, 0]], 0.99 * 0.6, rtol=1e-6
    )  # met cosines of 0


def test_gradnorm_by_hand():
    call, both = compiled(make("gradnorm", 2)), np.ones((1, 2, 2))
    unequal = gram_of(np.diag([1.0, 2.0]))[None]
    np.testing.assert_array_equal(call(np.ones(2), unequal, both), [[1, 1]])
    # norms 1 and 2 both move to 1.5; Adam's first step is its learning rate
    np.testing.assert_allclose(
        call(np.ones(2), unequal, both), [[1 + WEIGHT_LR, 1 - WEIGHT_LR]], rtol=1e-5
    )
    for _ in range(300):
        weights = call(np.ones(2), unequal, both)
    np.testing.assert_allclose(weights, [[4 / 3, 2 / 3]], atol=0.05)  # equal norms


def test_gradnorm_favours_the_slow():
    call, equal = compiled(make("gradnorm", 2)), [np.eye(2)[None], np.ones((1, 2, 2))]
    for losses in ([1, 1], [2, 1], [2, 1]):  # the first is 4/3 of its average, the second as always
        weights = call(np.array(losses), *equal)
    assert weights[0, 0] > 1.01 and weights[0, 1] < 0.99


def test_gradnorm_keeps_its_sum():
    balancer = make("gradnorm", 3)
    call = compiled(balancer)
    for _ in range(20):  # two weights rise by what one falls
        call(np.ones(3), gram_of(np.diag([1.0, 1.0, 10.0]))[None], np.ones((1, 3, 3)))
    np.testing.assert_allclose(balancer.learned.numpy().mean(), 1, rtol=1e-5)
    assert balancer.learned.numpy()[2] < 0.7


def test_famo_by_hand():
    balancer = make("famo", 2)
    call = compiled(balancer)
    np.testing.assert_allclose(
        call(np.array([1.0, 3.0])), [1.5, 0.5], rtol=1e-6
    )  # in proportion to 1 and 1/3
    balancer.after(*float32([1.0, 3.0], [0.5, 3.0]))  # the first fell: away from it
    np.testing.assert_allclose(balancer.logits, [-WEIGHT_LR, WEIGHT_LR], rtol=1e-5)
    np.testing.assert_allclose(
        call(np.ones(2)), 2 / (1 + np.exp([2 * WEIGHT_LR, -2 * WEIGHT_LR])), rtol=1e-5
    )


def test_famo_logits_decay():
    balancer = make("famo", 2, famo_decay=1.0)
    balancer.logits.assign([1.0, -1.0])
    for _ in range(200):
        balancer.after(*float32([1.0, 1.0], [1.0, 1.0]))
    np.testing.assert_allclose(balancer.logits, 0, atol=0.05)


def test_uncertainty_finds_its_optimum():
    losses = np.array([0.5, 2.0, 1.0])
    balancer, weights = settled("uncertainty", losses, 400)
    np.testing.assert_allclose(np.exp(balancer.log_variance), losses, rtol=1e-2)
    np.testing.assert_allclose(weights, 3 / losses / np.sum(1 / losses), rtol=1e-2)


def test_uncertainty_of_a_loss_that_is_0():
    balancer, weights = settled("uncertainty", np.array([0.0, 1.0]), 5000)
    assert np.isfinite(balancer.log_variance).all()
    np.testing.assert_allclose(weights, [2, 0], atol=1e-5)


def test_dwa_by_hand():
    call = compiled(make("dwa", 2, dwa_window=2))
    for losses in ([1, 1], [3, 1], [1, 1], [1, 1]):  # means (2, 1), then (1, 1)
        np.testing.assert_array_equal(call(np.array(losses)), [1, 1])
    for losses in ([8, 0], [8, 0]):  # counts from the next window on
        np.testing.assert_allclose(
            call(np.array(losses)), 2 / (1 + np.exp([0.25, -0.25])), rtol=1e-6
        )
    np.testing.assert_allclose(
        call(np.ones(2)), 2 / (1 + np.exp([-4, 4])), rtol=1e-5
    )  # kept 8 and 0


def test_slaw_by_hand():
    call = compiled(make("slaw", 2))
    np.testing.assert_array_equal(call(np.zeros(2)), [1, 1])
    np.testing.assert_allclose(
        call(np.array([2.0, -4.0])), [4 / 3, 2 / 3], rtol=1e-6
    )  # stds 1 and 2


def test_slaw_is_the_definition_in_double_precision():
    losses, call = 50 + vectors(300, 3) * [0.1, 1, 5], compiled(make("slaw", 3))
    first = second = np.zeros(3)
    for n, loss in enumerate(losses):
        weights, part = call(loss), max(1 / (n + 1), 0.01)
        first, second = first + part * (loss - first), second + part * (loss**2 - second)
    std = np.sqrt(second - first**2)
    np.testing.assert_allclose(weights, 3 / std / np.sum(1 / std), rtol=1e-3)


# Against definitions on vectors -------------------------------------------


def naive_surgery(g, common, orders, target=None):
    """PCGrad, or GradVac with target cosines, on vectors g (R, T, dim) one pair after the other.
    Sum (R, dim), cosines."""
    total, cosines = np.zeros_like(g[:, 0]), np.zeros((len(orders), len(orders)))
    for i, others in enumerate(orders):
        mine = g[:, i].copy()
        for j in others:
            where = common[:, i, j]
            a, b = mine[where].ravel(), g[where, j].ravel()
            rho = cosines[i, j] = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
            if target is None and rho < 0:
                mine[where] -= a @ b / (b @ b) * g[where, j]
            elif target is not None and rho < target[i, j]:
                wanted = np.sqrt(1 - target[i, j] ** 2)
                up = np.linalg.norm(a) * (target[i, j] * np.sqrt(1 - rho**2) - rho * wanted)
                mine[where] += up / (np.linalg.norm(b) * wanted) * g[where, j]
        total += mine
    return total, cosines


MIXES = {  # (R, T, copies): what part of each copy a task's parameters are
    "copies": one_hot(COPIES),
    "mixed": np.abs(vectors(3, 4, 2, seed=1)),
    "all shared": np.ones((3, 4, 1)),
}


@pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
@pytest.mark.parametrize("name", sorted(RANDOM))
def test_surgery_equals_projections_of_vectors(name, mix):
    balancer, target = make(name, 4), None
    if name == "gradvac":
        target = 0.9 * np.tanh(vectors(4, 4, seed=2))
        balancer.target.assign(target)
    call, share = compiled(balancer), gram_of(mix)
    for seed in range(5):
        g = vectors(3, 4, 6, seed=seed)
        bank = (mix[..., None] * g[..., None, :]).reshape(
            3, 4, -1
        )  # the gradients of the copies themselves
        weights = call(np.ones(4), gram_of(g), share, (seed, 7))
        orders = random_orders(tf.constant((seed, 7)), 4).numpy()[:, :-1]
        wanted, cosines = naive_surgery(bank, share != 0, orders, target)
        np.testing.assert_allclose(
            np.einsum("rt,rtp->rp", weights, bank), wanted, rtol=1e-4, atol=1e-4
        )
        if target is not None:
            target = 0.99 * target + 0.01 * cosines
            np.fill_diagonal(target, balancer.target.numpy().diagonal())
            np.testing.assert_allclose(balancer.target, target, rtol=1e-4, atol=1e-5)


def test_orders_are_uniform_permutations_of_the_others():
    orders = np.array([random_orders(tf.constant((seed, 0)), 4) for seed in range(600)])
    for task in range(4):
        others, last = orders[:, task, :-1], orders[:, task, -1]
        assert (np.sort(others) == np.delete(np.arange(4), task)).all() and (last == task).all()
        _, counts = np.unique(others, axis=0, return_counts=True)
        assert len(counts) == 6 and counts.min() > 65 and counts.max() < 140  # 100 each, std 9


def test_surgery_leaves_agreeing_gradients_alone():
    g = np.abs(vectors(4, 3))
    np.testing.assert_array_equal(weigh("pcgrad", g), 1)
    np.testing.assert_array_equal(weigh("gradvac", g), 1)


def test_pcgrad_does_not_ask_how_long_the_others_are():
    g = vectors(
        5, 4
    )  # with the length of task 2's gradient, its own part of the step changes, and that in proportion
    scaled = [g * np.where(np.arange(5) == 2, s, 1)[:, None] for s in (1, 2, 3)]
    steps = np.array([weigh("pcgrad", task_grads) @ task_grads for task_grads in scaled])
    np.testing.assert_allclose(steps[1] - steps[0], steps[2] - steps[1], rtol=1e-3, atol=1e-4)


def test_gradvac_with_target_zero_is_pcgrad():
    gradvac, pcgrad = compiled(make("gradvac", 6, gradvac_beta=0.0)), compiled(make("pcgrad", 6))
    for seed in range(5):
        arrays = np.ones(6), gram_of(vectors(2, 6, 4, seed=seed)), np.ones((2, 6, 6)), (seed, 1)
        np.testing.assert_allclose(gradvac(*arrays), pcgrad(*arrays), rtol=1e-4)


@pytest.mark.parametrize("shape", [(3, 2), (10, 5), (10, 40), (50, 200)])
def test_cagrad_is_the_optimum_of_its_dual(shape):
    g, tasks = vectors(*shape) + 0.3, shape[0]
    g /= np.linalg.norm(g.mean(0))
    gram, c = gram_of(g), 0.7
    dual = lambda w: gram.mean(0) @ w + c * np.sqrt(w @ gram @ w)
    sums = {"type": "eq", "fun": lambda w: w.sum() - 1}
    w = minimize(
        dual, np.full(tasks, 1 / tasks), bounds=[(0, 1)] * tasks, constraints=sums, tol=1e-12
    ).x
    ratio = c / np.linalg.norm(w @ g)  # lambda
    wanted = (g.mean(0) + ratio * w @ g) / (1 + ratio)
    weights = weigh("cagrad", g, cagrad_c=c)
    np.testing.assert_allclose(
        weights @ g / tasks, wanted, atol=1e-2 * np.linalg.norm(wanted) / np.sqrt(shape[1])
    )
    np.testing.assert_allclose(weights.sum(), tasks, rtol=1e-5)


def test_cagrad_without_room_is_the_sum():
    np.testing.assert_allclose(weigh("cagrad", vectors(4, 6), cagrad_c=0.0), 1, rtol=1e-6)


@pytest.mark.parametrize("shape", [(3, 2), (10, 40), (50, 200)])
def test_mgda_helps_every_task_as_the_shortest_vector_does(shape):
    g = vectors(*shape) + 0.3
    weights = weigh("mgda", g) / len(g)
    d = weights @ g
    assert weights.min() >= 0 and np.min(g @ d) >= d @ d - 1e-4 * np.mean(g**2) * shape[1]


def spread(tasks, dim, ratio, seed):
    """Gradients (tasks, dim) of lengths up to `ratio` apart, in no order."""
    rng = np.random.default_rng(seed)
    g = rng.normal(size=(tasks, dim)) + 0.3
    lengths = np.geomspace(1, ratio, tasks)
    return g * rng.permutation(lengths)[:, None]


@pytest.mark.parametrize("ratio", [1, 100, 1000])
@pytest.mark.parametrize("shape", [(10, 8), (10, 40), (50, 200)])
def test_mgda_is_the_shortest_vector_however_long_gradients_are(shape, ratio):
    tasks, call = shape[0], compiled(make("mgda", shape[0]))
    for seed in range(4):
        g = spread(*shape, ratio, seed)
        weights = call(np.ones(tasks), gram_of(g)[None], np.ones((1, tasks, tasks)))[0] / tasks
        # of |s g_w|^2 + (1 - s)^2 for w on the simplex the least is at the shortest g_w
        rows = np.vstack([g.T, np.ones(tasks)])
        exact = nnls(rows, np.eye(len(rows))[-1])[0]
        shortest = exact / exact.sum() @ g
        step = weights @ g
        np.testing.assert_allclose(step @ step, shortest @ shortest, rtol=1e-3)
        assert np.min(g @ step) > 0.99 * step @ step


@pytest.mark.parametrize("ratio", [1, 100, 1000])
@pytest.mark.parametrize("shape", [(10, 8), (50, 200)])
def test_cagrad_closes_its_gap_however_long_gradients_are(shape, ratio):
    """The dual at w is above, and the improvement of the worst-off task below, the optimum of
    both."""
    tasks, c = shape[0], 0.5
    solve = tf.function(make("cagrad", tasks, cagrad_c=c).solve, autograph=False)
    for seed in range(4):
        g = spread(*shape, ratio, seed)
        g *= np.sqrt(tasks / np.sum(g**2))
        arrays = [tf.constant(array, tf.float64) for array in (gram_of(g), np.ones(tasks))]
        raw = solve(*arrays, arrays[1]).numpy()
        mean, step = g.mean(axis=0), raw @ g / tasks
        radius = c * np.linalg.norm(mean)
        np.testing.assert_allclose(np.linalg.norm(step - mean), radius, rtol=1e-3)
        shortened = (raw - 1) / np.sum(raw - 1) @ g
        length = np.linalg.norm(shortened)
        gap = shortened @ mean + radius * length - np.min(g @ step)
        assert gap < 1e-3 * radius * length


@pytest.mark.parametrize("name", ["mgda", "nash_mtl"])
def test_weights_are_finite_where_gradients_cancel(name):
    call = compiled(make(name, 10), jit=True)
    for seed in range(5):
        g = vectors(10, 3, seed=seed)
        weights = call(np.ones(10), gram_of(g)[None], np.ones((1, 10, 10)))[0]
        assert np.isfinite(weights).all() and weights.min() >= 0
        np.testing.assert_allclose(weights.sum(), 10, rtol=1e-5)
        if name == "mgda":  # stops
            lengths = np.linalg.norm(g, axis=1)
            assert np.linalg.norm(weights @ g) < 0.02 * np.sum(weights * lengths)


def test_imtl_g_has_equal_projections():
    g = vectors(6, 20)
    weights = weigh("imtl_g", g)
    projections = g @ (weights @ g) / np.linalg.norm(g, axis=1)
    np.testing.assert_allclose(projections, projections.mean(), rtol=1e-2)
    assert projections.mean() > 0
    np.testing.assert_allclose(np.abs(weights).sum(), 6, rtol=1e-5)


def test_imtl_g_goes_downhill_where_weights_are_negative():
    g = np.array([[2, 1, 0], [2, -1, 0], [0.3, 0, 0.03]])  # in proportion to 2.8, 2.8 and -34
    weights = weigh("imtl_g", g)
    assert weights.min() < 0 and np.min(g @ (weights @ g)) > 0


@pytest.mark.parametrize("shape", [(2, 2), (10, 40), (30, 31)])
def test_nash_solves_its_equation(shape):
    g = vectors(*shape)
    g /= np.linalg.norm(g, axis=1, keepdims=True)
    a = tf.function(bargain, autograph=False, jit_compile=True)(*float32(gram_of(g))).numpy()
    np.testing.assert_allclose(gram_of(g) @ a * a, 1, rtol=1e-3)


def test_nash_solves_singular_equations():
    equal = bargain(tf.ones((4, 4))).numpy()  # 4 a^2 = 1
    np.testing.assert_allclose(equal, 0.5, rtol=1e-5)
    assert np.isfinite(bargain(tf.constant([[1.0, -1.0], [-1.0, 1.0]]))).all()  # no solution


@pytest.mark.parametrize("common", [0.1, 0.01, 0.003])
@pytest.mark.parametrize("tasks, rank", [(10, 3), (50, 5)])
def test_nash_improves_every_task_where_gradients_nearly_cancel(tasks, rank, common):
    solve = tf.function(bargain, autograph=False, jit_compile=True)
    call = compiled(make("nash_mtl", tasks))
    for seed in range(5):
        g = vectors(tasks, rank, seed=seed)
        g[:, 0] = common * np.exp(0.5 * vectors(tasks, seed=seed))  # what they have in common
        g /= np.linalg.norm(g, axis=1, keepdims=True)
        kernel = gram_of(g).astype(np.float32)
        np.fill_diagonal(kernel, 1)
        a = solve(tf.constant(kernel)).numpy().astype(np.float64)
        np.testing.assert_allclose(a * (kernel.astype(np.float64) @ a), 1, atol=1e-3)
        g *= np.exp(vectors(tasks, 1, seed=seed))
        weights = call(np.ones(tasks), gram_of(g)[None], np.ones((1, tasks, tasks)))[0]
        assert np.min(g @ (weights @ g)) > 0


def test_nash_needs_few_steps_where_gradients_are_nearly_orthogonal(monkeypatch):
    monkeypatch.setattr(nash_mtl, "STEPS", 5)
    g = vectors(50, 200)
    g /= np.linalg.norm(g, axis=1, keepdims=True)
    a = bargain(tf.constant(gram_of(g))).numpy()
    np.testing.assert_allclose(gram_of(g) @ a * a, 1, atol=2e-4)


def test_gradnorm_goes_on_after_an_update_without_gradients():
    balancer = make("gradnorm", 3)
    call, shared = compiled(balancer), np.ones((1, 3, 3))
    call(np.ones(3), np.zeros((1, 3, 3)), shared)
    assert np.isfinite(balancer.learned.numpy()).all()
    np.testing.assert_allclose(call(np.ones(3), gram_of(np.eye(3))[None], shared), 1)


@pytest.mark.parametrize("name", ["nash_mtl", "imtl_g"])
def test_no_task_gains_by_being_scaled(name):
    g, scale = vectors(4, 9) + 0.5, np.array([1, 10, 0.1, 3])
    plain, scaled = weigh(name, g), weigh(name, g * scale[:, None]) * scale
    np.testing.assert_allclose(scaled / scaled.sum(), plain / plain.sum(), rtol=1e-3)


# All methods --------------------------------------------------------------


@pytest.fixture(name="name", params=sorted(GRADIENTS))
def name_fixture(request):
    return request.param


def case(tasks=4, seed=0, order=slice(None)):
    """Losses, gram and share for `tasks` tasks in the three ways of sharing of COPIES."""
    g, losses = vectors(3, tasks, 6, seed=seed), np.exp(vectors(tasks, seed=seed))
    share = gram_of(one_hot(COPIES[:, :tasks]))
    return losses[order], gram_of(g)[:, order][:, :, order], share[:, order][:, :, order]


def test_every_method_is_in_the_table():
    kinds = {*Balancer.__subclasses__(), *GramBalancer.__subclasses__()} - {GramBalancer}
    assert {kind for kind in kinds if is_ours(kind)} == set(GRADIENTS.values())


def is_ours(kind):
    """Not a class that another test made."""
    return kind.__module__.startswith("rl.")


def test_weights_in_a_compiled_loop_are_those_of_calls(name):
    alone, looped = make(name, 4), make(name, 4)
    call, arrays = compiled(alone, jit=True), case()
    shape = (3, 4) if alone.needs_gram else (4,)

    @tf.function(jit_compile=True)
    def loop(losses, gram, share, seeds):
        body = lambda n, _: (
            n + 1,
            looped.weights(losses * tf.cast(n + 1, tf.float32), gram, share, seeds[n]),
        )
        return tf.while_loop(lambda n, _: n < 4, body, (tf.constant(0), tf.zeros(shape)))[1]

    got = loop(*float32(*arrays), tf.constant([(n, 1) for n in range(4)]))
    for n in range(4):
        wanted = call(arrays[0] * (n + 1), *arrays[1:], (n, 1))
    assert got.shape == shape and np.isfinite(wanted).all()
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", WITH_GRAM)
def test_own_parameters_keep_weight_one(name):
    call = compiled(make(name, 4))
    weights = np.array([call(*case(seed=seed)) for seed in range(6)])
    np.testing.assert_array_equal(weights[:, 2], 1)
    assert np.abs(weights[:, :2] - 1).max(axis=(0, 2)).min() > 0.01  # and the others do not


@pytest.mark.parametrize("name", WITH_GRAM)
def test_a_task_on_its_own_changes_nothing_for_the_others(name):
    lone, pair = compiled(make(name, 3)), compiled(make(name, 2))
    for seed in range(3):
        losses, gram, _ = case(3, seed)
        share = np.broadcast_to(gram_of(one_hot(np.array([0, 0, 1]))), gram.shape)
        wanted = pair(losses[:2], gram[:, :2, :2], share[:, :2, :2])
        np.testing.assert_allclose(lone(losses, gram, share)[:, :2], wanted, rtol=1e-4, atol=1e-6)


def test_equal_tasks_get_the_plain_sum(name):
    gram, share, call = (
        np.full((2, 5, 5), 3.7),
        np.ones((2, 5, 5)),
        compiled(make(name, 5, dwa_window=1), jit=True),
    )
    for loss in (0.3, 2.0, 0.7):
        np.testing.assert_allclose(call(np.full(5, loss), gram, share), 1, rtol=1e-5)


def test_weights_are_finite_and_do_not_grow_with_scale(name):
    call = compiled(make(name, 4, dwa_window=1), jit=True)
    for seed, scale in enumerate((1e-8, 1e8, 0)):
        losses, gram, share = case(seed=seed)
        absent = gram * np.array([0, 1, 1, 1]) * np.array([0, 1, 1, 1])[:, None]
        for gradients in (gram, absent):
            weights = call(scale * losses, scale * gradients, share)
            assert np.isfinite(weights).all() and np.abs(weights).max() < 50
    assert (
        not GRADIENTS[name].needs_gram or name == "gradnorm" or (weights == 1).all()
    )  # all gradients 0


def test_one_task_gets_weight_one(name):
    call = compiled(make(name, 1, dwa_window=1), jit=True)
    for loss in (0.5, 2.0, 1.0):
        np.testing.assert_array_equal(
            call(np.array([loss]), np.full((2, 1, 1), loss), np.ones((2, 1, 1))), 1
        )


def run(balancer, call, state, cases):
    """From `state`, the values of the variables. Returns the last weights."""
    for variable, value in zip(balancer.variables, state):
        variable.assign(value)
    for losses, gram, share in cases:
        weights = call(losses, gram, share)
        if balancer.needs_losses_after:
            balancer.after(*float32(losses, losses**0.9))
    return weights


def test_all_state_is_in_variables(name):
    balancer = make(name, 4, dwa_window=1)
    call, cases = compiled(balancer), [case(seed=seed) for seed in range(6)]
    start = [v.numpy() for v in balancer.variables]
    run(balancer, call, start, cases[:4])
    saved = [v.numpy() for v in balancer.variables]
    wanted = run(balancer, call, saved, cases[4:])
    assert bool(start) == bool((run(balancer, call, start, cases[4:]) != wanted).any())
    np.testing.assert_array_equal(run(balancer, call, saved, cases[4:]), wanted)


@pytest.mark.parametrize("name", sorted(set(GRADIENTS) - RANDOM))
def test_order_of_tasks_does_not_matter(name):
    balancer, order = make(name, 4, dwa_window=1), [2, 0, 3, 1]
    call, start = compiled(balancer), [v.numpy() for v in balancer.variables]
    plain = run(balancer, call, start, [case(seed=seed) for seed in range(4)])
    permuted = run(balancer, call, start, [case(seed=seed, order=order) for seed in range(4)])
    np.testing.assert_allclose(permuted, plain[..., order], rtol=1e-3, atol=1e-4)


# What is shared, and statistics -------------------------------------------


def test_shared_gram_is_that_of_the_shared_parameters():
    g, share = vectors(3, 4, 6), gram_of(one_hot(COPIES))
    bank = (one_hot(COPIES)[..., None] * g[..., None, :])[:2]  # the last region is shared by none
    wanted = gram_of(np.swapaxes(bank, 0, 1).reshape(4, -1))
    np.testing.assert_allclose(
        shared_gram(*float32(gram_of(g), share)), wanted, rtol=1e-5, atol=1e-5
    )


def test_conflict_by_hand():
    g = np.array([[1, 0], [-1, 1], [0, 1]])  # inner products -1, 0, 1
    rate, cosine = conflict(*float32(gram_of(g)))
    np.testing.assert_allclose([rate, cosine], [1 / 3, -np.sqrt(0.5)], rtol=1e-6)
    np.testing.assert_array_equal(conflict(tf.ones((1, 1))), [0, 1])
    np.testing.assert_array_equal(conflict(tf.zeros((3, 3))), [0, 0])
