"""Runs with residual blocks, distributions of values and recipes: stopped or killed between splits
and resumed, they end as if they had not been."""

import json

import numpy as np
import pytest

from rl.__main__ import main
from rl.experiments.build import make_algo
from rl.experiments.commands.training_flags import parse
from rl.files import load_tree
from rl.training.checkpoint import Checkpoints
from tests.helpers import IDLE, command, rows, train, train_killed
from tests.helpers_algos import make_spec, splitters_of
from tests.helpers_splitting import ENV, train_in_two

SPLITS = ("--split_criterion", "v2", "--split_warmup", "4", "--split_every", "20")
SPLITS += ("--split_start", "shared")
SMALL = ("--actor_sizes", "8", "--critic_sizes", "8", "--updates_per_step", "1")
REPLAY = ("--replay", "prioritised", "--n_step", "3")
CASES = {
    "simba": ("td3", "--layers simba"),
    "bronet": ("ddpg", "--layers bronet --split_biases"),
    "c51": ("ddpg", "--critic_loss c51 --atoms 11"),
    "two_hot": ("sac", "--critic_loss two_hot --critic_reduce mean"),
    "hl_gauss": ("td3", "--critic_loss hl_gauss --v_min -2 --v_max 2"),
    "reduce": ("td3", "--critic_reduce mean"),
    "alpha": ("sac", "--shared_alpha --target_entropy -0.5"),
    "embedding": ("ddpg", "--critic_embedding 3 --task_onehot false"),
    "largest": ("sac", "--rew_norm --rew_norm_by max --max_ep_len 70"),
    "visits": ("sac", "--rew_norm --rew_norm_by max --visit random --num_envs 2"),
    "brc": ("sac", "--preset brc"),
    "simba preset": ("sac", "--preset simba"),
    "metaworld_plus": ("sac", "--preset metaworld_plus"),
}


def flags_of(case):
    """The algorithm, and the flags of a small run with splits."""
    algo, flags = CASES[case]
    return algo, (*flags.split(), *ENV, *SPLITS, *SMALL)


def make(case, seed):
    """The case's algorithm, for three tasks."""
    algo, args = flags_of(case)
    return make_algo(parse(command(*args, algo=algo)) | {"seed": seed}, make_spec(3))


@pytest.mark.parametrize("case", ["simba", "embedding", "brc"])
def test_state_has_every_variable_and_split(case):
    first = make(case, 0)
    for splitter in splitters_of(first).values():
        splitter.split(0, (0, 2), np.array([False, False, True]), 1.0)
    second = make(case, 1)
    assert second.splits() != first.splits()
    second.load_state(first.state())
    assert second.splits() == first.splits()
    for name in first.saved:
        pairs = zip(getattr(first, name).variables, getattr(second, name).variables, strict=True)
        for variable, other in pairs:
            np.testing.assert_array_equal(variable, other)


def test_the_largest_return_goes_on_within_an_episode(tmp_path):
    """The first of two epochs ends there, and the run with it."""
    args = ("--rew_norm", "--rew_norm_by", "max", "--max_ep_len", "70", *IDLE)
    whole = train(tmp_path / "whole", *args, "--epochs", "2")
    part = train(tmp_path / "part", *args, "--epochs", "1")
    assert main(["resume", str(part), "--epochs", "2"]) == 0
    states = [load_tree(Checkpoints(run).path(400))["normaliser"] for run in (whole, part)]
    assert len(states[0]["largest"]) == 4
    for key, value in states[0]["largest"].items():
        np.testing.assert_array_equal(value, states[1]["largest"][key])


@pytest.mark.slow
def test_everything_at_once_resumes_exactly(tmp_path):
    """The recipe with the most flags; eval and export, too."""
    algo, args = flags_of("brc")
    train_in_two(tmp_path, args, algo)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_runs_survive_a_kill(tmp_path, case):
    algo, args = flags_of(case)
    args = (*args, "--epochs", "6", "--steps_per_epoch", "400", "--split_every", "200")
    args += () if "--visit" in args else REPLAY
    whole = train(tmp_path / "whole", *args, algo=algo)
    run = train_killed(tmp_path, *args, algo=algo, count=2)
    early = json.loads((run / "splits.json").read_text(encoding="utf-8"))["networks"]
    assert main(["resume", str(run)]) == 0
    assert rows(run) == rows(whole)
    assert (run / "splits.json").read_bytes() == (whole / "splits.json").read_bytes()
    late = json.loads((run / "splits.json").read_text(encoding="utf-8"))["networks"]
    for name, network in late.items():
        assert 0 < len(early[name]["events"]) < len(network["events"]), name
