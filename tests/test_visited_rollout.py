"""Rollouts of envs that go from task to task: advantages by brute force, minibatches, and what
becomes of tasks that a rollout lacks."""

import types

import numpy as np
import pytest
import tensorflow as tf

from rl import gradients
from rl.algos.ppo import PPO
from rl.buffers.normaliser import RunningMoments
from rl.buffers.visited_rollout import VisitedRollout
from rl.experiments.build import make_loop, make_torsos
from rl.experiments.commands.training_flags import parse
from rl.gradients import GRADIENTS, make_balancer
from rl.gradients.optimizer import Config as OptimizerConfig
from rl.spec import RolloutBatch, map_fields
from rl.splitting.optimizers import TaskOptimizers
from rl.training.config import WITHOUT_MEMORY
from rl.training.policy import from_tasks, to_tasks
from tests.helpers import command
from tests.helpers_algos import make_spec, make_updates, one
from tests.helpers_buffers import advantages
from tests.helpers_metaworld import TWO

STEPS, ENVS, TASKS = 40, 3, 4


class Scores:
    """An algorithm whose values are 10 * task + the number that obs is."""

    config = types.SimpleNamespace(gamma=0.9, lam=0.8)
    baseline = None

    def __init__(self):
        self.widths, self.returns = set(), None

    def evaluate(self, obs, obs2, act, time):
        del act, time
        self.widths.add(obs.shape[1])
        value = 10 * np.arange(len(obs))[:, None] + obs[..., 0]
        return {"value": value, "value2": value - obs[..., 0] + obs2[..., 0], "log_prob": 0 * value}

    def targets(self, ret, mask):
        self.returns = ret[mask]
        return ret


def stored(absent=()):
    """A full rollout in which tasks change where episodes end, and its fields `(steps, envs)`."""
    rng = np.random.default_rng(0)
    rollout = VisitedRollout(make_spec(TASKS), STEPS, ENVS, max_ep_len=20)
    tasks = np.setdiff1d(np.arange(TASKS), absent)
    end = rng.random((STEPS, ENVS)) < 0.15
    rows = {"rew": rng.normal(size=(STEPS, ENVS)), "done": end & (rng.random(end.shape) < 0.5)}
    rows |= {"end": end, "truncated": end & ~rows["done"], "task": np.zeros((STEPS, ENVS), int)}
    task = rng.choice(tasks, ENVS)
    for t in range(STEPS):
        rows["task"][t] = task
        number = np.arange(ENVS) + ENVS * t
        wide = lambda dim, number=number: np.repeat(number[:, None], dim, axis=1)
        row = {key: values[t] for key, values in rows.items()}
        rollout.store(obs=wide(3), obs2=wide(3) + 0.5, act=wide(2), **row)
        task = np.where(end[t], rng.choice(tasks, ENVS), task)
    return rollout, rows


def test_advantages_are_those_of_the_trajectories():
    """Of an env's, through the tasks that it is at, each step by its own task's values."""
    rollout, rows = stored(absent=(2,))
    algo = Scores()
    data, info = PPO.prepare(algo, rollout)
    value = 10 * rows["task"] + np.arange(STEPS * ENVS).reshape(STEPS, ENVS)
    names = ("rew", "done", "end")
    rew, done, end = (rows[name].astype(float) for name in names)
    adv = advantages(rew, value, value + 0.5, done, end, 0.9, 0.8)
    seen = 0
    for task in range(TASKS):
        number = data["obs"][task, : rollout.count[task], 0].astype(int)
        assert (rows["task"].reshape(-1)[number] == task).all()
        got = data["adv"][task, : len(number)]
        np.testing.assert_allclose(got, adv.reshape(-1)[number], rtol=1e-4, atol=1e-3)
        ret = data["ret"][task, : len(number)]
        np.testing.assert_allclose(ret, (adv + value).reshape(-1)[number], rtol=1e-4, atol=1e-3)
        seen += len(set(number.tolist()))
    assert seen == STEPS * ENVS == len(algo.returns) and rollout.count[2] == 0
    np.testing.assert_array_equal(info["VVals"], value)
    assert info["ExplainedVar"].shape == (3,)
    assert algo.widths == {rollout.steps_per_task}  # one shape, so one compiled program


def test_minibatches_have_as_much_of_each_task():
    """Within an epoch a task's steps come equally often, or as many of them as there is room
    for."""
    rollout, rows = stored(absent=(1,))
    data, _ = PPO.prepare(Scores(), rollout)
    assert rollout.steps_per_task == 30  # three envs, two visits each at least, but four tasks
    batches = rollout.batches(data, rollout.minibatch_order(3, 8, np.random.default_rng(0)))
    assert batches.obs.shape == (9, TASKS, 8, 3)
    assert rollout.presence(9).tolist() == [[1, 0, 1, 1]] * 9
    number = batches.obs[..., 0].astype(int).reshape(3, 3, TASKS, 8)
    tasks = rows["task"].reshape(-1)
    assert rollout.count.min() == 0 and set(rollout.count > 24) == {True, False}
    for task in (0, 2, 3):
        for epoch in range(3):
            numbers = number[epoch, :, task].reshape(-1)
            assert (tasks[numbers] == task).all()
            times = np.bincount(numbers, minlength=len(tasks))[tasks == task]
            assert times.max() - times.min() <= 1 and times.sum() == 24
        assert (number[0, :, task] != number[1, :, task]).any()


def test_minibatches_say_which_tasks_have_a_step_twice():
    rollout, _ = stored(absent=(1,))
    rollout.count = np.array([20, 0, 60, 40])
    order = rollout.minibatch_order(3, 15, np.random.default_rng(0))
    repeats = rollout.repeats(order)
    assert repeats.shape == (6, TASKS)
    for places, flags in zip(order, repeats):
        for task in (0, 2, 3):
            assert flags[task] == (len(set(places[task].tolist())) < 15)
    assert not repeats[:, 1].any() and not repeats[:, rollout.count >= 30].any()
    assert repeats.any()


@pytest.mark.parametrize("criterion, counted", [("gain", 2), ("lagged", 3)])
def test_a_sample_in_both_halves_is_no_evidence(criterion, counted):
    """The second of three tasks has one: only criteria that tell halves apart leave it out."""
    tf.keras.utils.set_random_seed(0)
    values = {"network": "splitting", "split_criterion": criterion, "hidden_sizes": (8,)}
    torsos = make_torsos(values, make_spec(3))
    algo = PPO(make_spec(3), torsos, TaskOptimizers(num_tasks=3, changes=torsos.options))
    seen = []
    watch = algo.opt.watches["LossPi"]
    watch.observe = lambda tasks, name, present: seen.append(present)
    batch, update = one(minibatch())
    update = update._replace(present=tf.ones(3), repeats=tf.constant([0.0, 1.0, 0.0]))
    algo.opt.gradients(lambda: algo.loss(batch, update.present), update)
    assert np.sum(seen) == counted


def test_envs_have_their_places_in_tasks():
    rows, task = np.arange(6.0).reshape(3, 2), np.array([2, 0, 2])
    placed = to_tasks(rows, make_spec(4), task)
    assert placed.shape == (4, 3, 2) and placed[2, 0].tolist() == [0, 1]
    assert placed.sum() == rows.sum() and not placed[[1, 3]].any()
    np.testing.assert_array_equal(from_tasks(placed, make_spec(4), task), rows)
    for spec, dims in ((make_spec(3), (3, 1)), (make_spec(), (3,))):
        assert to_tasks(rows, spec).shape == (*dims, 2)
        np.testing.assert_array_equal(from_tasks(to_tasks(rows, spec), spec), rows)


def make_ppo(gradient="sum", **flags):
    tf.keras.utils.set_random_seed(0)
    torsos = make_torsos({"network": "multi_head", "hidden_sizes": (8,)}, make_spec(3))
    balancing = gradients.Config(gradient=gradient)
    optimizers = TaskOptimizers(OptimizerConfig(), balancing, num_tasks=3)
    return PPO(make_spec(3), torsos, optimizers, PPO.flags(**flags))


def minibatch(seed=0):
    """Of three tasks, of which the second has no samples but numbers that would break anything."""
    rng = np.random.default_rng(seed)
    adv = rng.normal(size=(1, 3, 8))
    batches = RolloutBatch(
        obs=rng.normal(size=(1, 3, 8, 3)),
        act=rng.normal(size=(1, 3, 8, 2)),
        log_prob=-3 + 0.1 * adv,
        adv=adv,
        ret=rng.normal(size=(1, 3, 8)),
        out=rng.normal(size=(1, 3, 8)),
    )
    batches.log_prob[:, 1] = -1e9
    batches.ret[:, 1] = 1e30
    batches = map_fields(lambda field: field.astype(np.float32), batches)
    present = np.array([[1, 0, 1]], np.float32)
    return batches, make_updates(1, rng)._replace(present=present)


@pytest.mark.parametrize(
    "gradient, flags", [("sum", {}), ("pcgrad", {"clip_value": 0.2, "ent_coef": 0.1})]
)
def test_an_absent_task_learns_nothing(gradient, flags):
    """Its head and its log std stay to the bit, its losses are 0; the others' and what is shared
    move."""
    algo = make_ppo(gradient, **flags)
    batch, update = one(minibatch())
    loss, _ = algo.loss(batch, update.present)
    assert loss[1] == 0 and np.isfinite(loss).all() and np.all(loss[0] != 0)
    heads = [torso.regions[-1][0].variable for torso in (algo.actor.torso, algo.actor.value_torso)]
    tables = [*heads, algo.actor.log_std.variable]
    before = [np.array(table) for table in tables]
    shared = np.array(algo.actor.torso.regions[0][0].variable)
    info = algo.train_step(*one(minibatch()))
    for table, old in zip(tables, before):
        moved = [(np.array(table)[task] != old[task]).any() for task in range(3)]
        assert moved == [True, False, True]
    assert (np.array(algo.actor.torso.regions[0][0].variable) != shared).any()
    for name in ("LossPi", "LossV", "Entropy", "KL", "ClipFrac"):
        assert info[name][1] == 0


def test_an_absent_task_changes_no_other():
    """A step is the same whatever stands in its place."""
    results = []
    for number in (0.0, 5.0):
        algo = make_ppo()
        batches, updates = minibatch()
        batches.obs[:, 1] = number
        batches.adv[:, 1] = number
        algo.train_step(*one((batches, updates)))
        results.append(algo.actor.get_weights())
    for one_weight, other in zip(*results):
        np.testing.assert_array_equal(one_weight, other)


def test_returns_of_absent_tasks_are_not_counted():
    algo, moments = make_ppo(norm_value=True), RunningMoments(())
    ret, mask = np.zeros((3, 5), np.float32), np.zeros((3, 5), bool)
    ret[0, :3], mask[0, :3] = (1, 2, 6), True
    ret[2], mask[2] = 4, True
    algo.targets(ret, mask)
    moments.update(np.array([1.0, 2.0, 6.0]))
    np.testing.assert_allclose(algo.returns.mean, [moments.mean, 0, 4], rtol=1e-3)
    np.testing.assert_allclose(algo.returns.var, [moments.var, 1, 0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", GRADIENTS)
def test_methods_without_memory(name):
    method = make_balancer(3, gradients.Config(gradient=name))
    assert (name in WITHOUT_MEMORY) == (not method.variables)


def test_memory_can_be_saved(tmp_path):
    """On simulators of which one at a time is there: the same rollout, and an update follows."""
    rollouts = []
    for saved in ("false", "true"):
        argv = command("--env", TWO, "--visit", "random_other", "--save_memory", saved, algo="ppo")
        values = parse([*argv, "--max_ep_len", "16", "--num_test_episodes", "0"]) | {"seed": 0}
        loop = make_loop(values, tmp_path)
        for _ in range(64):
            loop.collect()
        assert len(loop.env.env.envs[0].envs) == (1 if saved == "true" else 2)
        rollouts.append(loop.rollout.data)
        loop.env.close()
    for name, values in rollouts[0].items():
        np.testing.assert_array_equal(values, rollouts[1][name])
    loop.update()
    assert loop.rollout.count.tolist() == [32, 32] and loop.updates == 4
    assert np.isfinite(loop.session.logger.values["LossPi"].filled()).all()
