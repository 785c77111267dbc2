"""Observations that are images, from an env to the gradient."""

import dataclasses
import inspect

import gymnasium as gym
import numpy as np
import pytest
import tensorflow as tf

import rl
import rl.flags.torsos
import rl.networks
from rl.config import UserError, flag
from rl.networks.layers import Torso
from tests.helpers import column, refused


class Lamp(gym.Env):
    """A picture whose left or right half is lit; the action is to say which."""

    observation_space = gym.spaces.Box(0, 255, (8, 8, 1), np.uint8)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.side = int(self.np_random.integers(2))
        picture = np.zeros((8, 8, 1), np.uint8)
        picture[:, 4 * self.side : 4 * self.side + 4] = 255
        return picture, {}

    def step(self, action):
        reward = float(action == self.side)
        return self.reset()[0], reward, True, False, {}


@dataclasses.dataclass(frozen=True)
class ConvFlags:
    filters: int = flag(4, "of the convolution", low=1)


class Conv(Torso):
    """A convolution and a dense layer."""

    def build(self, input_shape):
        self.convolution = tf.keras.layers.Conv2D(self.config.filters, 4, 4, activation="relu")
        self.convolution.build((None, *input_shape[-3:]))
        self.head = tf.keras.layers.Dense(self.sizes[-1])
        self.head.build((None, 4 * self.config.filters))
        self.built = True

    def call(self, x):
        x = self.convolution(tf.cast(x, tf.float32) / 255)
        return self.head(tf.reshape(x, (-1, 4 * self.config.filters)))


@pytest.fixture(name="conv", scope="module", autouse=True)
def fixture_conv():
    """Registered for the tests of this file alone."""
    rl.networks.register("conv", Conv, ConvFlags, images=True)
    yield
    del rl.networks.NETWORKS["conv"]
    del rl.flags.torsos.NETWORKS["conv"]


FLAGS = {
    "obs_norm": False,
    "rollout_steps": 32,
    "batch_size": 32,
    "num_envs": 4,
    "steps_per_epoch": 512,
    "tensorboard": False,
}


def test_ppo_learns_from_images(tmp_path):
    """Chance is 0.5."""
    run = rl.train(
        algo="ppo",
        env=Lamp,
        network="conv",
        filters=3,
        lr=1e-2,
        epochs=4,
        data_dir=tmp_path,
        **FLAGS
    )
    returns = column(run.path, "AverageTestEpRet")
    assert returns[-1] == 1
    agent = rl.load(run.path, env=Lamp)
    picture = np.zeros((8, 8, 1), np.uint8)
    picture[:, 4:] = 255
    assert agent.act(picture) == 1
    assert agent.act(np.stack([picture, picture[:, ::-1]])).tolist() == [1, 0]


def test_it_takes_few_lines():
    """What images need beside the package."""
    parts = (Lamp, ConvFlags, Conv)
    assert sum(len(inspect.getsource(part).splitlines()) for part in parts) <= 40


@pytest.mark.parametrize(
    "flags, words",
    [
        ({"network": "mlp", "algo": "ppo"}, "--network mlp takes flat observations"),
        ({"network": "conv", "algo": "ppo", "env": "PointMass-MT4"}, "is for a single task"),
    ],
)
def test_networks_that_do_not_fit_are_refused(tmp_path, flags, words):
    with pytest.raises(UserError, match=words):
        rl.train(**({"env": Lamp} | FLAGS | flags), data_dir=tmp_path)


def test_networks_of_several_tasks_take_no_single_one(capsys, tmp_path):
    words = "--network paco is for several tasks, and this env has one"
    assert words in refused(
        capsys, "--env", "Pendulum", "--network", "paco", "--data_dir", tmp_path
    )
