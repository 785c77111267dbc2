"""Networks that change while they train: small ones, and a regression that they learn."""

import json

import numpy as np
import tensorflow as tf

from rl import gradients
from rl.__main__ import main
from rl.algos import ALGOS
from rl.algos.common import Burst
from rl.experiments.build import make_torsos
from rl.files import check_tree, load_tree, save_tree
from rl.spec import RolloutBatch
from rl.splitting import TaskOptimizers
from rl.training.run import VARYING
from tests.helpers import rows, stopped_earlier, train
from tests.helpers_algos import make_spec, make_updates
from tests.helpers_splitting import owner

D = 3
ENV = ("--env", "PointMass-MT4", "--lr_schedule", "constant")


def make_net(num_tasks=3, members=None, critic=False, seed=0, **flags):
    """A torso with one output for tasks that their input doesn't name, built."""
    tf.keras.utils.set_random_seed(seed)
    values = {"hidden_sizes": (8, 8), "task_onehot": False} | flags
    torsos = make_torsos(values, make_spec(num_tasks))
    net = torsos.make(1, critic=critic, members=members)
    net.build((num_tasks, None, D))
    return net, torsos.options


def give_weights(net, source):
    """Gives `net` what `source` has trained, which may have an axis of one copy where `net` has
    none."""
    for variable, value in zip(net.trainable_variables, source.trainable_variables, strict=True):
        variable.assign(tf.reshape(value, variable.shape))


class Regression:
    """A network of several tasks, and its target network. A task's targets are the size of one of
    the observation's numbers, whose place `features` has; a layer of two units is enough for one of
    them, and too little for two."""

    def __init__(self, features, gradient="sum", lr=3e-3, seed=0, **flags):
        self.features = features
        count = len(features)
        self.net, options = make_net(count, seed=seed, **flags)
        self.targ, _ = make_net(count, seed=seed, **flags)
        self.targ.set_weights(self.net.get_weights())
        optimizers = TaskOptimizers(
            balancing=gradients.Config(gradient=gradient), num_tasks=count, changes=options
        )
        self.opt = optimizers.make(lr, owner(self.net), owner(self.targ))
        self.watch = self.opt.watches["LossQ"]
        self.burst = Burst(tf.function(self.train_step, autograph=False))
        self.rng = np.random.default_rng(seed)

    def train_step(self, batch, update):
        return self.opt.minimise(lambda: self.loss(batch.obs, batch.ret), update)

    def loss(self, obs, ret):
        loss = tf.reduce_mean((self.net(obs)[..., 0] - ret) ** 2, axis=-1)
        return loss, {"LossQ": loss}

    def train(self, updates, burst=20):
        """The task losses after it, of the last update."""
        for _ in range(updates // burst):
            obs = self.rng.normal(size=(burst, len(self.features), 16, D)).astype(np.float32)
            ret = np.stack([abs(obs[:, t, :, k]) for t, k in enumerate(self.features)], axis=1)
            batches = RolloutBatch(obs=obs, act=ret, log_prob=ret, adv=ret, ret=ret)
            info = self.burst(batches, make_updates(burst, self.rng), burst)
            self.opt.after(burst)
        return info["LossQ"][-1]


def make_changing_algo(name, **flags):
    """The algorithm with this name for three tasks, with a network that changes."""
    tf.keras.utils.set_random_seed(0)
    torsos = make_torsos({"hidden_sizes": (8, 8)} | flags, make_spec(3))
    optimizers = TaskOptimizers(num_tasks=3, changes=torsos.options)
    return ALGOS[name](make_spec(3), torsos, optimizers)


def check_is_restored(tmp_path, algo, fresh):
    """What `algo` saves, a new one of its kind takes for its own, and has."""
    save_tree(tmp_path / "state.npz", {"algo": algo.state()})
    saved = load_tree(tmp_path / "state.npz")
    check_tree(saved, {"algo": fresh.state()}, VARYING)
    fresh.load_state(saved["algo"])
    assert fresh.splits() == algo.splits()


def structure_of(run):
    return json.loads((run / "splits.json").read_text())


def check_resumes(tmp_path, algo, *flags):
    """Stopped after two epochs of four and resumed, it ends as if it hadn't been, what was decided
    included. Returns the resumed run."""
    whole = train(tmp_path / "whole", *ENV, *flags, "--epochs", "4", "--keep", "9", algo=algo)
    part = stopped_earlier(whole, tmp_path / "part", 2)
    early = structure_of(part)
    assert main(["resume", str(part)]) == 0
    assert rows(part) == rows(whole)
    assert structure_of(part) == structure_of(whole) != early
    return part


def check_is_drawn(tmp_path, run):
    """What a run decided is in a picture and in a page."""
    picture = tmp_path / "structure.png"
    assert main(["plot", "--structure", str(run), "-o", str(picture)]) == 0
    assert picture.stat().st_size > 10_000
    page = tmp_path / "report.html"
    assert main(["report", str(run), "-o", str(page)]) == 0
    assert ">Structure<" in page.read_text(encoding="utf-8")


def check_is_exported(tmp_path, run):
    """The policy acts without this package."""
    export = str(tmp_path / "policy")
    assert main(["eval", str(run), "--episodes", "2", "--export", export]) == 0
    policy = tf.saved_model.load(export)
    assert policy.act(tf.zeros((4, 3, 4))).shape == (4, 3, 2)
