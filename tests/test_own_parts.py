"""Networks and gradient methods that are registered from outside."""

import dataclasses
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

import rl.flags
from rl import gradients, networks
from rl.__main__ import main
from rl.config import flag
from rl.experiments.commands.training_flags import parse
from rl.files import load_tree
from tests.helpers import refused, train

SCRIPT = Path(__file__).parent / "own_network.py"


@pytest.fixture(name="mine")
def fixture_mine():
    """The network of SCRIPT, known during a test."""
    runpy.run_path(str(SCRIPT))
    yield "mine"
    del networks.NETWORKS["mine"], rl.flags.NETWORKS["mine"]


def test_thirty_lines_make_a_network():
    assert len(SCRIPT.read_text().splitlines()) <= 30


def test_it_passes_the_conformance_tests():
    """All of those that the package's own networks pass; in a process of their own, since the table
    is made when they are imported."""
    table = str(Path(__file__).parent / "test_task_networks.py")
    chosen = ["-p", "tests.own_network", "-m", "not slow", "-k", "mine"]
    argv = [sys.executable, "-m", "pytest", "-q", *chosen, table]
    done = subprocess.run(argv, cwd=SCRIPT.parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 20


def test_a_network_trains_and_resumes_by_its_own_flags(mine, tmp_path):
    argv = ("--env", "PointMass-MT4", "--network", mine, "--mine_width", "8", "--epochs", "1")
    run = train(tmp_path, *argv, "--num_test_episodes", "0")
    assert main(["resume", str(run), "--epochs", "2"]) == 0
    config = json.loads((run / "config.json").read_text())
    assert config["mine_width"] == 8 and "experts" not in config
    first, last = (load_tree(path) for path in sorted((run / "checkpoints").glob("step_*.npz")))
    kernels = [tree["algo"]["variables"]["actor"][0] for tree in (first, last)]
    assert kernels[0].shape == (1, 8, 8)  # of 4 observations and 4 tasks
    assert (kernels[0] != kernels[1]).any()


def test_its_flags_are_in_help_and_hints(mine, capsys):
    with pytest.raises(SystemExit):
        main(["--network", mine, "--help"])
    shown = capsys.readouterr().out
    assert "--mine_width" in shown and "units of its one hidden layer" in shown
    told = refused(capsys, "--network", "film", "--mine_width", "8")
    assert "--network mine has it, film has not" in told


def test_what_is_taken_is_refused(mine):
    for name in (mine, "mlp"):
        with pytest.raises(ValueError, match=f"there is a network '{name}' already"):
            networks.register(name, networks.NETWORKS[mine])
    with pytest.raises(ValueError, match="there is a gradient method 'sum' already"):
        gradients.register("sum", gradients.Balancer)
    assert networks.NETWORKS["mlp"] is not networks.NETWORKS[mine]


@dataclasses.dataclass(frozen=True)
class FirstFlags:
    """The flags of First."""

    first_weight: float = flag(2.0, "weight of the first task", above=0)


class First(gradients.Balancer):
    """The first task counts more."""

    needs_gram = False

    def weights(self, losses, gram, share, seed):
        return tf.concat([[self.config.first_weight], tf.ones_like(losses[1:])], axis=0)


def test_a_gradient_method_of_ones_own(monkeypatch):
    monkeypatch.setitem(rl.flags.GRADIENTS, "first", None)  # both are gone after the test
    monkeypatch.setitem(gradients.GRADIENTS, "first", None)
    del rl.flags.GRADIENTS["first"]
    gradients.register("first", First, FirstFlags)
    values = parse(["--env", "MT10", "--gradient", "first", "--first_weight", "3"])
    assert values["first_weight"] == 3
    method = gradients.make_balancer(3, gradients.Config("first"), FirstFlags(3.0))
    assert method.weights(tf.zeros(3), None, None, None).numpy().tolist() == [3, 1, 1]
    usual = gradients.make_balancer(3, gradients.Config("first"))
    assert usual.weights(tf.zeros(3), None, None, None).numpy().tolist() == [2, 1, 1]
