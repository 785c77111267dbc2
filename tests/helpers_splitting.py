"""Splitting networks that learn toy tasks, and what every split must satisfy."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import tensorflow as tf

from rl import gradients
from rl.__main__ import main
from rl.algos import ALGOS
from rl.algos.common import Burst
from rl.experiments.build import make_torsos
from rl.gradients.optimizer import Config as OptimizerConfig
from rl.networks.groups import Group
from rl.spec import RolloutBatch
from rl.splitting import TaskOptimizers
from tests.helpers import column, rows, stopped_earlier, train
from tests.helpers_algos import act, make_spec, make_updates, splitters_of, task_batches

ENV = ("--env", "PointMass-MT4", "--network", "splitting")
# splits often, on noise
EAGER = ("--split_criterion", "conflict", "--split_z", "0", "--split_every", "10")
EAGER += ("--split_block", "1", "--split_min_blocks", "4")


class Toy:
    """Regression by a splitting network without the task in its input, and a target network beside
    it.

    signs: what each task multiplies the targets by; tasks with other signs are at odds.
    """

    # splits on evidence
    flags = {
        "network": "splitting",
        "split_start": "shared",
        "split_warmup": 200,
        "split_every": 100,
    }

    def __init__(self, signs, gradient="sum", sizes=(8, 8, 1), members=None, opt=None, **flags):
        tf.keras.utils.set_random_seed(0)
        values = self.flags | {"hidden_sizes": sizes[:-1], "task_onehot": False} | flags
        torsos = make_torsos(values, make_spec(len(signs)))
        self.net = torsos.make(sizes[-1], members=members)
        self.targ = torsos.make(sizes[-1], members=members)
        for net in (self.net, self.targ):
            net.build((len(signs), None, 3))
        self.targ.set_weights(self.net.get_weights())
        optimizers = TaskOptimizers(
            OptimizerConfig(**(opt or {})),
            gradients.Config(gradient=gradient),
            num_tasks=len(signs),
            changes=torsos.options,
        )
        self.opt = optimizers.make(3e-3, owner(self.net), owner(self.targ))
        self.splitter = self.opt.watches["LossQ"]
        self.burst = Burst(tf.function(self.train_step, autograph=False))
        self.first = [np.array(v) for v in self.variables]
        self.first_state = copy.deepcopy(self.splitter.state())
        self.restart(signs, 0)

    @property
    def variables(self):
        return [*self.net.variables, *self.opt.variables]

    def restart(self, signs, seed):
        """As new, with other weights."""
        self.signs = np.array(signs, np.float32)
        self.rng = np.random.default_rng(seed)
        for variable, value in zip(self.variables, self.first):
            variable.assign(value)
        for bank in (region[0] for region in self.net.regions):
            value = np.array(bank.variable)
            value[:] = self.rng.permutation(value[:1].ravel()).reshape(value[:1].shape)
            bank.variable.assign(value)
        self.splitter.load_state(copy.deepcopy(self.first_state))

    def train_step(self, batch, update):
        return self.opt.minimise(lambda: self.loss(batch.obs, batch.ret), update)

    def loss(self, obs, ret):
        """Mean squared errors, those of members added up."""
        error = (self.net(obs)[..., 0] - ret) ** 2
        of_members = tf.reshape(tf.reduce_mean(error, axis=-1), (-1, len(self.signs)))
        loss = tf.reduce_sum(of_members, axis=0)
        return loss, {"LossQ": loss}

    def train(self, updates, burst=20):
        """The task losses after it."""
        for _ in range(updates // burst):
            obs = self.rng.normal(size=(burst, len(self.signs), 16, 3)).astype(np.float32)
            ret = self.signs[:, None] * (obs[..., 0] + 0.5 * obs[..., 1] * obs[..., 2])
            batches = RolloutBatch(obs=obs, act=ret, log_prob=ret, adv=ret, ret=ret)
            info = self.burst(batches, make_updates(burst, self.rng), burst)
            self.opt.after(burst)
        return info["LossQ"][-1]

    def inputs(self):
        """Some, the same each time."""
        obs = np.random.default_rng(1).normal(size=(len(self.signs), 5, 3))
        return tf.constant(obs, tf.float32)


def network_of(by_unit):
    """The network whose regions are units, or layers."""
    return "sparse_splitting" if by_unit else "splitting"


def owner(net):
    """What an optimiser needs to know of the network whose loss is LossQ."""
    return SimpleNamespace(
        groups={"LossQ": Group((net,))}, trainable_variables=net.trainable_variables
    )


def make_splitting_algo(
    name, network="splitting", split_map="", seed=0, std=None, split_weights=False, **flags
):
    """The algorithm with this name, for three tasks, whose networks split every four updates.

    flags: of splits.
    """
    tf.keras.utils.set_random_seed(seed)
    values = {"split_criterion": "conflict", "split_z": 0.0, "split_every": 4, "split_warmup": 4}
    values |= {"split_block": 1, "split_min_blocks": 2, "hidden_sizes": (8, 8)} | flags
    values |= {"network": network, "split_map": split_map, "split_weights": split_weights}
    torsos = make_torsos(values, make_spec(3))
    optimizers = TaskOptimizers(num_tasks=3, changes=torsos.options, split_map=split_map)
    algo_flags = ALGOS[name].flags(**({"std": std} if std else {}))
    return ALGOS[name](make_spec(3), torsos, optimizers, algo_flags)


def banks_of(net):
    return [bank for region in net.torso.regions for bank in region]


def check_splits(algo, name):
    """Each network of `algo` splits; targets split with them; one trace."""
    for k in range(6):
        info = algo.update(*task_batches(name, 8, seed=k), 8)
    splitters = splitters_of(algo)
    assert set(splitters) == ({"LossPi", "LossV"} if name == "ppo" else {"LossPi", "LossQ"})
    for splitter in splitters.values():
        assert splitter.events
        assert splitter.sharing < 1
        assert splitter.updates == 48
    assert info["PiSharing"][-1] == splitters["LossPi"].sharing
    assert "PiSharing" in algo.columns
    if name != "ppo":
        for bank, target in zip(banks_of(algo.q), banks_of(algo.q_targ), strict=True):
            np.testing.assert_array_equal(bank.copy, target.copy)
    assert algo.burst.compiled.experimental_get_tracing_count() == 1
    obs = np.random.default_rng(0).normal(size=(3, 4, 3)).astype(np.float32)
    algo.refresh()
    np.testing.assert_allclose(act(algo.policy, obs), algo.actor(obs), rtol=1e-4, atol=1e-5)


def splits_of(run):
    return json.loads((run / "splits.json").read_text())


def train_in_two(tmp_path, args, algo):
    """Stopped after two epochs of four and resumed, it ends as if it hadn't been, splits included;
    eval and export work.

    Returns the resumed run.
    """
    whole = train(tmp_path / "whole", *args, "--epochs", "4", "--keep", "9", algo=algo)
    part = stopped_earlier(whole, tmp_path / "part", 2)
    early = splits_of(part)
    assert main(["resume", str(part)]) == 0
    assert rows(part) == rows(whole)
    late = splits_of(part)
    assert late == splits_of(whole) != early
    assert all(network["events"] for network in late["networks"].values())
    scores = column(part, "PiSharing")
    assert scores[-1] < 1
    assert scores == sorted(scores, reverse=True)
    assert main(["eval", str(part), "--episodes", "2", "--export", str(tmp_path / "policy")]) == 0
    policy = tf.saved_model.load(str(tmp_path / "policy"))
    assert policy.act(tf.zeros((4, 3, 4))).shape == (4, 3, 2)
    return part
