"""Architectures of other papers whose layers split."""

import json

import numpy as np
import pytest
import tensorflow as tf

from rl.config import UserError
from rl.flags import NETWORKS
from tests.helpers_splitting import (
    check_splits,
    make_splitting_algo,
    splits_of,
    splitters_of,
    train_in_two,
)
from tests.helpers_structure import D, make_net

# Which begins as which.
BEGINS_AS = {
    "splitting_film": "film",
    "splitting_soft_modules": "soft_modules",
    "splitting_moore": "moore",
    "splitting_care": "care",
}
SMALL = {"module_units": 6, "task_embedding": 5}
EAGER = ("--split_z", "0", "--split_every", "20", "--split_block", "2", "--split_min_blocks", "4")


def flags_of(name):
    """Sizes of layers that a network has beside the hidden ones."""
    known = NETWORKS[name].config
    return {key: value for key, value in SMALL.items() if hasattr(known, key)}


def make(name, **flags):
    net, _ = make_net(network=name, **(flags_of(name) | flags))
    return net


def maps_of(net):
    """The copies that tasks use, of each region that has a map."""
    return [np.array(region[0].copy) for region in net.regions if region[0].copy is not None]


def first_copies(net, plain):
    """Gives `plain` the first copy of all that splits in `net`, and the rest as it is."""
    for region, plain_region in zip(net.regions, plain.regions, strict=True):
        for bank, plain_bank in zip(region, plain_region, strict=True):
            value = np.array(bank.variable)
            if bank.copy is not None:
                value = value.take([0], axis=bank.axis)
            plain_bank.variable.assign(value)


@pytest.mark.parametrize("name", BEGINS_AS)
def test_where_all_is_shared_it_is_its_architecture(name):
    net = make(name, split_start="shared")
    plain = make(BEGINS_AS[name], seed=1)
    first_copies(net, plain)
    obs = tf.constant(np.random.default_rng(0).normal(size=(3, 5, D)), tf.float32)
    np.testing.assert_allclose(net(obs), plain(obs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", BEGINS_AS)
def test_only_output_layers_start_apart(name):
    """MOORE's have no map: they stay each task's own."""
    maps = maps_of(make(name))
    apart = [copy.tolist() for copy in maps if copy.any()]
    assert apart == ([] if name == "splitting_moore" else [[0, 1, 2]])
    assert len(maps) > len(apart)
    assert not any(copy.any() for copy in maps_of(make(name, split_start="shared")))


def test_experts_of_a_depth_split_together():
    """Task 2 takes the second copy of the second layer of all experts, and only its output
    changes."""
    net = make("splitting_moore", experts=2)
    obs = tf.constant(np.random.default_rng(0).normal(size=(3, 5, D)), tf.float32)
    before = net(obs).numpy()
    kernel = net.regions[1][0]
    assert kernel.variable.shape == (2, 3, 8, 8)  # experts, copies, in, out
    kernel.copy.assign([0, 0, 1])
    np.testing.assert_array_equal(net(obs), before)
    changed = np.array(kernel.variable)
    changed[:, 1] *= -1
    kernel.variable.assign(changed)
    after = net(obs).numpy()
    np.testing.assert_array_equal(after[:2], before[:2])
    assert (after[2] != before[2]).any()


@pytest.mark.parametrize(
    "name, algo",
    [
        ("splitting_film", "ddpg"),
        ("splitting_moore", "ppo"),
        pytest.param("splitting_soft_modules", "sac", marks=pytest.mark.slow),
        pytest.param("splitting_care", "td3", marks=pytest.mark.slow),
    ],
)
def test_algorithms_split_them(name, algo):
    check_splits(make_splitting_algo(algo, name, split_criterion="v2", **flags_of(name)), algo)


def test_a_map_is_trained_from_scratch(tmp_path):
    """Codes of tasks have no map of their own, and a place among the regions."""
    flags = {"split_criterion": "lagged", "task_embedding": 5}
    splits = make_splitting_algo("ddpg", "splitting_film", **flags).splits()
    for network in splits["networks"].values():
        network["maps"][0] = [0, 1, 0]
    path = tmp_path / "splits.json"
    path.write_text(json.dumps(splits), encoding="utf-8")
    algo = make_splitting_algo("ddpg", "splitting_film", split_map=str(path), **flags)
    for net in (algo.actor, algo.q, algo.q_targ):
        first, *others, head, scaled, scaled_too = maps_of(net.torso)
        assert first.tolist() == [0, 1, 0] and head.tolist() == [0, 1, 2]
        assert not np.any([*others, scaled, scaled_too])
    assert not splitters_of(algo)


@pytest.mark.parametrize("criterion", ["gain", "conflict", "halfbatch", "v1_region"])
def test_halves_of_batches_are_refused(criterion):
    with pytest.raises(UserError, match=f"--split_criterion {criterion} compares the halves"):
        make("splitting_care", split_criterion=criterion)


def test_runs_resume_exactly(tmp_path):
    args = ("--env", "PointMass-MT4", "--network", "splitting_film", "--task_embedding", "5")
    run = train_in_two(tmp_path, (*args, *EAGER), "ddpg")
    for network in splits_of(run)["networks"].values():
        assert len(network["maps"]) == 4  # two layers, the code, and what scales the first
