"""Sparse sharing: masks, how tickets are drawn, and what joint training leaves alone."""

import copy

import numpy as np
import pytest
import tensorflow as tf

from rl.config import UserError
from rl.files import load_tree
from rl.networks.groups import Group
from rl.networks.masks import MaskBank, overlaps, packed, unpacked
from rl.spec import RolloutBatch
from rl.splitting.tickets import Tickets, by_weight, highest
from tests.helpers import command, refused, rows
from tests.helpers_algos import FULL, make_updates, task_batches
from tests.helpers_structure import (
    D,
    Regression,
    check_is_restored,
    check_resumes,
    make_changing_algo,
    make_net,
    structure_of,
)

SPARSE = {"network": "sparse_sharing", "warmup_updates": 20, "rounds": 3, "round_updates": 20}
SPARSE["density"] = 0.2
WEIGHTS = 3 * 8 + 8 * 8  # of the hidden layers that the helpers make


def make_tickets(num_tasks=3, members=None, **values):
    net, options = make_net(num_tasks, members=members, **SPARSE | values)
    twin, _ = make_net(num_tasks, members=members, seed=1, **SPARSE | values)
    return Tickets("LossQ", Group((net,)), (twin,), lambda variable: [], options)


def scramble(tickets, rng):
    """Other values for all that is trained."""
    for variable in tickets.trained:
        variable.assign(rng.normal(size=variable.shape))


def kept(tickets):
    """Bool `(members times tasks, weights)`."""
    masks = [bank.kept() for bank in tickets.banks]
    return by_weight(masks, [mask.shape[-2] * mask.shape[-1] for mask in masks])


def make_samples(toy, alike=False):
    """Observations, the same for all tasks or not, and the targets of a Regression."""
    tasks = len(toy.features)
    obs = toy.rng.normal(size=(1 if alike else tasks, 16, D))
    obs = np.broadcast_to(obs, (tasks, 16, D)).astype(np.float32)
    ret = np.stack([abs(obs[t, :, k]) for t, k in enumerate(toy.features)])
    return obs, ret


def step(toy, tasks=None):
    """A step on samples that are the same for all tasks, of the losses of some."""
    obs, ret = make_samples(toy, alike=True)
    every = np.arange(len(toy.features))
    weights = np.isin(every, every if tasks is None else tasks).astype(np.float32)

    def loss_fn():
        losses, info = toy.loss(obs, ret)
        return losses * weights, info

    toy.opt.minimise(loss_fn, FULL)


# Masks -------------------------------------------------------------------------


def test_masked_parameters_by_hand():
    """Two tasks, three weights: the shared ones are 1, 2, 3."""
    variable = tf.Variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
    private = tf.Variable(False)
    mask = tf.Variable([[True, True, False], [False, True, False]])
    bank = MaskBank(variable, 0, 2, copy=private, mask=mask)
    gradient = tf.constant([[1.0, 10.0, 100.0], [2.0, 20.0, 200.0]])
    with tf.GradientTape(persistent=True) as tape:
        shared = bank.expand(full=False)
        private.assign(True)
        expanded = bank.expand(full=False)
    np.testing.assert_array_equal(shared, [[1, 2, 0], [0, 2, 0]])
    np.testing.assert_array_equal(expanded, [[4, 5, 0], [0, 8, 0]])
    # The gradient of a weight is the sum over the tasks that have it.
    pulled = tape.gradient(shared, variable, output_gradients=gradient)
    np.testing.assert_array_equal(pulled, [[1, 30, 0], [0, 0, 0], [0, 0, 0]])
    pulled = tape.gradient(expanded, variable, output_gradients=gradient)
    np.testing.assert_array_equal(pulled, [[0, 0, 0], [1, 10, 0], [0, 20, 0]])
    np.testing.assert_array_equal(bank.rows(gradient)[0, 0], [[1, 10, 0], [0, 20, 0]])
    np.testing.assert_array_equal(bank.share()[0], np.eye(2))
    assert bank.numbers_used() == 3
    private.assign(False)
    np.testing.assert_array_equal(bank.share()[0], np.ones((2, 2)))
    assert bank.numbers_used() == 2


def test_overlaps_by_hand():
    masks = np.array([[1, 1, 1, 1], [0, 1, 1, 0], [0, 0, 0, 0]], bool)
    wanted = [[1, 0.5, 0], [1, 1, 0], [0, 0, 0]]
    np.testing.assert_array_equal(overlaps(masks), wanted)


def test_eight_weights_are_a_byte():
    mask = np.random.default_rng(0).random((3, 5, 7)) < 0.3
    (entry,) = packed([mask])
    assert entry["bits"].nbytes == 14  # 105 bits
    np.testing.assert_array_equal(unpacked(entry), mask)


def test_without_masks_it_is_multi_head():
    """Outputs and gradients, of what all share and of the heads."""
    net, _ = make_net(3, **SPARSE)
    other, _ = make_net(3, network="multi_head")
    x = tf.random.stateless_normal((3, 5, D), (0, 0))
    grads = []
    for network in (net, other):
        with tf.GradientTape() as tape:
            params = network.expand(full=True)
            with network.using(params):
                out = network(x)
        variables = [bank.variable for region in network.regions for bank in region]
        grads.append([out, *tape.gradient(out, variables)])
    np.testing.assert_array_equal(grads[0][0], grads[1][0])
    for left, right in zip(grads[0][1:], grads[1][1:]):
        np.testing.assert_allclose(left[: len(right)], right, rtol=1e-5, atol=1e-6)
        assert not np.any(left[len(right) :])
    np.testing.assert_allclose(net(x), other(x), rtol=1e-5, atol=1e-6)


# Tickets -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "left, count, wanted",
    [
        ([1, 1, 1, 1, 1, 1], 3, [0, 1, 1, 0, 0, 1]),  # of equal ones the first, one of each layer
        ([1, 1, 1, 1, 1, 1], 4, [0, 1, 1, 1, 0, 1]),
        ([1, 1, 1, 1, 1, 1], 1, [0, 1, 0, 0, 0, 1]),
        ([1, 0, 1, 1, 1, 1], 3, [0, 0, 1, 1, 0, 1]),
        ([1, 0, 0, 0, 0, 0], 3, [1, 0, 0, 0, 0, 0]),
    ],
)
def test_what_is_kept_by_hand(left, count, wanted):
    scores = np.array([1.0, 5.0, 3.0, 3.0, 0.1, 0.2])
    found = highest(scores, np.array(left, bool), [4, 2], count)
    assert found.astype(int).tolist() == wanted


def check_rewound(tickets, first):
    """Tasks' parameters are the `first` ones under their masks, those of the target network too."""
    masks = {id(bank): bank.kept() for bank in tickets.banks}
    for region, values, begun in zip(tickets.torso.regions, tickets.torso.expand(), first):
        for bank, value, wanted in zip(region, values, begun):
            np.testing.assert_array_equal(value, wanted * masks.get(id(bank), True))
    for weight, twin in zip(tickets.torso.get_weights(), tickets.twins[0].get_weights()):
        np.testing.assert_array_equal(weight, twin)


@pytest.mark.parametrize("members", [None, 2])
def test_rounds_of_pruning(members):
    """After round n of N density^(n / N) of each network's weights is left, masks are nested, and
    what is left goes back to what it was after the warm-up."""
    rng = np.random.default_rng(0)
    tickets = make_tickets(members=members)
    net = tickets.torso
    scramble(tickets, rng)
    first = net.expand()
    masks = [kept(tickets)]
    assert masks[0].all() and masks[0].shape == (3 * (members or 1), WEIGHTS)
    tickets.after(19)
    assert not tickets.rewound
    tickets.after(1)
    assert tickets.rewound and np.array(net.private)
    for n in range(1, 4):
        scramble(tickets, rng)
        weights = [np.take(np.array(bank.variable), [1, 2, 3], bank.axis) for bank in tickets.banks]
        tickets.after(20)
        masks.append(kept(tickets))
        assert set(masks[n].sum(axis=1)) == {round(WEIGHTS * 0.2 ** (n / 3))}
        assert not (masks[n] & ~masks[n - 1]).any()
        for network, size in enumerate(np.abs(by_weight(weights, [24, 64]))):
            dropped = masks[n - 1][network] & ~masks[n][network]
            assert size[dropped].max() < size[masks[n][network]].max()
        assert np.array(net.private) == (n < 3)
        assert tickets.rewound
        check_rewound(tickets, first)
    tickets.after(100)
    assert not tickets.rewound
    np.testing.assert_array_equal(kept(tickets), masks[3])
    report = tickets.report()
    phases = [(event["phase"], event["updates"]) for event in report["events"]]
    assert phases == [("round 1", 20), ("round 2", 40), ("round 3", 60), ("joint", 80)]
    assert report["phase"] == "joint"
    assert tickets.values()["Density"] == pytest.approx(18 / WEIGHTS)
    assert np.array(report["overlap"]).shape == (2, 3, 3)


def test_every_layer_keeps_a_part():
    """A first layer of tiny weights keeps 5% of its 24, which are 2."""
    rng = np.random.default_rng(0)
    tickets = make_tickets(rounds=1)
    tickets.after(20)
    scramble(tickets, rng)
    tiny = tickets.banks[0].variable
    tiny.assign(1e-3 * tiny)
    tickets.after(20)
    assert tickets.banks[0].kept().sum(axis=(1, 2)).tolist() == [2] * 3
    assert kept(tickets).sum(axis=1).tolist() == [18] * 3


def test_identical_tasks_draw_identical_tickets():
    """Tasks 0 and 1 have one function, and heads that start alike; task 2 has another."""
    toy = Regression([0, 0, 1], lr=0.03, **SPARSE | {"rounds": 1, "density": 0.5})
    for bank in toy.net.regions[-1]:
        bank.variable.assign(tf.broadcast_to(bank.variable[:1], bank.variable.shape))
    toy.opt.after(20)
    for _ in range(5):
        step(toy)
    toy.opt.after(20)
    masks = kept(toy.watch)
    np.testing.assert_array_equal(masks[0], masks[1])
    assert (masks[0] != masks[2]).any()


def test_weights_of_no_task_never_change():
    """In joint training, with whatever the optimiser remembered from before."""
    toy = Regression([0, 0, 1], **SPARSE | {"rounds": 1, "density": 0.4})
    step(toy)
    toy.opt.after(20)
    step(toy)
    slots = [v for v in toy.opt.opt.variables if v is not toy.opt.opt.learning_rate]
    assert any(np.any(slot) for slot in slots)
    toy.opt.after(20)
    assert not any(np.any(slot) for slot in slots)
    before = [np.array(bank.variable) for bank in toy.watch.banks]
    for _ in range(3):
        step(toy)
    for bank, value in zip(toy.watch.banks, before):
        used = bank.kept().any(axis=0)
        assert 0 < used.mean() < 1
        changed = np.array(bank.variable) != value
        assert not changed[1:].any()
        assert not changed[0][~used].any()
        assert changed[0][used].mean() > 0.3  # others lead to units that are off, or to none


def test_tasks_train_apart_while_tickets_are_drawn():
    """Steps on task 0 alone change what is its own, its head included, and nothing else."""
    toy = Regression([0, 1], **SPARSE)
    toy.opt.after(20)
    before = [np.array(v) for v in toy.watch.trained]
    step(toy, tasks=[0])
    for variable, value in zip(toy.watch.trained, before):
        row = 0 if variable.shape[0] == 2 else 1  # heads have no row that is shared
        changed = (np.array(variable) != value).reshape(len(value), -1).any(axis=1)
        assert np.flatnonzero(changed).tolist() == [row]


def test_saliency_is_of_the_last_updates():
    """Sums of |w g_t| by a gradient of each task's own; the highest are kept."""
    flags = {"tickets": "saliency", "warmup_updates": 4, "saliency_updates": 2}
    toy = Regression([0, 0, 1], **SPARSE | flags)
    wanted = [np.zeros(bank.mask.shape) for bank in toy.watch.banks]
    for update in range(4):
        obs, ret = make_samples(toy)
        params = toy.net.expand()
        with tf.GradientTape() as tape:
            tape.watch(params)
            with toy.net.using(params):
                loss = tf.reduce_sum(toy.loss(obs, ret)[0])
        for k, gradient in enumerate(tape.gradient(loss, [params[0][0], params[1][0]])):
            if update >= 2:
                wanted[k] += np.abs(params[k][0] * gradient)
        toy.opt.minimise(lambda obs=obs, ret=ret: toy.loss(obs, ret), FULL)
        toy.opt.after(1)
    for saliency, sums in zip(toy.watch.saliency, wanted):
        np.testing.assert_allclose(saliency, sums, rtol=1e-4, atol=1e-7)
    masks = kept(toy.watch)
    assert masks.sum(axis=1).tolist() == [18] * 3
    chosen = by_weight([np.array(saliency) for saliency in toy.watch.saliency], [24, 64])
    for mask, scores in zip(masks, chosen):
        assert np.sort(scores[mask])[6:].min() >= scores[~mask].max()  # but for the floors' 2 and 4
    assert toy.watch.report()["phase"] == "joint"
    for bank in toy.watch.banks:
        assert bank.copies == 1


def test_saliency_is_found_within_a_burst():
    """The last updates of the warm-up may begin in the midst of one, which may reach beyond it."""
    flags = {"tickets": "saliency", "warmup_updates": 4, "saliency_updates": 2}
    stepwise, at_once = (Regression([0, 0, 1], **SPARSE | flags) for _ in range(2))
    samples = [make_samples(stepwise) for _ in range(4)]
    for obs, ret in samples:
        stepwise.opt.minimise(lambda obs=obs, ret=ret: stepwise.loss(obs, ret), FULL)
        stepwise.opt.after(1)
    obs, ret = (np.stack(arrays) for arrays in zip(*samples))
    batches = RolloutBatch(obs=obs, act=ret, log_prob=ret, adv=ret, ret=ret)
    at_once.burst(batches, make_updates(4, at_once.rng), 4)
    at_once.opt.after(4)
    for one, other in zip(stepwise.watch.saliency, at_once.watch.saliency):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)
        assert np.any(one)
    np.testing.assert_array_equal(kept(at_once.watch), kept(stepwise.watch))


def test_saliency_of_what_learns_in_every_second_update():
    """As td3's actor does: a burst of 8, of which 2, 4, ... 8 step it; the last 4 are judged."""
    flags = {"tickets": "saliency", "warmup_updates": 8, "saliency_updates": 4}
    toy = Regression([0, 0, 1], **SPARSE | flags)
    judged = []
    for number in range(1, 8, 2):
        before = [saliency.numpy() for saliency in toy.watch.saliency]
        obs, ret = make_samples(toy)
        toy.opt.minimise(lambda obs=obs, ret=ret: toy.loss(obs, ret), FULL._replace(number=number))
        moved = [np.any(now != old) for now, old in zip(toy.watch.saliency, before)]
        judged.append(all(moved))
        assert all(moved) or not any(moved)
    assert judged == [False, False, True, True]
    toy.opt.after(8)
    assert toy.watch.report()["phase"] == "joint"


def test_tasks_learn_side_by_side():
    """Through all phases, in one trace; what is known of them goes into the state."""
    toy = Regression([0, 0, 1], **SPARSE | {"density": 0.5})
    toy.train(40)
    saved = copy.deepcopy(toy.watch.state())
    assert toy.watch.phase == 2 and len(saved["first"]) == len(toy.watch.trained)
    assert toy.train(1200).max() < 0.2
    assert toy.watch.report()["phase"] == "joint" and not toy.watch.state()["first"]
    assert toy.burst.compiled.experimental_get_tracing_count() == 1
    toy.watch.load_state(saved)
    assert toy.watch.state() == saved and toy.watch.report()["phase"] == "round 2"


# Runs --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["td3", "ppo"])
def test_algorithms_draw_tickets(tmp_path, name):
    flags = {"warmup_updates": 8, "rounds": 1, "round_updates": 8, "density": 0.25}
    algo = make_changing_algo(name, network="sparse_sharing", **flags)
    for k in range(3):
        info = algo.update(*task_batches(name, 8, seed=k), 8)
    for key, network in algo.splits()["networks"].items():
        assert network["phase"] == "joint"
        assert info[f"{key.removeprefix('Loss')}Density"] == pytest.approx(0.25, abs=0.01)
    if name == "td3":
        masks = [bank.kept() for bank in algo.q.torso.masked]
        assert masks[0].shape == (2, 3, 8, 8) and (masks[0][0] != masks[0][1]).any()
        for mask, bank in zip(masks, algo.q_targ.torso.masked):
            np.testing.assert_array_equal(mask, bank.kept())
    fresh = make_changing_algo(name, network="sparse_sharing", **flags)
    check_is_restored(tmp_path, algo, fresh)


def test_runs_resume_exactly(tmp_path):
    """In the middle of a round; and bits of masks lie beside the checkpoints."""
    flags = "--network sparse_sharing --hidden_sizes 8 8 --warmup_updates 200 --rounds 2"
    flags += " --round_updates 150 --density 0.4"
    part = check_resumes(tmp_path, "ddpg", *flags.split())
    whole = tmp_path / "whole" / "x" / "x_s0"
    assert rows(part) == rows(whole)
    assert (part / "masks.npz").read_bytes() == (whole / "masks.npz").read_bytes()
    masks = load_tree(part / "masks.npz")
    for name, network in structure_of(part)["networks"].items():
        found = [unpacked(entry) for entry in masks[name]["masks"]]
        density = [mask.mean(axis=(1, 2)) for mask in found]
        np.testing.assert_allclose(density, network["density"], atol=1e-4)


@pytest.mark.parametrize(
    "flags, words",
    [
        ("--weight_decay 0.1", "--weight_decay: it would change weights that no task uses"),
        ("--tickets saliency --rounds 3", "--rounds has no effect here: it needs --tickets imp"),
        ("--density 0", "--density must be above 0"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, capsys, flags, words):
    argv = ("--env", "PointMass-MT4", "--network", "sparse_sharing", "--data_dir", tmp_path)
    assert words in refused(capsys, *command(*argv, *flags.split()))


@pytest.mark.parametrize("network", ["sparse_sharing", "piggyback"])
def test_there_is_a_layer_to_mask(network):
    with pytest.raises(UserError, match=f"--network {network} needs a hidden layer"):
        make_net(network=network, hidden_sizes=())
