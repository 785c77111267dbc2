"""AdaShare: which blocks tasks execute, and the schedule by which they learn it."""

import json

import numpy as np
import pytest
import tensorflow as tf

from rl.config import UserError, build
from rl.experiments.build import make_torsos
from rl.flags import torsos as flags
from rl.splitting.block_policies import stage_of
from rl.splitting.watch import STRUCTURE, WEIGHTS
from tests.helpers_algos import make_spec, task_batches
from tests.helpers_structure import (
    D,
    Regression,
    check_is_drawn,
    check_is_restored,
    check_resumes,
    make_changing_algo,
    make_net,
)

ADASHARE = {"network": "adashare"}
SHORT = {"warmup_updates": 40, "turn_updates": 20, "policy_updates": 200}


def some_inputs(num_tasks=3):
    return tf.constant(np.random.default_rng(0).normal(size=(num_tasks, 5, D)), tf.float32)


def test_all_blocks_make_a_residual_network():
    """By NumPy, from the network's own weights."""
    net, _ = make_net(**ADASHARE)
    x = some_inputs().numpy()
    params = [[param.numpy() for param in region] for region in net.expand()[:-1]]
    relu = lambda y: np.maximum(y, 0)
    wanted = []
    for t in range(3):
        first, *blocks, head = [[p[min(t, len(p) - 1)] for p in region] for region in params]
        h = relu(x[t] @ first[0] + first[1])
        for one, two in zip(blocks[::2], blocks[1::2]):
            mean = h.mean(axis=-1, keepdims=True)
            normal = (h - mean) / np.sqrt(h.var(axis=-1, keepdims=True) + 1e-6)
            normal = normal * one[2] + one[3]
            h = h + relu(normal @ one[0] + one[1]) @ two[0] + two[1]
        wanted.append(h @ head[0] + head[1])
    np.testing.assert_allclose(net(x), wanted, rtol=1e-4, atol=1e-5)


def test_no_blocks_leave_the_first_layer_and_the_head():
    net, _ = make_net(**ADASHARE)
    net.gates.learned.assign([True, True])
    net.gates.variable.assign(np.broadcast_to([-1.0, 1.0], (3, 2, 2)))
    first, *_, head, _ = net.expand()
    h = tf.nn.relu(net.dense(some_inputs(), first))
    np.testing.assert_allclose(net(some_inputs()), net.dense(h, head), rtol=1e-5, atol=1e-6)


def test_samples_are_soft_and_become_hard_with_the_temperature():
    net, _ = make_net(**ADASHARE)
    bank = net.gates
    bank.learned.assign([True, True])
    bank.variable.assign(np.broadcast_to([np.log(3.0), 0.0], (3, 2, 2)))
    bank.noise.assign(np.zeros((3, 2, 2)))
    for temperature, wanted in [(1.0, 0.75), (0.5, 0.9), (1e-3, 1.0), (1e6, 0.5), (0.0, 1.0)]:
        bank.temperature.assign(temperature)
        np.testing.assert_allclose(bank.expand_copies(), np.full((3, 2), wanted), rtol=1e-5)
    np.testing.assert_array_equal(bank.expand(True), np.ones((3, 2)))


def policies(**values):
    flags_given = {**ADASHARE, **SHORT, "hidden_sizes": (4, 4, 4, 4), **values}
    return Regression((0, 1), **flags_given).watch


def test_the_losses_for_sparsity_and_sharing():
    """By hand, for two tasks and four blocks of which all may be skipped, and losses of size 3."""
    for sparsity, sharing in [(1.0, 0.0), (0.0, 1.0)]:
        watch = policies(sparsity=sparsity, sharing=sharing)
        watch.bank.learned.assign(np.ones(4, bool))
        logits = np.zeros((2, 4, 2))
        logits[0, :, 0] = np.log(3.0)  # 3/4 for the first task, 1/2 for the second
        watch.bank.variable.assign(logits)
        got = float(watch.penalty(tf.constant([-4.0, 2.0])))
        wanted = sparsity * -(np.log(1 / 4) + np.log(1 / 2)) / 2
        wanted += sharing * 0.25 * (4 + 3 + 2 + 1) / 4
        np.testing.assert_allclose(got, 3 * wanted, rtol=1e-5)


def test_tasks_without_samples_have_no_part_in_these_losses():
    """By hand, as above, for the first task alone: losses of size 4, and no pair of tasks."""
    watch = policies(sparsity=1.0, sharing=1.0)
    watch.bank.learned.assign(np.ones(4, bool))
    logits = np.zeros((2, 4, 2))
    logits[0, :, 0] = np.log(3.0)
    watch.bank.variable.assign(logits)
    present = tf.constant([1.0, 0.0])
    with tf.GradientTape() as tape:
        got = watch.penalty(tf.constant([-4.0, 0.0]), present)
    np.testing.assert_allclose(got, 4 * -np.log(1 / 4), rtol=1e-5)
    gradient = tape.gradient(got, watch.bank.variable.value)
    assert np.any(gradient[0]) and not np.any(gradient[1])


def test_sharing_is_free_only_between_equal_tasks():
    watch = policies(sparsity=0.0, sharing=1.0)
    watch.bank.learned.assign(np.ones(4, bool))
    assert float(watch.penalty(tf.ones(2))) == 0
    watch.bank.variable[1, 3, 0].assign(0.1)
    assert float(watch.penalty(tf.ones(2))) > 0


def test_sparsity_pushes_towards_skipping():
    watch = policies(sparsity=1.0, sharing=0.0)
    watch.bank.learned.assign(np.ones(4, bool))
    with tf.GradientTape() as tape:
        loss = watch.penalty(tf.ones(2))
    gradient = tape.gradient(loss, watch.bank.variable.value)
    assert (gradient[..., 0] > 0).numpy().all()
    assert (gradient[..., 1] < 0).numpy().all()


def test_the_schedule():
    config = build(flags.AdaShare, SHORT | {"curriculum": 1, "temperature_decay": 0.5})
    stages = [stage_of(20 * turn, max(0, turn - 2), 3, config) for turn in range(11)]
    assert [stage.turn for stage in stages] == [WEIGHTS] * 2 + [WEIGHTS, STRUCTURE] * 4 + [WEIGHTS]
    learned = [stage.learned for stage in stages]
    assert learned == [0, 0, 1, 1, 2, 2, 3, 3, 3, 3, 3]
    assert [stage.temperature for stage in stages[2::2]] == [5.0, 2.5, 1.25, 0.625, 0.0]
    assert all(stage.temperature == 0 for stage in stages[:2])
    at_once = build(flags.AdaShare, SHORT | {"curriculum": 0})
    assert stage_of(40, 0, 3, at_once).learned == 3


def test_turns_of_which_each_is_a_burst():
    """Longer than a turn need be, and the last of the warm-up ends in the midst of one."""
    watch = policies(warmup_updates=30, policy_updates=1000)
    turns = []
    for _ in range(5):
        watch.after(20)
        turns.append(int(watch.turn))
    assert turns == [WEIGHTS, WEIGHTS, STRUCTURE, WEIGHTS, STRUCTURE]
    state = watch.state()
    assert (state["turns_ended"], state["updates_of_turn"]) == (3, 0)
    watch.after(7)
    other = policies(warmup_updates=30, policy_updates=1000)
    other.load_state(watch.state())
    for _ in range(2):
        assert other.state() == watch.state()
        watch.after(7)
        other.after(7)


def test_weights_and_logits_learn_in_turns():
    """What isn't in turn stays as it was, bit for bit; once settled, logits stay for good."""
    toy = Regression((0, 1), **ADASHARE, **SHORT)
    logits = toy.net.gates.variable
    weights = [v for v in toy.net.trainable_variables if v is not logits]
    turns = []
    for _ in range(12):
        of_logits = logits.numpy()
        of_weights = [variable.numpy() for variable in weights]
        toy.train(20)
        moved = [bool((v.numpy() != old).any()) for v, old in zip(weights, of_weights)]
        assert all(moved) or not any(moved)
        turns.append((any(moved), bool((logits.numpy() != of_logits).any())))
    only_weights, only_logits = (True, False), (False, True)
    assert turns == [only_weights] * 2 + [only_weights, only_logits] * 4 + [only_weights] * 2
    assert toy.burst.compiled.experimental_get_tracing_count() == 1


def test_a_block_that_harms_a_task_is_skipped_by_it():
    """Block 1 adds 3 to the output of all, which task 1 doesn't want."""
    toy = Regression(
        (0, 0), **ADASHARE, hidden_sizes=(8, 8), warmup_updates=0, turn_updates=20,
        policy_updates=10_000, curriculum=0, sparsity=0.0, sharing=0.0, structure_lr=0.05, lr=0.0,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    values = [rng.normal(size=v.shape) * 0.1 for v in toy.net.trainable_variables]
    for variable, value in zip(toy.net.trainable_variables, values):
        variable.assign(value)
    toy.net.gates.variable.assign(np.zeros((2, 2, 2)))
    harmful = toy.net.regions[4]  # the last layer of block 1
    harmful[1].variable.assign(np.full((1, 8), 3.0))
    head = toy.net.regions[5]
    head[0].variable.assign(np.stack([np.full((8, 1), 0.1), np.full((8, 1), -0.1)]))
    head[1].variable.assign([[-2.4], [0.0]])  # the block's 2.4 is what task 0 needs to reach 0
    toy.train(800)
    probability = tf.nn.softmax(toy.net.gates.variable)[..., 0].numpy()
    assert probability[1, 1] < 0.2
    assert probability[0, 1] > 0.8


@pytest.mark.parametrize("name", ["sac", "ppo"])
def test_algorithms_learn_what_to_execute_in_one_trace(tmp_path, name):
    options = {**ADASHARE, "warmup_updates": 8, "turn_updates": 8, "curriculum": 0}
    algo = make_changing_algo(name, **options)
    before = algo.actor.torso.gates.variable.numpy()
    for k in range(4):
        info = algo.update(*task_batches(name, 8, seed=k), 8)
    assert (algo.actor.torso.gates.variable.numpy() != before).any()
    assert info["PiExecuted"].shape == (1,)
    assert algo.burst.compiled.experimental_get_tracing_count() == 1
    check_is_restored(tmp_path, algo, make_changing_algo(name, **options))


def test_runs_resume_exactly(tmp_path):
    args = ("--network", "adashare", "--hidden_sizes", "8", "--warmup_updates", "4")
    args += ("--turn_updates", "4", "--policy_updates", "60", "--curriculum", "0")
    run = check_resumes(tmp_path, "ppo", *args, "--structure_lr", "0.5", "--sparsity", "10")
    check_is_drawn(tmp_path, run)


def test_a_structure_is_trained_from_scratch(tmp_path):
    file = tmp_path / "splits.json"
    executed = [[1, 0], [0, 1]]
    file.write_text(json.dumps({"networks": {"LossQ": {"executed": executed}}}), encoding="utf-8")
    toy = Regression((0, 1), **ADASHARE, structure=str(tmp_path))
    toy.train(20)
    for net in (toy.net, toy.targ):
        np.testing.assert_array_equal(net.gates.expand(True), executed)
        np.testing.assert_array_equal(net.gates.expand_copies(), executed)
    assert toy.watch.report()["executed"] == [[True, False], [False, True]]


def test_a_structure_of_something_else(tmp_path):
    for content in ({"executed": [[1, 0]]}, {"executed": [[0.5] * 2] * 3}, {"maps": [[0] * 3]}):
        file = tmp_path / "splits.json"
        file.write_text(json.dumps({"networks": {"LossPi": content}}), encoding="utf-8")
        with pytest.raises(UserError, match="--structure"):
            make_changing_algo("ddpg", **ADASHARE, structure=str(file))


def test_sizes_that_cannot_be():
    with pytest.raises(UserError, match="of --network adashare are one or more.* got 8 4"):
        make_torsos(ADASHARE | {"hidden_sizes": (8, 4)}, make_spec(3))
