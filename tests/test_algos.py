"""What every algorithm must satisfy. A new one is covered by its line in rl.algos.ALGOS."""

import gc
import inspect
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.func_graph import FuncGraph

from rl.algos import ALGOS
from rl.spec import map_fields
from tests.helpers_algos import act, make_algo, make_batches, one, task_batches

DOCS = (Path(__file__).parents[1] / "docs" / "algorithms.md").read_text(encoding="utf-8")
OFF_POLICY = sorted(name for name, algo in ALGOS.items() if algo.loop == "off_policy")
PER_UPDATE = ("lr", "seed", "number")


def loss_of(algo, name, batch, seed):
    """What the loss function `name` returns; some draw random numbers."""
    function = getattr(algo, name)
    if "seed" in inspect.signature(function).parameters:
        return function(batch, seed)
    return function(batch)


def traced_graphs():
    """How many there are that something still needs."""
    gc.collect()
    return sum(type(found) is FuncGraph for found in gc.get_objects())


@pytest.fixture(name="algorithm", params=OFF_POLICY)
def algorithm_fixture(request):
    return ALGOS[request.param]


def parts(algo):
    return [getattr(algo, name) for name in algo.saved]


def all_values(algo):
    return [np.asarray(v) for part in parts(algo) for v in part.variables]


def test_losses_have_one_value_per_task(algorithm):
    """A task's losses are those of the same networks alone, but for SAC's and TD3's noise, here
    without effect."""
    single, many = make_algo(algorithm), make_algo(algorithm, num_tasks=3)
    for net, other in zip(parts(single), parts(many)):
        if isinstance(net, tf.keras.Model) and "temperature" not in net.name:
            other.set_weights(net.get_weights())
    for algo in (single, many):
        if hasattr(algo, "sample"):
            algo.actor.torso.biases[-1].assign([0, 0, -20, -20])  # std 2e-9
            algo.actor.torso.kernels[-1].assign(algo.actor.torso.kernels[-1] * [1, 1, 0, 0])
        elif hasattr(algo, "smoothed_action"):
            algo.smoothed_action = lambda obs2, seed, algo=algo: algo.actor_targ(obs2)
    batch, update = one(make_batches(1, num_tasks=3))
    for loss in ("q_loss", "pi_loss"):
        values, info = loss_of(many, loss, batch, update.seed)
        singles = []
        for task in range(3):
            of_task = map_fields(lambda field, task=task: field[task], batch)
            singles.append(loss_of(single, loss, of_task, update.seed))
        assert values.shape == (3,)
        if not (hasattr(single, "sample")):  # the log-density of a sample depends on its noise
            np.testing.assert_allclose(values, [e[0] for e in singles], rtol=1e-5)
            for key in info:
                np.testing.assert_allclose(info[key], [e[1][key] for e in singles], rtol=1e-5)


def test_what_is_traced_goes_with_the_algorithm():
    """A process that trains many doesn't keep them all."""
    before = traced_graphs()
    for name, algorithm in ALGOS.items():
        make_algo(algorithm, num_tasks=3).update(*task_batches(name), 3)
    assert traced_graphs() <= before


def test_losses_reach_only_their_network(algorithm):
    algo = make_algo(algorithm)
    before = {name: [np.asarray(v) for v in getattr(algo, name).variables] for name in algo.saved}
    batch, update = one(make_batches(1))
    algo.q_opt.minimise(lambda: loss_of(algo, "q_loss", batch, update.seed), update)
    for name in set(algo.saved) - {"q", "q_opt"}:
        for old, new in zip(before[name], getattr(algo, name).variables):
            np.testing.assert_array_equal(old, new)
    assert any(np.any(old != np.asarray(new)) for old, new in zip(before["q"], algo.q.variables))


def test_targets_start_equal_and_follow(algorithm):
    algo = make_algo(algorithm, polyak=0.5)
    pairs = [
        (getattr(algo, n.removesuffix("_targ")), getattr(algo, n))
        for n in algo.saved
        if n.endswith("_targ")
    ]
    starts = [net.get_weights() for net, _ in pairs]
    for (_, targ), start in zip(pairs, starts):
        for w, w_targ in zip(start, targ.get_weights()):
            np.testing.assert_array_equal(w, w_targ)
    algo.update(*make_batches(2), 2)
    for pair, start in zip(pairs, starts):
        gone, followed = (
            sum(np.abs(w - w0).sum() for w, w0 in zip(net.get_weights(), start)) for net in pair
        )
        assert 0 < followed < gone


@pytest.mark.parametrize("num_tasks", [None, 2])
def test_burst_equals_single_steps(algorithm, num_tasks):
    algo, other = make_algo(algorithm, num_tasks), make_algo(algorithm, num_tasks)
    batches = make_batches(5, num_tasks=num_tasks)
    info = algo.burst(*batches, 3)
    step = tf.function(
        other.train_step, jit_compile=True
    )  # stateless noise is other noise without XLA
    single = [step(*one(batches, i)) for i in range(3)]
    lead = () if num_tasks is None else (num_tasks,)
    assert info["LossQ"].shape == (3, *lead) and info["TDError"].shape == (3, *lead, 4)
    for key, values in info.items():
        np.testing.assert_allclose(values, [s[key] for s in single], rtol=1e-3, atol=1e-5)
    for got, want in zip(all_values(algo), all_values(other)):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-5)


def test_every_info_is_a_column(algorithm):
    algo = make_algo(algorithm)
    info = algo.update(*make_batches(4), 4)
    assert set(info) - {"TDError"} == set(algo.columns)
    assert info["TDError"].shape == (4, 4) and (info["TDError"] >= 0).all()


def test_trace_counts(algorithm):
    algo = make_algo(algorithm)
    for count in (5, 3, 1, 5):
        algo.update(*make_batches(5, seed=count), count)
    assert algo.burst.compiled.experimental_get_tracing_count() == 1
    assert algo.train_step.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("num_tasks", [None, 2])
def test_acting_follows_the_actor_when_refreshed(algorithm, num_tasks):
    algo = make_algo(algorithm, num_tasks)
    obs = make_batches(1, num_tasks=num_tasks)[0].obs[0]
    before = act(algo.policy, obs)
    algo.update(*make_batches(6, num_tasks=num_tasks), 6)
    # until told so: a burst may run meanwhile
    np.testing.assert_array_equal(act(algo.policy, obs), before)
    algo.refresh()
    assert np.abs(act(algo.policy, obs) - before).max() > 1e-4
    np.testing.assert_allclose(act(algo.policy, obs), algo.actor(obs), rtol=1e-5, atol=1e-5)


def test_exploration_stays_inside_the_bounds(algorithm):
    algo, rng = make_algo(algorithm), np.random.default_rng(0)
    obs = 100 * rng.normal(size=(1000, 3)).astype(np.float32)
    unit = act(algo.policy, obs, rng)
    assert unit.dtype == np.float32 and unit.std(0).min() > 0
    assert (np.abs(unit) <= 1).all()
    wide = algo.spec.env_action(unit)
    assert (wide >= algo.spec.act_low).all() and (wide <= algo.spec.act_high).all()


def test_state_round_trip_continues_alike(algorithm):
    algo, copy = make_algo(algorithm), make_algo(algorithm, seed=1)
    obs = np.ones((2, 3), np.float32)
    algo.update(*make_batches(5), 5)
    copy.load_state(algo.state())
    for algorithm in (algo, copy):
        algorithm.update(*make_batches(5, seed=1), 5)
        algorithm.refresh()
    draws = [act(algorithm.policy, obs, np.random.default_rng(1)) for algorithm in (algo, copy)]
    np.testing.assert_array_equal(*draws)
    for got, want in zip(all_values(algo), all_values(copy)):
        np.testing.assert_array_equal(got, want)


def test_same_seed_same_weights_other_seed_others(algorithm):
    first, same, other = make_algo(algorithm), make_algo(algorithm), make_algo(algorithm, seed=1)
    np.testing.assert_array_equal(first.q.get_weights()[0], same.q.get_weights()[0])
    assert np.abs(first.q.get_weights()[0] - other.q.get_weights()[0]).max() > 0.01


def test_learning_rates_follow_the_batch(algorithm):
    """A fraction of 0 leaves every network where it is."""
    algo = make_algo(algorithm)
    nets = [part for part in parts(algo) if isinstance(part, tf.keras.Model)]
    before = [net.get_weights() for net in nets]
    batches, updates = make_batches(4)
    algo.update(batches, updates._replace(lr=np.zeros(4, np.float32)), 4)
    for net, old in zip(nets, before):
        for got, want in zip(net.get_weights(), old):
            np.testing.assert_allclose(got, want, rtol=1e-6)


def numbered(text):
    """The items of numbered lists in a text, each as one line."""
    lines = []
    for line in text.splitlines():
        if line[:1].isdigit():
            lines.append(line)
        elif line.startswith("   ") and not line.startswith("    ") and lines:
            lines[-1] += " " + line.strip()
    return lines


@pytest.mark.parametrize("name", sorted(ALGOS))
def test_docs_have_every_difference_and_every_column(name):
    """The numbered lines at the top of the file, word for word, and a row for each of its
    columns."""
    section = DOCS.split(f"\n## {name.upper()}\n")[1].split("\n## ")[0]
    wanted = numbered(sys.modules[ALGOS[name].__module__].__doc__)
    assert len(wanted) >= 4 and numbered(section) == wanted
    table = "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    assert set(
        table.replace("(mean, std, min, max)", "").replace("`", "").replace(",", "").split()
    ) == set(ALGOS[name].columns)
