"""The inner step of MAML by `with_params`, in a loop whose updates take two rollouts."""

import inspect

import numpy as np
import tensorflow as tf

from rl import envs, training
from rl.algos.ppo import PPO
from rl.buffers.normaliser import Normaliser
from rl.spec import RolloutBatch, map_fields
from rl.training.evaluate import evaluate
from rl.training.on_policy import Config, OnPolicy
from rl.training.policy import EnvPolicy
from rl.training.schedule import Config as ScheduleConfig
from rl.training.schedule import Schedule
from tests.helpers_algos import make_algo


class Adapting(OnPolicy):
    """Of two rollouts the first adapts the parameters that all tasks share to each task, by one
    step down the gradient of its loss; the adapted policies collect the second, by which the shared
    parameters learn. Tests are played by the adapted policies, too.

    Finn et al., 2017, eq. 1: https://arxiv.org/abs/1703.03400
    """

    inner_lr = 1.0
    adapted = None

    def policy_to_collect(self):
        return self.adapted or self.algo.policy

    def policy_to_test(self):
        return self.newest

    def learn(self, ended):
        if not self.rollout.full:
            return
        if self.adapted is None:
            self.adapted = self.newest = self.adapt()
            self.rollout.clear()
        else:
            self.update()
            self.adapted = None

    def adapt(self):
        """The policy with parameters of each task's own: all have the axis of tasks in front."""
        data, _ = self.algo.prepare(self.rollout)
        batch = map_fields(tf.constant, RolloutBatch(**data))
        with tf.GradientTape() as tape:
            losses, _ = self.algo.loss(batch)
        gradients = tape.jacobian(losses, self.algo.actor.trainable_variables)
        params = [v - self.inner_lr * g for v, g in zip(self.algo.policy.params, gradients)]
        return self.algo.policy.with_params([param.numpy() for param in params])


def make_adapting(directory, epochs=1, steps_per_epoch=32000):
    env = envs.make("PointMass-MT4", 100)
    algo = make_algo(PPO, spec=env.spec, sizes=(32,), gamma=0.7, log_std=-0.5)
    frame = training.Config(epochs=epochs, steps_per_epoch=steps_per_epoch, num_test_episodes=20)
    tests = envs.make("PointMass-MT4", 20)
    schedule = Schedule(ScheduleConfig())
    session = training.Session(directory, algo, tests, frame, 0, Normaliser(env.spec), schedule)
    return Adapting(algo, env, Config(rollout_steps=40, batch_size=1000), session)


def returns(loop, policy):
    """Mean return of each task in test episodes from the same states."""
    env = loop.session.test_env
    acting = EnvPolicy(policy, env, loop.session.normaliser)
    return evaluate(acting, env, 20, seed=7)["EpRet"].mean(axis=1)


def test_adapted_policies_earn_more(tmp_path):
    """Each task does by its own step better than by the parameters that all share, and better than
    by the step of a task that goes the other way."""
    loop = make_adapting(tmp_path)
    while loop.adapted is None:
        loop.learn(loop.collect())
    shared = returns(loop, loop.algo.policy)
    gained = returns(loop, loop.policy_to_test()) - shared
    assert gained.min() > 0 and gained.mean() > 1
    others = [array[::-1] for array in loop.adapted.params]
    assert (returns(loop, loop.algo.policy.with_params(others)) < shared).all()


def test_gradients_are_those_of_each_task_alone(tmp_path):
    """The step of task 2, by the loss of task 2 alone."""
    loop = make_adapting(tmp_path)
    while not loop.rollout.full:
        loop.collect()
    adapted = loop.adapt()
    data, _ = loop.algo.prepare(loop.rollout)
    batch = map_fields(tf.constant, RolloutBatch(**data))
    with tf.GradientTape() as tape:
        loss = loop.algo.loss(batch)[0][2]
    kernel = loop.algo.actor.torso.kernels[0]
    wanted = kernel - loop.inner_lr * tape.gradient(loss, kernel)
    got = adapted.params[adapted.torso_places[0]]
    assert got.shape == (4, *kernel.shape)
    np.testing.assert_allclose(got[2], wanted, rtol=1e-4, atol=1e-6)


def test_an_update_takes_two_rollouts(tmp_path):
    """One by the shared policy, one by the adapted ones, which the first row's tests are by."""
    loop = make_adapting(tmp_path)
    before = loop.algo.policy.params
    actors = []
    choose = loop.choose
    loop.choose = lambda: actors.append(loop.adapted is not None) or choose()
    assert training.run(loop)
    assert actors == 40 * [False] + 40 * [True] and loop.updates == 40
    assert any((old != new).any() for old, new in zip(before, loop.algo.policy.params))


def test_it_takes_few_lines():
    assert len(inspect.getsource(Adapting).splitlines()) <= 60
