"""Branched networks: affinities and the search worked by hand, and from a run to a map that
trains."""

import itertools
import json
import shlex

import numpy as np
import pytest
import tensorflow as tf

from rl.__main__ import main
from rl.algos import ALGOS
from rl.experiments.branch import branch_network, branch_networks, features_of
from rl.experiments.branching import affinities, find_trees
from rl.experiments.branching.affinity import dissimilarity_matrix
from rl.experiments.branching.groupings import affinity_of_groups, partitions, spectral_clusters
from rl.experiments.branching.trees import grouping_cost
from rl.experiments.build import make_torsos
from rl.experiments.commands.branch import Config, groups_of
from rl.splitting import TaskOptimizers, load_maps
from tests.helpers import IDLE, column, refused, train
from tests.helpers_algos import make_spec
from tests.helpers_splitting import make_splitting_algo

ENV = ("--env", "PointMass-MT4", "--hidden_sizes", "8", "8", "--task_onehot", "false")
INDEPENDENT = (*ENV, "--network", "independent", "--steps_per_epoch", "80", "--epochs", "2")
FEW_PROBES = ("--probes", "40", "--episodes", "2")
SIZES = (3, 5, 4)


# Affinities ----------------------------------------------------------------------


def fan(*degrees):
    """Features `(probes, 3)` of which two correlate by the cosine of the angle between them."""
    first = np.array([1, -1, 0]) / np.sqrt(2)
    second = np.array([1, 1, -2]) / np.sqrt(6)
    angles = np.deg2rad(degrees)[:, None]
    return 5 + np.cos(angles) * first + np.sin(angles) * second


def test_dissimilarities_by_hand():
    features = np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0], [2.0, 4.0, 6.0], [0.0, 0.0, 0.0]])
    expected = [[0, 2, 0, 1], [2, 0, 2, 1], [0, 2, 0, 1], [1, 1, 1, 0]]
    np.testing.assert_allclose(dissimilarity_matrix(features), expected, atol=1e-12)


def test_dissimilarities_are_symmetric_and_heed_neither_scale_nor_shift():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(20, 7))
    matrix = dissimilarity_matrix(features)
    np.testing.assert_array_equal(matrix, matrix.T)
    assert (np.diag(matrix) == 0).all()
    scale = rng.uniform(0.1, 10, (20, 1))
    shift = rng.normal(size=(20, 1))
    np.testing.assert_allclose(dissimilarity_matrix(scale * features + shift), matrix, atol=1e-9)


def test_affinities_by_hand():
    """Of three probes: ranks (1, 3, 2) twice, whatever the distances, (2, 1, 3) and (3, 1, 2)."""
    features = np.stack([fan(0, 10, 40), fan(0, 1, 170), fan(0, 10, -5), fan(0, 30, 10)])
    expected = [[1, 1, -0.5, -1], [1, 1, -0.5, -1], [-0.5, -0.5, 1, 0.5], [-1, -1, 0.5, 1]]
    np.testing.assert_allclose(affinities(features), expected, atol=1e-12)


def test_networks_that_tell_no_probes_apart_are_like_no_other():
    features = np.stack([fan(0, 10, 40), fan(0, 0, 0), np.zeros((3, 3))])
    np.testing.assert_allclose(affinities(features), np.eye(3), atol=1e-12)


def test_affinities_are_of_representations():
    """1 on the diagonal, symmetric; 1 for the same features at another scale or in another order of
    units, near 1 for those turned about, and 0 for others."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 50))
    turn = np.linalg.qr(rng.normal(size=(50, 50)))[0]
    others = [3 * features, features[:, ::-1], features @ turn, rng.normal(size=(60, 50))]
    affinity = affinities(np.stack([features, *others]))
    np.testing.assert_array_equal(affinity, affinity.T)
    np.testing.assert_allclose(affinity[0, :3], 1, atol=1e-9)
    assert affinity[0, 3] > 0.9
    assert abs(affinity[0, 4]) < 0.1


# Groupings -----------------------------------------------------------------------


def planted(labels, inside=0.9, outside=0.1, noise=0.0, layers=1, seed=0):
    """Affinities `(layers, tasks, tasks)` of tasks that belong together by their labels."""
    labels = np.array(labels)
    rng = np.random.default_rng(seed)
    affinity = np.where(labels[:, None] == labels, inside, outside)
    affinity = affinity + noise * rng.normal(size=(layers, len(labels), len(labels)))
    affinity = np.clip((affinity + affinity.transpose(0, 2, 1)) / 2, -1, 0.99)
    affinity[:, np.arange(len(labels)), np.arange(len(labels))] = 1
    return affinity


def test_partitions():
    assert partitions(3) == [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (0, 1, 2)]
    assert [len(partitions(count)) for count in range(7)] == [1, 1, 2, 5, 15, 52, 203]


def test_cost_by_hand():
    dissimilarity = np.array([[0, 1, 2, 9], [1, 0, 4, 9], [2, 4, 0, 9], [9, 9, 9, 0]])
    assert grouping_cost((0, 1, 2, 3), dissimilarity) == 0
    assert grouping_cost((0, 0, 0, 1), dissimilarity) == 2  # (4 + 0) / 2
    assert grouping_cost((0, 0, 1, 1), dissimilarity) == 5  # (1 + 9) / 2
    assert grouping_cost((0, 1, 0, 2), dissimilarity) == pytest.approx(2 / 3)


def test_affinity_of_groups_by_hand():
    affinity = np.array([[1, 0.5, 0.2], [0.5, 1, 0.4], [0.2, 0.4, 1]])
    np.testing.assert_allclose(affinity_of_groups((0, 0, 1), affinity), [[1, 0.3], [0.3, 1]])


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_spectral_clusters_are_the_planted_blocks(noise):
    labels = (0, 1, 0, 2, 1, 0, 2, 2, 1, 0)
    affinity = planted(labels, noise=noise)[0]
    assert spectral_clusters(affinity, 3) == labels
    assert spectral_clusters(affinity, 1) == (0,) * 10
    assert spectral_clusters(affinity, 10) == tuple(range(10))


def test_spectral_clusters_of_things_that_have_nothing_in_common():
    assert max(spectral_clusters(np.eye(5), 3)) == 2


# The search ----------------------------------------------------------------------


def is_coarser(shallow, deep):
    """Whether tasks that share a deep layer share a shallow one."""
    return len(set(zip(shallow, deep))) == len(set(deep))


def every_tree(affinity, sizes, fixed):
    """Cost, parameters and groupings of all trees, by brute force."""
    num_tasks = affinity.shape[-1]
    for groups in itertools.product(partitions(num_tasks), repeat=len(sizes)):
        if all(is_coarser(*pair) for pair in zip(groups, groups[1:])):
            cost = 0.0
            for grouping, of_layer in zip(groups, affinity):
                cost += grouping_cost(grouping, 1 - of_layer)
            copies = [len(set(grouping)) for grouping in groups]
            yield cost, fixed + int(np.dot(copies, sizes)), groups


def random_affinity(layers, num_tasks, seed):
    rng = np.random.default_rng(seed)
    return planted(np.arange(num_tasks), noise=rng.uniform(0.1, 0.4), layers=layers, seed=seed)


@pytest.mark.parametrize("layers, num_tasks", [(1, 5), (2, 5), (3, 4), (3, 3), (2, 2)])
def test_of_all_trees_none_is_better(layers, num_tasks):
    sizes = SIZES[:layers]
    for seed in range(3):
        affinity = random_affinity(layers, num_tasks, seed)
        trees = list(every_tree(affinity, sizes, 2))
        for budget in np.linspace(2 + sum(sizes), 2 + num_tasks * sum(sizes), 5):
            found = find_trees(affinity, sizes, 2, budget, every=True)[-1]
            best = min(cost for cost, parameters, _ in trees if parameters <= budget)
            assert found.cost == pytest.approx(best, abs=1e-12)
            assert found[1:] in [tree[1:] for tree in trees]


def test_spectral_clustering_finds_the_best_tree_of_planted_blocks():
    """Through much noise, and whatever the budget."""
    for seed in range(10):
        affinity = planted((0, 1, 0, 1, 2), noise=0.25, layers=2, seed=seed)
        trees = list(every_tree(affinity, SIZES[:2], 0))
        for budget in (8, 24, 40):
            best = min(cost for cost, parameters, _ in trees if parameters <= budget)
            assert find_trees(affinity, SIZES[:2], 0, budget)[-1].cost == pytest.approx(best)


@pytest.mark.parametrize("num_tasks", [3, 4, 5])
def test_up_to_five_tasks_the_beam_leaves_out_no_better_tree(num_tasks):
    for seed in range(5):
        affinity = random_affinity(3, num_tasks, seed)
        for budget in (14, 20, 30):
            found = find_trees(affinity, SIZES, 2, budget)[-1]
            assert found == find_trees(affinity, SIZES, 2, budget, beam=10**6)[-1]


def test_a_beam_of_one_misses_trees_that_a_beam_of_ten_finds():
    affinity = random_affinity(3, 12, 0)
    costs = [find_trees(affinity, SIZES, 2, 60, beam)[-1].cost for beam in (1, 10, 100)]
    assert costs[0] > costs[1] == costs[2]


def test_all_groupings_rather_part_a_lone_task():
    """Which costs nothing: (0.3 + 0) / 2 is less than (0.2 + 0.2) / 2, though the blocks are
    there."""
    affinity = planted((0, 0, 1, 1), inside=0.8, outside=0.7)
    assert find_trees(affinity, (1,), 0, 2)[-1].groupings == ((0, 0, 1, 1),)
    lone = find_trees(affinity, (1,), 0, 2, every=True)[-1]
    assert sorted(np.bincount(lone.groupings[0])) == [1, 3]
    assert lone.cost == pytest.approx(0.15)


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("labels", [(0, 1, 0, 1), (0, 1, 1, 0, 2, 0, 2, 1, 2)])
def test_planted_blocks_are_found(labels, every):
    """All alike in the shallow layer, in blocks in the others."""
    alike = planted((0,) * len(labels), noise=0.02)
    affinity = np.concatenate([alike, planted(labels, noise=0.05, layers=2)])
    budget = 3 + (max(labels) + 1) * (5 + 4)
    tree = find_trees(affinity, SIZES, 0, budget, every=every)[-1]
    assert tree.groupings == ((0,) * len(labels), labels, labels)
    assert tree.parameters == budget


@pytest.mark.parametrize("every", [False, True])
@pytest.mark.parametrize("num_tasks", [4, 9])
def test_trees_are_nested_and_within_the_budget(num_tasks, every):
    for seed in range(4):
        affinity = random_affinity(3, num_tasks, seed)
        for budget in (14, 20, 37.5):
            trees = find_trees(affinity, SIZES, 2, budget, every=every)
            assert [tree.parameters for tree in trees] == sorted({tree[1] for tree in trees})
            assert [tree.cost for tree in trees] == sorted({tree[0] for tree in trees})[::-1]
            assert trees[-1].parameters <= budget
            for _, parameters, groups in trees:
                copies = [len(set(grouping)) for grouping in groups]
                assert parameters == 2 + np.dot(copies, SIZES)
                assert copies == sorted(copies)
                assert is_coarser(groups[0], groups[1]) and is_coarser(groups[1], groups[2])
                for grouping in groups:
                    assert list(dict.fromkeys(grouping)) == list(range(max(grouping) + 1))


@pytest.mark.parametrize("num_tasks", [3, 8])
def test_all_apart_only_where_the_budget_permits(num_tasks):
    affinity = random_affinity(3, num_tasks, 0)
    apart = (tuple(range(num_tasks)),) * 3
    whole = 2 + num_tasks * sum(SIZES)
    assert find_trees(affinity, SIZES, 2, whole)[-1] == (0, whole, apart)
    assert find_trees(affinity, SIZES, 2, whole - 1)[-1].groupings != apart
    least = find_trees(affinity, SIZES, 2, 2 + sum(SIZES))
    assert [tree.groupings for tree in least] == [((0,) * num_tasks,) * 3]
    with pytest.raises(ValueError, match="14 are the least"):
        find_trees(affinity, SIZES, 2, 13)


# Networks ------------------------------------------------------------------------


def test_features_are_each_networks_own():
    """Of an ensemble whose input ends with the task's code; by plain matrix products."""
    tf.keras.utils.set_random_seed(0)
    values = {"network": "independent", "hidden_sizes": (8, 6), "activation": "tanh"}
    net = make_torsos(values, make_spec(3)).make(1, members=2)
    net.build((3, None, 4))
    probes = np.random.default_rng(0).normal(size=(5, 4))
    first, second = features_of(net, probes)
    assert first.shape == (3, 5, 16)
    assert second.shape == (3, 5, 12)
    (kernel_0, bias_0), (kernel_1, bias_1), _ = net.expand()
    for member, task in np.ndindex(2, 3):
        code = np.tile(np.eye(3)[task], (5, 1))
        x = np.concatenate([probes, code], axis=1)
        x = np.tanh(x @ np.array(kernel_0[member, task]) + np.array(bias_0[member, task]))
        np.testing.assert_allclose(first[task, :, 8 * member : 8 * member + 8], x, atol=1e-5)
        x = np.tanh(x @ np.array(kernel_1[member, task]) + np.array(bias_1[member, task]))
        np.testing.assert_allclose(second[task, :, 6 * member : 6 * member + 6], x, atol=1e-5)


@pytest.mark.parametrize("layers, hidden", [("simba", 5), ("bronet", 5), ("dense", 2)])
def test_networks_that_are_alike_have_affinity_one_after_each_layer(layers, hidden):
    """And a network's features say which it is: that of the third task, which differs."""
    values = {"network": "independent", "hidden_sizes": (8, 8), "layers": layers}
    net = make_torsos(values | {"task_onehot": False}, make_spec(3)).make(2)
    net.build((3, None, 3))
    for variable in net.trainable_variables:
        value = np.array(variable)
        value[1] = value[0]
        variable.assign(value)
    features = features_of(net, np.random.default_rng(0).normal(size=(20, 3)))
    assert len(features) == hidden
    for of_layer in features:
        affinity = affinities(of_layer)
        assert affinity[0, 1] == pytest.approx(1, abs=1e-6)
        assert affinity[0, 2] < 0.999


def test_networks_with_the_same_start_are_alike_until_they_learn():
    tf.keras.utils.set_random_seed(0)
    values = {"network": "independent", "hidden_sizes": (8, 8), "task_onehot": False}
    probes = np.random.default_rng(0).normal(size=(20, 3))
    costs = []
    for same_start in (True, False):
        net = make_torsos({**values, "same_start": same_start}, make_spec(3)).make(2)
        net.build((3, None, 3))
        costs.append(branch_network([net], probes, Config(budget=1.0))["cost"])
    assert costs[0] == 0
    assert costs[1] > 0.1


def test_what_a_trunk_shares_stays_shared():
    """Its features are the same for all, so that copies would gain nothing."""
    tf.keras.utils.set_random_seed(0)
    values = {"network": "trunk", "task_layers": 2, "hidden_sizes": (8, 8), "task_onehot": False}
    net = make_torsos(values, make_spec(3)).make(2)
    net.build((3, None, 3))
    probes = np.random.default_rng(0).normal(size=(20, 3))
    found = branch_network([net], probes, Config(budget=9.0))
    np.testing.assert_array_equal(found["affinities"][0], np.ones((3, 3)))
    assert found["maps"] == [[0, 0, 0], [0, 1, 2], [0, 1, 2]]
    assert found["cost"] == 0


def make_independent(name, **flags):
    """The algorithm of this name for three tasks, each of which has networks of its own."""
    tf.keras.utils.set_random_seed(0)
    torsos = make_torsos({"network": "independent", "hidden_sizes": (8, 8)}, make_spec(3))
    algo_flags = ALGOS[name].flags(**flags)
    return ALGOS[name](make_spec(3), torsos, TaskOptimizers(num_tasks=3), algo_flags)


@pytest.mark.parametrize(
    "name, flags, regions",
    [
        ("sac", {}, {"LossPi": 3, "LossQ": 3}),
        ("ppo", {}, {"LossPi": 4, "LossV": 3}),
        ("ppo", {"share_torso": True}, {"Loss": 4}),
    ],
)
def test_maps_are_those_of_networks_that_split(name, flags, regions, tmp_path):
    """With a row for each of their regions, PPO's log std included, and as many parameters."""
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(30, 3)).astype(np.float32)
    act = rng.uniform(-1, 1, (30, 2)).astype(np.float32)
    networks = branch_networks(make_independent(name, **flags), obs, act, Config(budget=1.8))
    assert {loss: len(network["maps"]) for loss, network in networks.items()} == regions
    for network in networks.values():
        assert network["maps"][2] == [0, 1, 2]
        assert network["shared"] <= network["parameters"] <= 1.8 * network["shared"]
        assert network["trees"][-1]["parameters"] == network["parameters"]
        assert network["trees"][0]["parameters"] == network["shared"]
        assert np.max(network["maps"][:2]) > 0
    if flags:
        return
    path = tmp_path / "map.json"
    path.write_text(json.dumps({"networks": networks}), encoding="utf-8")
    branched = make_splitting_algo(name, split_map=str(path))
    assert branched.parameters() == sum(network["parameters"] for network in networks.values())
    banks = [region[0] for region in branched.actor.torso.regions]
    assert [np.array(bank.copy).tolist() for bank in banks] == networks["LossPi"]["maps"][:3]


# The command ---------------------------------------------------------------------


@pytest.fixture(scope="module", name="run")
def trained_run(tmp_path_factory):
    """A run of independent networks, which hasn't learned a thing."""
    return train(tmp_path_factory.mktemp("data"), *INDEPENDENT, *IDLE, "--obs_norm")


def branch(capsys, run, out, *argv):
    """What it prints."""
    capsys.readouterr()
    assert main(["branch", str(run), "-o", str(out), *FEW_PROBES, *argv]) == 0
    return capsys.readouterr().out.splitlines()


def test_from_a_run_to_networks_that_train(run, tmp_path, capsys):
    out = tmp_path / "new" / "map.json"
    lines = branch(capsys, run, out, "--budget", "1.7")
    report = json.loads(out.read_text())
    assert report["tasks"] == ["east", "east-north", "west", "west-south"]
    assert report["probes"] == 40
    assert report["step"] == 160
    assert set(load_maps(str(out), ("LossPi", "LossQ"))) == {"LossPi", "LossQ"}
    for network in report["networks"].values():
        assert np.shape(network["affinities"]) == (2, 4, 4)
    actor = report["networks"]["LossPi"]
    assert lines[0].startswith(f"Pi: cost {actor['cost']:.3f}, {actor['parameters']} parameters")
    shown = " | ".join(groups_of(actor["maps"][1], report["tasks"]))
    copies = max(actor["maps"][1]) + 1
    assert lines[2] == f"  kernel_1: {copies} of {actor['layers'][1]['size']}: {shown}"
    assert lines[3] == "  kernel_2: each task's own"
    argv = shlex.split(lines[-1])
    argv = argv[argv.index("--algo") :]
    assert "splitting" in argv
    # It learns, by the run's flags but for when.
    more = ("--data_dir", str(tmp_path), "--exp_name", "y", "--update_after", "40")
    assert main([*argv, *more, "--epochs", "1", "--overwrite"]) == 0
    branched = tmp_path / "y" / "y_s0"
    total = sum(network["parameters"] for network in report["networks"].values())
    assert column(branched, "Parameters") == [total]
    assert np.isfinite(column(branched, "LossQ")).all()
    assert main(["plot", "--splits", str(out), "-o", str(tmp_path / "tree.png")]) == 0
    assert (tmp_path / "tree.png").stat().st_size > 1000


def test_same_seed_same_bytes(run, tmp_path, capsys):
    branch(capsys, run, tmp_path / "a.json")
    branch(capsys, run, tmp_path / "b.json")
    branch(capsys, run, tmp_path / "c.json", "--seed", "1")
    first = (tmp_path / "a.json").read_bytes()
    assert first == (tmp_path / "b.json").read_bytes()
    assert first != (tmp_path / "c.json").read_bytes()


@pytest.mark.parametrize(
    "argv, words",
    [
        (("--budget", "0.9"), "--budget must be at least 1, got 0.9"),
        (("--probes", "200", "--episodes", "2"), "needs 50 steps of each task, and --episodes 2"),
        (("--out", "map.png"), "--out must be a file that ends with .json, got map.png"),
        (("--checkpoint", "7"), "no sound checkpoint '7'"),
        (("--budgets", "2"), "unknown flag --budgets"),
    ],
)
def test_bad_flags_are_refused(run, capsys, monkeypatch, tmp_path, argv, words):
    monkeypatch.chdir(tmp_path)
    assert words in refused(capsys, "branch", run, *argv)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"network": "multi_head"}, "branch is for --network independent"),
        ({"network": "trunk", "task_layers": 1}, "branch is for --network independent"),
        ({"env": "antigravity:Env-v0"}, "if you trust who made it, add --trust"),
    ],
)
def test_runs_that_it_is_not_for_are_refused(run, capsys, tmp_path, changes, words):
    config = json.loads((run / "config.json").read_text())
    if changes.get("network") == "multi_head":
        del config["same_start"]  # which it hasn't
    (tmp_path / "config.json").write_text(json.dumps(config | changes), encoding="utf-8")
    assert words in refused(capsys, "branch", tmp_path)


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"tasks": [], "networks": {"LossPi": {}}}', '{"tasks": ["a"]}']
)
def test_what_is_no_map_is_not_drawn(capsys, tmp_path, text):
    (tmp_path / "map.json").write_text(text, encoding="utf-8")
    line = refused(capsys, "plot", "--splits", tmp_path / "map.json", "-o", tmp_path / "x.png")
    assert "is not a map that branch has written" in line
