"""Routing networks: the weighted policy learner, routers, and the routes of tasks."""

import numpy as np
import pytest
import tensorflow as tf

from rl import gradients
from rl.algos import ALGOS
from rl.config import UserError, build
from rl.experiments.build import make_torsos
from rl.flags import torsos as flags
from rl.networks.groups import Group
from rl.splitting import TaskOptimizers
from rl.splitting.router import Router
from rl.splitting.wpl import improve, project
from tests.helpers_algos import STILL, make_batches, make_spec, one, task_batches
from tests.helpers_structure import (
    D,
    Regression,
    check_is_drawn,
    check_is_exported,
    check_is_restored,
    check_resumes,
    give_weights,
    make_changing_algo,
    make_net,
)

ROUTING = {"network": "routing", "route_updates": 20}


@pytest.mark.parametrize(
    "policy, floor, wanted",
    [
        ([0.5, 0.5, 0.5], 0.0, [1 / 3, 1 / 3, 1 / 3]),
        ([0.9, 0.3], 0.0, [0.8, 0.2]),
        ([1.4, -0.2], 0.0, [1.0, 0.0]),
        ([1.4, -0.2], 0.1, [0.9, 0.1]),
        ([0.7, 0.25, 0.05], 0.1, [0.675, 0.225, 0.1]),
        ([0.2, 0.8], 0.5, [0.5, 0.5]),
    ],
)
def test_projection_onto_the_simplex(policy, floor, wanted):
    np.testing.assert_allclose(project(np.array([policy]), floor), [wanted], atol=1e-12)


def test_steps_of_the_policy_learner():
    """By hand: the mean is .25 * 4 + .75 * 0 = 1, the gains are 3 and -1, times 1 - .25 and .75."""
    got = improve(np.array([0.25, 0.75]), np.array([4.0, 0.0]), lr=0.1, floor=0.0)
    # (.25 + .1 * 3 * .75, .75 - .1 * .75) = (.475, .675), of which .075 each are too much
    np.testing.assert_allclose(got, [0.4, 0.6])


def test_an_action_nobody_knows_gains_and_loses_nothing():
    known = np.array([True, True, False])
    got = improve(np.array([0.4, 0.4, 0.2]), np.array([1.0, -1.0, 50.0]), 0.1, 0.0, known)
    # gains 1 * .6 and -1 * .4: (.46, .36, .2), of which .02 / 3 each are too much
    np.testing.assert_allclose(got, np.array([0.46, 0.36, 0.2]) - 0.02 / 3)


def test_a_bandit_converges_to_the_better_arm():
    rng = np.random.default_rng(0)
    policy = np.full(2, 0.5)
    value = np.zeros(2)
    for _ in range(2000):
        arm = int(rng.random() > policy[0])
        value[arm] += 0.1 * (rng.normal(loc=(0.0, 0.5)[arm]) - value[arm])
        policy = improve(policy, value, lr=0.05, floor=0.01)
    assert policy[1] > 0.9


def make_router(num_tasks=2, on_policy=False, **values):
    net, options = make_net(num_tasks, hidden_sizes=(4,), **ROUTING, **values)
    twin, _ = make_net(num_tasks, hidden_sizes=(4,), **ROUTING, **values)
    group = Group((net,), on_policy=on_policy)
    return Router("LossQ", group, (twin,), lambda variable: [], options)


def test_collaboration_draws_tasks_to_one_block():
    """Where losses tell nothing, routers follow each other; without the reward they don't."""
    agreement = []
    for reward in (0.0, 20.0):
        router = make_router(blocks=2, collaboration=reward)
        for _ in range(400):
            router.learn(np.zeros(2), np.ones(2, bool))
            router.routes = router._sample()
        first, second = router.policy[:, 0]
        agreement.append(float(first @ second))
    assert agreement[1] > 0.9 > agreement[0]


def test_only_tasks_with_samples_learn():
    router = make_router(blocks=2)
    before = router.policy.copy()
    for merit in (1.0, 3.0, -2.0):
        router.learn(np.array([merit, np.nan]), np.array([True, False]))
        router.routes = 1 - router.routes
    assert (router.policy[0] != before[0]).all()
    np.testing.assert_array_equal(router.policy[1], before[1])
    assert np.isfinite(router.mean).all()
    policy, usage = router.policy.copy(), router.usage.copy()
    router.learn(np.full(2, np.nan), np.zeros(2, bool))  # as where a policy wasn't updated
    np.testing.assert_array_equal(router.policy, policy)
    np.testing.assert_array_equal(router.usage, usage)


def test_a_block_stays_the_likeliest_until_another_is_likelier():
    router = make_router(blocks=3)
    first = router.routes.copy()
    router.after(20)  # one route tells nothing: all blocks are as likely
    np.testing.assert_array_equal(router.likeliest, first)
    router.policy[0, 0] = np.where(np.arange(3) == (first[0, 0] + 1) % 3, 0.4, 0.3)
    router.after(19)
    router.after(1)
    assert router.likeliest.ravel().tolist() == [(first[0, 0] + 1) % 3, first[1, 0]]


@pytest.mark.parametrize("on_policy", [False, True])
def test_updates_go_through_the_route_and_tasks_act_by_the_best(on_policy):
    """PPO's, which are compared with how the policy acted, act by the route, too."""
    router = make_router(blocks=3, on_policy=on_policy)
    router.policy[:] = [0.0, 0.0, 1.0]
    router.likeliest = router.policy.argmax(axis=-1)
    router.routes = np.array([[0], [1]])
    router._use()
    for torso in (router.torso, *router.twins):
        bank = torso.regions[0][0]
        copies = bank.variable.numpy()
        np.testing.assert_array_equal(bank.expand_copies(), copies[[0, 1]])
        np.testing.assert_array_equal(bank.expand(True), copies[[0, 1] if on_policy else [2, 2]])


@pytest.mark.parametrize("shared_heads, same", [(False, "multi_head"), (True, "mlp")])
def test_one_block_is_what_all_share(shared_heads, same):
    routing, _ = make_net(**ROUTING, blocks=1, shared_heads=shared_heads)
    shared, _ = make_net(network=same)
    give_weights(shared, routing)
    x = tf.constant(np.random.default_rng(0).normal(size=(3, 5, D)), tf.float32)
    np.testing.assert_allclose(routing(x), shared(x), rtol=1e-6, atol=1e-6)


def test_gradients_reach_only_the_blocks_on_routes():
    toy = Regression((0, 1), **ROUTING, blocks=3)
    toy.watch.routes = np.array([[0, 2], [0, 1]])
    toy.watch._use()
    before = [bank.variable.numpy() for region in toy.net.regions[:2] for bank in region]
    toy.train(20)
    after = [bank.variable.numpy() for region in toy.net.regions[:2] for bank in region]
    moved = [(new != old).reshape(3, -1).any(axis=1).tolist() for old, new in zip(before, after)]
    assert moved == [[True, False, False]] * 2 + [[False, True, True]] * 2


def test_tasks_at_odds_take_other_blocks():
    """A block is enough for tasks 0 and 1, or for 2 and 3."""
    toy = Regression(
        (0, 0, 1, 1), **ROUTING, blocks=2, hidden_sizes=(2,), router_lr=0.1, lr=1e-2, seed=2
    )
    losses = toy.train(4000)
    likeliest = toy.watch.likeliest[:, 0]
    assert likeliest[0] == likeliest[1] != likeliest[2] == likeliest[3]
    assert losses.max() < 0.05


@pytest.mark.parametrize("name", ["td3", "ppo"])
def test_algorithms_take_new_routes_in_one_trace(tmp_path, name):
    algo = make_changing_algo(name, **ROUTING)
    watches = {}
    for optimizer in algo.optimizers:
        watches |= optimizer.watches
    first = {key: watch.routes.copy() for key, watch in watches.items()}
    for k in range(6):
        info = algo.update(*task_batches(name, 8, seed=k), 8)
    assert set(first) == ({"LossPi", "LossV"} if name == "ppo" else {"LossPi", "LossQ"})
    for key, watch in watches.items():
        assert (watch.routes != first[key]).any()
    assert info["PiCertainty"].shape == (1,)
    assert algo.burst.compiled.experimental_get_tracing_count() == 1
    check_is_restored(tmp_path, algo, make_changing_algo(name, **ROUTING))


def test_runs_resume_exactly(tmp_path):
    run = check_resumes(tmp_path, "ddpg", "--network", "routing", "--route_updates", "10")
    check_is_drawn(tmp_path, run)
    check_is_exported(tmp_path, run)


def test_a_floor_that_cannot_be():
    with pytest.raises(UserError, match="--router_floor 0.3: 4 blocks can't all be as likely"):
        build(flags.Routing, {"router_floor": 0.3})


def test_losses_after_a_step_are_of_the_same_routes():
    """FAMO compares them with those before it: a step of no length changes none, though tasks act
    by other blocks than updates take."""
    tf.keras.utils.set_random_seed(0)
    torsos = make_torsos({"hidden_sizes": (8, 8)} | ROUTING, make_spec(3))
    balancing = gradients.Config(gradient="famo")
    optimizers = TaskOptimizers(balancing=balancing, num_tasks=3, changes=torsos.options)
    algo = ALGOS["ddpg"](make_spec(3), torsos, optimizers)
    for best, sampled in zip(algo.q.torso.best, algo.q.torso.sampled):
        best.assign((sampled + 1) % 4)  # of four blocks
    compared = []
    balancer = algo.q_opt.balancers["LossQ"]
    balancer.after = lambda before, after: compared.append((before, after))
    batch, _ = one(make_batches(1, 8, 3))
    algo.q_opt.minimise(lambda: algo.q_loss(batch), STILL)
    ((before, after),) = compared
    np.testing.assert_allclose(after, before, rtol=1e-5)
    assert (np.abs(algo.q_loss(batch)[0] - before) > 1e-3).any()
