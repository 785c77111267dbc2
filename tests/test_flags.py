"""The tables of names that flags know are those of the parts they configure."""

import subprocess
import sys

import pytest

from rl import flags
from rl.algos import ALGOS
from rl.algos.value_losses import VALUE_LOSSES
from rl.config import UserError
from rl.envs.visits import Visits
from rl.flags.network import Config, check_network
from rl.flags.torsos import NetworkFlags
from rl.gradients import GRADIENTS
from rl.gradients.optimizer import OPTIMIZERS
from rl.networks import ACTIVATIONS, INITIALIZERS, LAYOUTS, NETWORKS
from rl.splitting import CRITERIA
from rl.splitting.lagged import LaggedEvidence
from rl.training import LOOPS


@pytest.mark.parametrize(
    "names, table",
    [
        (flags.run.ALGOS, ALGOS),
        (flags.ALGORITHMS, ALGOS),
        (flags.optimizer.OPTIMIZERS, OPTIMIZERS),
        (flags.GRADIENTS, GRADIENTS),
        (flags.NETWORKS, NETWORKS),
        (flags.network.ACTIVATIONS, ACTIVATIONS),
        (flags.network.INITIALIZERS, INITIALIZERS),
        (flags.network.LAYOUTS, LAYOUTS),
        (flags.critic.LOSSES, VALUE_LOSSES),
        (flags.splitting.CRITERIA, {"lagged": LaggedEvidence, **CRITERIA}),
        (flags.splitting.BY_UPDATES, [n for n, made in CRITERIA.items() if not made.by_block]),
        (flags.splitting.OF_HALVES, [n for n, made in CRITERIA.items() if made.halves]),
        (flags.gradients.CRITIC_ONLY, [n for n, made in GRADIENTS.items() if made.critic_only]),
    ],
)
def test_names_are_those_of_the_parts(names, table):
    assert sorted(names) == sorted(table)


def test_every_order_of_visits_is_known():
    for order in flags.training.ORDERS[1:]:
        assert 0 <= Visits(order, 3, 2).task(seed=0, env=1, number=5) < 3


@pytest.mark.parametrize("name", sorted(ALGOS))
def test_an_algorithm_has_the_flags_it_is_listed_with(name):
    listed = flags.ALGORITHMS[name]
    assert listed.config is ALGOS[name].flags
    assert listed.loop is LOOPS[ALGOS[name].loop].flags


@pytest.mark.parametrize("network", ["modular", "mtan", "splitting_moore"])
def test_networks_that_need_a_hidden_layer(network):
    for sizes in ({"hidden_sizes": ()}, {"hidden_sizes": (), "actor_sizes": (8,)}):
        with pytest.raises(UserError, match=f"--network {network} needs a hidden layer"):
            check_network(Config(network=network, **sizes), num_tasks=2)
    check_network(Config(network="film", hidden_sizes=()), num_tasks=2)


def test_images_are_for_networks_that_take_them(monkeypatch):
    monkeypatch.setitem(flags.NETWORKS, "images", NetworkFlags(images=True))
    check_network(Config(network="images"), num_tasks=2, obs_shape=(4, 4, 3))
    check_network(Config(network="film"), num_tasks=2)
    words = "--network film takes flat observations, and this env's are images"
    with pytest.raises(UserError, match=words):
        check_network(Config(network="film"), num_tasks=2, obs_shape=(4, 4, 3))


def test_flags_import_no_tensorflow():
    code = "import sys, rl.flags; sys.exit(any('tensorflow' in name for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
