"""How many numbers tasks use of networks that hold copies, worked by hand."""

import numpy as np
import pytest

from rl.algos.ddpg import DDPG
from rl.experiments import build
from rl.experiments.rundir import flags_of
from rl.splitting.parameters import used_parameters
from tests.helpers_algos import make_algo as small_algo
from tests.helpers_algos import make_spec

TASKS = 3
# Observations of 3 numbers, actions of 2 and a one-hot code of 3; one hidden layer of 8 units.
ACTOR_HIDDEN = 6 * 8 + 8
ACTOR_HEAD = 8 * 2 + 2
CRITIC_HIDDEN = 8 * 8 + 8
CRITIC_HEAD = 8 + 1
SHARED = ACTOR_HIDDEN + ACTOR_HEAD + CRITIC_HIDDEN + CRITIC_HEAD


def make_algo(algo, **flags):
    """With networks of one hidden layer, for three tasks."""
    values = flags_of({"algo": algo, "hidden_sizes": (8,), **flags})
    return build.make_algo(values, make_spec(TASKS))


@pytest.mark.parametrize(
    "network, count",
    [
        ("mlp", SHARED),
        ("multi_head", ACTOR_HIDDEN + CRITIC_HIDDEN + TASKS * (ACTOR_HEAD + CRITIC_HEAD)),
        ("independent", TASKS * SHARED),
        ("splitting", ACTOR_HIDDEN + CRITIC_HIDDEN + TASKS * (ACTOR_HEAD + CRITIC_HEAD)),
        ("sparse_sharing", ACTOR_HIDDEN + CRITIC_HIDDEN + TASKS * (ACTOR_HEAD + CRITIC_HEAD)),
        # two sets of everything, and how much each of four layers' tasks use of them
        ("paco", 2 * SHARED + 2 * TASKS * 2),
        # without the one-hot code
        ("piggyback", 3 * 8 + 8 + 5 * 8 + 8 + TASKS * (ACTOR_HEAD + CRITIC_HEAD)),
    ],
)
def test_parameters_in_use(network, count):
    flags = {"experts": 2} if network == "paco" else {}
    assert make_algo("ddpg", network=network, **flags).parameters() == count


def test_all_sets_count_of_both_critics():
    td3 = make_algo("td3", network="paco", experts=5)
    critics = 2 * 5 * (CRITIC_HIDDEN + CRITIC_HEAD) + 2 * TASKS * 5
    assert td3.parameters() == 5 * (ACTOR_HIDDEN + ACTOR_HEAD) + TASKS * 5 + critics


@pytest.mark.parametrize(
    "flags",
    [
        {"network": "splitting"},
        {"network": "sparse_splitting", "split_weights": True},
        {"network": "sparse_sharing"},
    ],
)
def test_codes_that_a_critic_learns_count(flags):
    """Five numbers of each task, that the actor is given, are inputs of both in place of none."""
    plain = make_algo("ddpg", **flags).parameters()
    coded = make_algo("ddpg", **flags, critic_embedding=5).parameters()
    assert coded == plain + TASKS * 5 + 2 * 5 * 8


def test_twin_critics_count_twice_and_targets_do_not():
    critics = 2 * (CRITIC_HIDDEN + CRITIC_HEAD)
    assert make_algo("td3", network="mlp").parameters() == (ACTOR_HIDDEN + ACTOR_HEAD + critics)


def test_a_network_without_copies():
    algo = small_algo(DDPG, TASKS)
    assert algo.parameters() == 3 * 8 + 8 + ACTOR_HEAD + 5 * 8 + 8 + CRITIC_HEAD


def test_a_split_adds_its_layer():
    algo = make_algo("ddpg", network="splitting", split_start="shared")
    splitter = algo.pi_opt.watches["LossPi"]
    leaves = np.array([False, True, True])
    splitter.split(1, (0, 1), leaves, score=1.0)
    assert algo.parameters() == SHARED + ACTOR_HEAD
    splitter.split(1, (1, 2), np.array([False, False, True]), score=1.0)
    assert algo.parameters() == SHARED + 2 * ACTOR_HEAD


def test_weights_that_left():
    algo = make_algo("ddpg", network="sparse_splitting", split_weights=True)
    splitter = algo.pi_opt.watches["LossPi"]
    leaves = np.zeros(splitter.private.shape, bool)
    leaves[0, :5] = True
    splitter.split(leaves, score=1.0)
    assert algo.parameters() == SHARED + 5
    leaves[1:, :5] = True  # now nobody shares them
    splitter.split(leaves, score=1.0)
    assert algo.parameters() == SHARED - 5 + 15


def test_nodes_that_are_in_no_settled_tree_do_not_count():
    """Of three nodes in each of two layers: tasks 0 and 1 have one parent, task 2 another, and both
    of these the same."""
    algo = make_algo("ddpg", network="learned_branching", hidden_sizes=(8, 4), policy_updates=2000)
    torso = algo.actor.torso
    nodes = 3 * (ACTOR_HIDDEN + (8 * 4 + 4)) + TASKS * (4 * 2 + 2)
    logits = 3 * 3 + TASKS * 3
    assert used_parameters(torso) == nodes + logits
    below, of_tasks = torso.parents
    below.variable.assign(np.eye(3)[[[2, 2, 0]]])
    of_tasks.variable.assign(np.eye(3)[[0, 0, 1]])
    for bank in torso.parents:
        bank.temperature.assign(0.0)
    assert used_parameters(torso) == nodes + logits - 2 * ACTOR_HIDDEN - (8 * 4 + 4)


def test_blocks_that_no_task_executes_do_not_count():
    """Once they are settled: the second of two."""
    algo = make_algo("ddpg", network="adashare", hidden_sizes=(8, 8))
    torso = algo.actor.torso
    whole = used_parameters(torso)
    torso.gates.learned.assign([True, True])
    torso.gates.variable.assign(np.eye(2)[[[0, 1], [1, 1], [0, 1]]])
    torso.gates.temperature.assign(1.0)
    assert used_parameters(torso) == whole
    torso.gates.temperature.assign(0.0)
    block = 2 * (8 * 8 + 8) + 2 * 8
    assert used_parameters(torso) == whole - block
