"""Modular networks: what a structure changes, how annealing finds it, and modules that serve other
tasks."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from rl import envs, gradients
from rl.__main__ import main
from rl.config import UserError
from rl.experiments.agent import load_agent
from rl.experiments.environments import env_options
from rl.experiments.rundir import RunDir
from rl.flags.torsos import Modular as Config
from rl.gradients.per_task import InnerSteps, TaskGradients
from rl.networks.groups import Group
from rl.spec import RolloutBatch
from rl.splitting import TaskOptimizers
from rl.splitting.bouncer import Annealing, Bouncer, planned_share
from tests.helpers import column, refused, rows, train
from tests.helpers_algos import make_updates, task_batches
from tests.helpers_splitting import owner
from tests.helpers_structure import (
    D,
    Regression,
    check_is_restored,
    give_weights,
    make_changing_algo,
    make_net,
    structure_of,
)

TASKS = 3
# Of the 50 updates of a run's first bursts the proposals of some are decided.
RUN = ("--network", "modular", "--modules", "3", "--propose_updates", "20")


def make(num_tasks=TASKS, sizes=(6, 5), members=None, **flags):
    """A modular network, of one output, and its flags."""
    flags = {"network": "modular", "hidden_sizes": sizes} | flags
    return make_net(num_tasks, members, **flags)


def make_bouncer(net, options, targ=None):
    """The optimiser of a network, beside the network that follows it, and its Bouncer."""
    optimizers = TaskOptimizers(num_tasks=net.num_tasks, changes=options)
    opt = optimizers.make(3e-3, owner(net), owner(targ) if targ else None)
    return opt, opt.watches["LossQ"]


def inputs(num_tasks=TASKS, batch=4, seed=0):
    values = np.random.default_rng(seed).normal(size=(num_tasks, batch, D))
    return tf.constant(values, tf.float32)


def task_losses(net, x):
    """Mean squares of the outputs less 0.3, those of members added up."""
    squares = tf.reduce_mean((net(x) - 0.3) ** 2, axis=(-2, -1))
    return tf.reduce_sum(tf.reshape(squares, (-1, net.num_tasks)), axis=0)


def task_gradients(net, x, inner_steps=InnerSteps()):
    loss_fn = lambda: (task_losses(net, x), {})
    return TaskGradients(owner(net), loss_fn, inner_steps=inner_steps)


# The network -------------------------------------------------------------------


@pytest.mark.parametrize("members", [None, 2])
@pytest.mark.parametrize("shared_heads, same", [(False, "multi_head"), (True, "mlp")])
def test_one_module_a_slot_is_what_all_share(members, shared_heads, same):
    net, _ = make(members=members, modules=1, shared_heads=shared_heads)
    fixed, _ = make(members=members, seed=1, network=same)
    give_weights(fixed, net)
    # Products in another order: a sum near 0 is a few ULPs of its terms away.
    np.testing.assert_allclose(net(inputs()), fixed(inputs()), rtol=1e-6, atol=1e-7)
    grads = []
    for torso in (net, fixed):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(task_losses(torso, inputs()))
        grads.append(tape.gradient(loss, torso.trainable_variables))
    for one, other in zip(*grads, strict=True):
        one = tf.reshape(one, other.shape)
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("compose", ["chain", "sum"])
@pytest.mark.parametrize("shared_heads", [False, True])
def test_structures_by_hand(compose, shared_heads):
    """Against NumPy, a task after another."""
    net, _ = make(sizes=(6, 6), modules=3, compose=compose, shared_heads=shared_heads)
    maps = np.array([[2, 0, 2], [1, 1, 0]])
    heads = np.arange(TASKS)
    if shared_heads:
        heads = np.array([1, 2, 1])
        maps = np.append(maps, heads[None], axis=0)
    net.use(maps)
    weights = [[np.array(bank.variable) for bank in region] for region in net.regions]
    for task in range(TASKS):
        x = inputs().numpy()[task]
        outputs = []
        for number, (kernel, bias) in enumerate(weights[:2]):
            module = maps[number, task]
            fed = outputs[-1] if outputs and compose == "chain" else x
            outputs.append(np.maximum(fed @ kernel[module] + bias[module], 0))
        hidden = outputs[-1] if compose == "chain" else sum(outputs)
        kernel, bias = weights[2]
        wanted = hidden @ kernel[heads[task]] + bias[heads[task]]
        np.testing.assert_allclose(net(inputs())[task], wanted, rtol=1e-4, atol=1e-6)


def test_gradients_reach_only_modules_in_use():
    net, _ = make(modules=4)
    maps = np.array([[2, 0, 2], [1, 1, 1]])
    net.use(maps)
    tasks = task_gradients(net, inputs())
    grads = tasks.weighted({"LossQ": tf.ones((3, TASKS))})
    for number in range(2):
        kernel = np.abs(grads[2 * number]).max(axis=(1, 2))
        assert set(np.flatnonzero(kernel)) == set(maps[number])


def test_parameters_by_other_modules_are_those_of_the_structure():
    net, _ = make(modules=4, members=2)
    maps = np.array([[3, 0, 2], [1, 3, 0]])
    params = net.expand_by(tf.constant(maps))
    net.use(maps)
    for one, other in zip(tf.nest.flatten(params), tf.nest.flatten(net.expand())):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shared_heads", [False, True])
def test_other_tasks_follow_tasks_of_a_run(shared_heads):
    trained, _ = make(modules=2, shared_heads=shared_heads)
    maps = np.array([[0, 1, 1], [1, 0, 1], [1, 0, 0]])
    trained.use(maps if shared_heads else maps[:2])
    other, _ = make(
        num_tasks=2, seed=1, network="meta_modular", modules=2, shared_heads=shared_heads
    )
    other.adopt(trained)
    head = np.array(trained.regions[trained.head][0].variable)
    np.testing.assert_allclose(other.regions[other.head][0].variable[1], head.mean(0), rtol=1e-5)
    other.follow(trained, [2, 0])
    np.testing.assert_array_equal(maps_of(other), maps[:2, [2, 0]])
    wanted = [
        trained(tf.repeat(inputs()[t : t + 1], TASKS, axis=0))[k] for t, k in ((0, 2), (1, 0))
    ]
    np.testing.assert_allclose(other(inputs()[:2]), wanted, rtol=1e-6)


# Annealing ---------------------------------------------------------------------


def test_the_planned_share_by_hand():
    config = Config(anneal_updates=100, accept_worse=0.5)
    shares = [planned_share(updates, config) for updates in (0, 20, 100, 1000)]
    np.testing.assert_allclose(shares, [0.5, 0.5 * np.exp(-1), 0, 0])


WORSE_BY = np.array([-1.0, 0.0, 0.5, 3.0, np.inf, np.nan])


@pytest.mark.parametrize(
    "temperature, accepted",
    [(1e-6, [True, True, False, False, False, False]), (1e9, [True] * 4 + [False] * 2)],
)
def test_cold_never_accepts_worse_and_hot_always(temperature, accepted):
    """But for losses that are no numbers."""
    annealing = Annealing(np.random.default_rng(0))
    annealing.temperature = temperature
    for _ in range(200):
        got = annealing.accept(WORSE_BY, np.ones(6, bool))
        np.testing.assert_array_equal(got, accepted)
    assert not annealing.accept(WORSE_BY, np.zeros(6, bool)).any()


def test_worse_proposals_are_accepted_by_their_boltzmann_factor():
    annealing = Annealing(np.random.default_rng(0))
    annealing.temperature = 0.5
    worse_by = np.full(20_000, 0.3)
    share = annealing.accept(worse_by, np.ones(20_000, bool)).mean()
    assert abs(share - np.exp(-0.6)) < 4 * np.sqrt(0.25 / 20_000)


def test_the_measured_share_by_hand():
    annealing = Annealing(np.random.default_rng(0))
    annealing.temperature = 1e-6
    annealing.accept(np.array([1.0, -1.0, 1.0]), np.array([True, True, True]))
    np.testing.assert_allclose(annealing.share, 0.99**2)  # the better one doesn't count
    annealing.share = 0.001
    annealing.accept(np.array([1.0]), np.array([True]))
    np.testing.assert_allclose(annealing.share, 0.001 * 0.999)
    annealing.temperature = 1e9
    annealing.accept(np.array([1.0]), np.array([True]))
    np.testing.assert_allclose(annealing.share, 0.000999 * 1.999001, rtol=1e-6)
    annealing.temperature = 2.0
    annealing.adjust(planned=0.5)
    np.testing.assert_allclose(annealing.temperature, 2.2)
    annealing.adjust(planned=1e-6)
    np.testing.assert_allclose(annealing.temperature, 2.0)
    annealing.adjust(planned=0.0)
    assert annealing.temperature == 1e-6


def accepted_shares(scales, tasks, windows, config):
    """What share of worse proposals is accepted and what is planned, in each of `windows`, where
    losses differ by exponentially distributed multiples of `scales`."""
    annealing = Annealing(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    shares = []
    for window in range(windows):
        worse_by = rng.exponential(scales, tasks) * rng.choice([-1, 1], tasks)
        accepted = annealing.accept(worse_by, np.ones(tasks, bool))
        planned = planned_share(window, config)
        annealing.adjust(planned)
        worse = worse_by > 0
        shares.append((accepted[worse].sum(), worse.sum(), planned * worse.sum()))
    return np.array(shares)


@pytest.mark.parametrize("tasks", [4, 50])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0])
def test_the_accepted_share_follows_the_plan(tasks, scale):
    """On streams of differences of any scale: by quarters of the time, but for the first."""
    config = Config(anneal_updates=2000)
    shares = accepted_shares(scale, tasks, 2000, config)
    for quarter in np.split(shares, 4)[1:]:
        accepted, _, planned = quarter.sum(axis=0)
        assert 0.5 < accepted / planned < 1.5


# Proposals ---------------------------------------------------------------------


def maps_of(net):
    return np.array([np.array(chosen) for chosen in net.chosen])


def test_a_proposal_changes_one_slot_of_each_task():
    net, options = make(sizes=(4, 5, 6), modules=3)
    _, bouncer = make_bouncer(net, options)
    seen = set()
    for _ in range(100):
        changed = np.array(bouncer.proposed()) != maps_of(net)
        np.testing.assert_array_equal(changed.sum(axis=0), 1)
        bouncer.decide(np.full(TASKS, np.inf), np.ones(TASKS), np.ones(TASKS, bool))
        seen |= set(zip(bouncer.slot.numpy().tolist(), bouncer.module.numpy().tolist()))
        bouncer.propose()
    assert seen == {(slot, module) for slot in range(3) for module in range(3)}


def test_decisions_by_hand():
    """Task 0's proposal is better, task 1's much worse, task 2 has no samples."""
    net, options = make(modules=4)
    targ, _ = make(modules=4, seed=1)
    _, bouncer = make_bouncer(net, options, targ)
    before = maps_of(net)
    np.testing.assert_array_equal(maps_of(targ), before)
    bouncer.annealing.temperature = 0.01
    bouncer.updates = 70
    slot = bouncer.slot.numpy()
    module = bouncer.module.numpy()
    present = np.array([True, True, False])
    bouncer.decide(np.array([-0.1, 4.0, -9.0]), np.array([1.0, 2.0, 5.0]), present)
    wanted = before.copy()
    wanted[slot[0], 0] = module[0]
    for torso in (net, targ):
        np.testing.assert_array_equal(maps_of(torso), wanted)
    np.testing.assert_allclose(bouncer.size, [1, 2, 0])
    assert bouncer.events[-1] == {
        "updates": 70,
        "region": slot[0],
        "copy": module[0],
        "moved": [0],
    }
    np.testing.assert_allclose(bouncer.annealing.temperature, 0.011)  # 0.99 accepted, not 1
    bouncer.decide(np.zeros(TASKS), np.array([2.0, 2.0, 2.0]), ~present)
    np.testing.assert_allclose(bouncer.size, [1, 2, 2])
    np.testing.assert_allclose(bouncer.annealing.temperature, 0.011)  # nothing was worse
    report = bouncer.report()
    assert report["maps"] == maps_of(net).tolist()
    assert np.sum(report["usage"], axis=1).tolist() == [TASKS, TASKS]
    assert [layer["size"] for layer in report["layers"]] == [3 * 6 + 6, 6 * 5 + 5]


def test_nothing_worse_is_accepted_once_annealing_is_over():
    net, options = make(modules=4, anneal_updates=100)
    _, bouncer = make_bouncer(net, options)
    before = maps_of(net)
    bouncer.annealing.temperature = 1e6
    bouncer.updates = 100
    bouncer.decide(np.full(TASKS, 1e-3), np.ones(TASKS), np.ones(TASKS, bool))
    np.testing.assert_array_equal(maps_of(net), before)


def test_a_structure_that_is_given_is_gone_on_from():
    """As `meta-test --start best` gives one: refused proposals leave it as it is."""
    net, options = make(modules=4)
    targ, _ = make(modules=4, seed=1)
    _, bouncer = make_bouncer(net, options, targ)
    given = (maps_of(net) + 1) % 4
    for torso in (net, targ):
        torso.use(given)
    bouncer.follow()
    np.testing.assert_array_equal((np.array(bouncer.proposed()) != given).sum(axis=0), 1)
    assert bouncer.report()["maps"] == given.tolist()
    assert {event["updates"] for event in bouncer.events} <= {0}
    bouncer.decide(np.full(TASKS, np.inf), np.ones(TASKS), np.ones(TASKS, bool))
    for torso in (net, targ):
        np.testing.assert_array_equal(maps_of(torso), given)


@pytest.mark.parametrize("steps", [0, 2])
def test_losses_of_both_structures_are_of_the_same_batch(steps):
    net, options = make(modules=3, inner_steps=steps, inner_lr=0.05)
    _, bouncer = make_bouncer(net, options)
    inner_steps = InnerSteps(steps, 0.05)
    tasks = task_gradients(net, inputs(), inner_steps)
    bouncer.observe(tasks, "LossQ", present=tf.constant([1.0, 0.0, 1.0]))
    now = np.array(tasks.losses)
    net.use(np.array(bouncer.proposed()))
    then = np.array(task_gradients(net, inputs(), inner_steps).losses)
    assert np.abs(then - now).min() > 1e-6
    present = np.array([1, 0, 1])
    np.testing.assert_allclose(bouncer.compared, (then - now) * present, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(bouncer.magnitude, now * present, rtol=1e-5)
    np.testing.assert_array_equal(bouncer.batches, present)


def test_policies_on_trial_by_hand():
    """A window as it is, one by the proposals. Task 0 has more advantage in the second, task 1 much
    less, and task 2 no samples in the first."""
    net, _ = make(modules=3)
    config = Config(propose_updates=20, anneal_updates=100)
    group = Group((net,), on_policy=True, merit="Advantage")
    bouncer = Bouncer("LossPi", group, (), lambda variable: [], config)
    bouncer.annealing.temperature = 1e-6
    before = maps_of(net)
    proposed = np.array(bouncer.proposed())
    windows = [([0.1, 0.1, 9.0], [1, 1, 0]), ([0.3, -0.3, 0.0], [1, 1, 1])]
    used = []
    for advantage, present in windows:
        used.append(maps_of(net))
        tasks = SimpleNamespace(losses=None, info={"Advantage": tf.constant(advantage)})
        for _ in range(20):
            bouncer.observe(tasks, "LossPi", present=tf.constant(present, tf.float32))
        bouncer.after(20)
    np.testing.assert_array_equal(used, [before, proposed])
    wanted = before.copy()
    wanted[:, 0] = proposed[:, 0]
    np.testing.assert_array_equal(maps_of(net), wanted)
    assert bouncer.report()["maps"] == wanted.tolist()
    np.testing.assert_allclose(bouncer.size, [0.3, 0.3, 0], rtol=1e-6)
    bouncer.updates = 100
    for _ in range(3):
        bouncer.after(20)
        np.testing.assert_array_equal(maps_of(net), wanted)  # nothing is tried any more


def test_with_one_module_nothing_is_proposed():
    net, options = make(modules=1)
    _, bouncer = make_bouncer(net, options)
    bouncer.observe(task_gradients(net, inputs()), "LossQ")
    bouncer.after(1000)
    assert not np.array(bouncer.batches).any()
    assert not bouncer.events
    assert bouncer.annealing.temperature == 1


# Inner steps -------------------------------------------------------------------


def test_no_inner_steps_change_nothing():
    """BounceGrad, byte for byte."""
    net, _ = make(modules=3)
    net.use(np.array([[2, 0, 2], [1, 1, 0]]))
    without = task_gradients(net, inputs())
    none = task_gradients(net, inputs(), InnerSteps(0, 0.1))
    np.testing.assert_array_equal(none.losses, without.losses)
    weights = {"LossQ": tf.ones((3, TASKS))}
    for one, other in zip(none.weighted(weights), without.weighted(weights)):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("members", [None, 2])
def test_inner_steps_are_those_of_a_loop(members):
    """Each task's parameters, stepped by its own loss alone; then the gradient there."""
    net, _ = make(modules=3, members=members)
    net.use(np.array([[2, 0, 2], [1, 1, 0]]))
    lr = 0.05
    tasks = task_gradients(net, inputs(), InnerSteps(2, lr))
    for task in range(TASKS):
        params = net.expand()
        for step in range(3):
            flat = tf.nest.flatten(params)
            with tf.GradientTape() as tape:
                tape.watch(flat)
                with net.using(params):
                    loss = task_losses(net, inputs())[task]
            grads = tape.gradient(loss, flat)
            if step < 2:
                moved = [param - lr * grad for param, grad in zip(flat, grads)]
                params = tf.nest.pack_sequence_as(params, moved)
        np.testing.assert_allclose(tasks.losses[task], loss, rtol=1e-5)
        for got, wanted, bank in zip(
            tasks.grads, grads, [bank for region in net.regions for bank in region]
        ):
            np.testing.assert_allclose(
                np.take(got, task, bank.axis),
                np.take(wanted, task, bank.axis),
                rtol=1e-4,
                atol=1e-7,
            )


def test_inner_steps_refuse_methods_that_compare_losses_after_an_update():
    _, options = make(inner_steps=1)
    with pytest.raises(UserError, match="--gradient famo compares losses"):
        TaskOptimizers(
            balancing=gradients.Config(gradient="famo"), num_tasks=TASKS, changes=options
        )


# Structures that are found -----------------------------------------------------


class Search(Regression):
    """Regression of `targets`, a function of inputs `(burst, num_tasks, batch, D)`, by a modular
    network."""

    def __init__(self, targets, num_tasks, **flags):
        flags = {"network": "modular", "propose_updates": 10} | flags
        super().__init__(np.ones(num_tasks), **flags)
        self.targets = targets

    def train(self, updates, burst=10):
        for _ in range(updates // burst):
            obs = self.rng.normal(size=(burst, self.net.num_tasks, 32, D)).astype(np.float32)
            ret = self.targets(obs)
            batches = RolloutBatch(obs=obs, act=ret, log_prob=ret, adv=ret, ret=ret)
            info = self.burst(batches, make_updates(burst, self.rng), burst)
            self.opt.after(burst)
        return info["LossQ"][-1]


def test_planted_structures_of_frozen_modules_are_found():
    """Pairs of tasks with one function each, made by modules that are there and don't move."""
    planted = np.array([[0, 0, 1, 1, 2, 2], [1, 1, 1, 1, 0, 0]])

    def teach(obs):
        flat = tf.reshape(tf.transpose(obs, (1, 0, 2, 3)), (6, -1, D))
        with search.net.using(search.net.expand_by(tf.constant(planted))):
            outputs = tf.reshape(search.net(flat), (6, len(obs), -1))
        return tf.transpose(outputs, (1, 0, 2)).numpy()

    search = Search(teach, 6, lr=0.0, modules=3, anneal_updates=700)
    for bank in search.net.regions[search.net.head]:
        bank.variable.assign(np.broadcast_to(np.array(bank.variable)[:1], bank.variable.shape))
    assert (maps_of(search.net) != planted).any()
    search.train(1000)
    np.testing.assert_array_equal(maps_of(search.net), planted)


def test_tasks_of_one_function_come_to_share_a_module():
    """Sums of two functions, for which a module has units enough, but not for two of them; no
    modules are there to begin with."""
    sums = ((0, 1), (0, 1), (2, 1), (2, 1))

    def targets(obs):
        parts = np.abs(obs) - 0.8
        by_task = [parts[:, task, :, pair].sum(axis=0) for task, pair in enumerate(sums)]
        return np.stack(by_task, axis=1)

    search = Search(targets, 4, lr=9e-3, hidden_sizes=(5,), modules=2, anneal_updates=2000)
    losses = search.train(3000)
    (modules,) = maps_of(search.net)
    assert modules[0] == modules[1] != modules[2] == modules[3]
    assert losses.max() < 0.05


def test_structures_of_tasks_with_one_function_coincide():
    """Where output layers are modules as well a structure is all there is to a task."""
    targets = lambda obs: np.stack([abs(obs[:, t, :, t // 2]) for t in range(4)], axis=1)
    search = Search(targets, 4, lr=9e-3, modules=2, anneal_updates=2000, shared_heads=True)
    losses = search.train(3000)
    first, second, third, fourth = maps_of(search.net).T.tolist()
    assert first == second != third == fourth
    assert losses.max() < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name, steps", [("td3", 0), ("sac", 1), ("ppo", 0)])
def test_algorithms_find_structures_in_one_trace(tmp_path, name, steps):
    options = {"network": "modular", "propose_updates": 20, "inner_steps": steps}
    algo = make_changing_algo(name, **options)
    watches = {}
    for optimizer in algo.optimizers:
        watches |= getattr(optimizer, "watches", {})
    first = {key: watch.decided for key, watch in watches.items()}
    for k in range(9):
        info = algo.update(*task_batches(name, 8, seed=k), 8)
    assert set(first) == ({"LossPi", "LossV"} if name == "ppo" else {"LossPi", "LossQ"})
    for key, watch in watches.items():
        assert (watch.decided != first[key]).any()
        for twin in watch.torsos[1:]:
            np.testing.assert_array_equal(maps_of(twin), watch.decided)
    assert info["PiAccepted"].shape == (1,)
    assert algo.burst.compiled.experimental_get_tracing_count() == 1
    check_is_restored(tmp_path, algo, make_changing_algo(name, **options))


# Runs --------------------------------------------------------------------------


ENV = ("--env", "PointMass-ML4", "--task_onehot", "false")
META = ("--episodes", "4", "--num_test_episodes", "2", "--propose_updates", "20")


@pytest.fixture(scope="module", name="source")
def fixture_source(tmp_path_factory):
    """A run of modular networks."""
    folder = tmp_path_factory.mktemp("modular")
    return train(folder, *ENV, *RUN, "--epochs", "2")


def test_runs_resume_exactly(source, tmp_path):
    part = train(tmp_path, *ENV, *RUN, "--epochs", "1")
    early = structure_of(part)
    assert main(["resume", str(part), "--epochs", "2"]) == 0
    assert rows(part) == rows(source)
    late = structure_of(part)
    assert late == structure_of(source) != early
    assert (part / "splits.json").read_bytes() == (source / "splits.json").read_bytes()
    for name in ("LossPi", "LossQ"):
        assert len(late["networks"][name]["events"]) > len(early["networks"][name]["events"])
    assert column(part, "PiTemperature")[-1] != 1
    assert 0 < column(part, "QAccepted")[-1] <= 1
    picture = tmp_path / "structure.png"
    assert main(["plot", "--structure", str(part), "-o", str(picture)]) == 0
    assert picture.stat().st_size > 10_000


def algo_of(run, step="last"):
    values = RunDir(run).config
    env = envs.make(values["env"], **env_options(values))
    return load_agent(RunDir(run), step, env.spec, values).algo


@pytest.mark.parametrize("start", ["equal", pytest.param("best", marks=pytest.mark.slow)])
def test_meta_test_finds_structures_of_frozen_modules(source, tmp_path, start):
    args = (*META, "--keep", "99", "--start", start, "--data_dir", str(tmp_path))
    if start == "best":
        args = (*args, "--episodes", "8")
    assert main(["meta-test", str(source), *args]) == 0
    run = tmp_path / "x_meta" / "x_meta_s0"
    first_step = column(run, "TotalEnvInteracts")[0]
    first = algo_of(run, f"{first_step:.0f}")
    last = algo_of(run)
    trained = algo_of(source)
    for name in ("actor", "actor_targ", "q", "q_targ"):
        before, after = (getattr(algo, name).torso for algo in (first, last))
        for slot, now in zip(before.slots, after.slots, strict=True):
            for bank, moved in zip(slot, now):
                np.testing.assert_array_equal(bank.variable, moved.variable)
        heads = zip(before.regions[before.head], after.regions[after.head])
        assert all(np.any(one.variable != two.variable) for one, two in heads)
    for name, loss in (("actor", "LossPi"), ("q", "LossQ")):
        before, learned = (getattr(algo, name).torso for algo in (first, trained))
        for bank, source_bank in zip(sum(before.slots, []), sum(learned.slots, [])):
            np.testing.assert_array_equal(bank.variable, source_bank.variable)
        head = before.regions[before.head][0].variable
        taught = np.array(learned.regions[learned.head][0].variable)
        if start == "equal":
            np.testing.assert_allclose(head, np.broadcast_to(taught.mean(0), head.shape), rtol=1e-5)
            events = structure_of(run)["networks"][loss]["events"]
            assert any(event["updates"] > 0 for event in events)
        else:
            begun = RunDir(run).config["meta_start"]
            places = [trained.spec.tasks.index(begun[task]) for task in first.spec.tasks]
            np.testing.assert_array_equal(head, taught[places])
            np.testing.assert_array_equal(maps_of(before), maps_of(learned)[:, places])
            watch = {"actor": first.pi_opt, "q": first.q_opt}[name].watches[loss]
            np.testing.assert_array_equal(watch.decided, maps_of(before))
    assert structure_of(run)["networks"]["LossPi"]["usage"]


@pytest.mark.parametrize(
    "args, words",
    [
        (("--modules", "5"), "--modules is not for meta-test"),
        (("--compose", "sum"), "--compose is not for meta-test"),
        (("--meta_mix", "weights"), "--meta_mix"),
    ],
)
def test_what_meta_test_refuses(source, tmp_path, capsys, args, words):
    assert words in refused(capsys, "meta-test", source, *args, "--data_dir", tmp_path)


@pytest.mark.parametrize(
    "args, words",
    [
        (("--network", "meta_modular"), "--network meta_modular is made from a run"),
        (("--network", "modular", "--inner_lr", "0.1"), "another --inner_steps than 0"),
        (("--network", "modular", "--modules", "0"), "--modules"),
        (
            ("--network", "modular", "--compose", "sum", "--hidden_sizes", "8", "4"),
            "the modules of --compose sum are one or more, all of the same size, got 8 4",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, capsys, args, words):
    argv = ("--env", "PointMass-MT4", *args, "--data_dir", tmp_path)
    assert words in refused(capsys, *argv)
