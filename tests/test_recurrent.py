"""Networks with memory under PPO: acting, unrolling, minibatches of sequences, and a cue to
remember."""

import copy
import inspect
from types import SimpleNamespace

import gymnasium as gym
import numpy as np
import pytest
import tensorflow as tf

from rl import training
from rl.algos import ALGOS
from rl.algos.ppo import PPO, past_of
from rl.buffers import Normaliser
from rl.buffers.sequences import SequenceRollout
from rl.config import UserError
from rl.experiments.agent import Agent
from rl.experiments.eval import export
from rl.networks.layers import Torso
from rl.networks.memory import Past, unroll
from rl.spec import EnvSpec, Field, map_fields
from tests.helpers import rows
from tests.helpers_algos import make_spec
from tests.helpers_loops import make_on_policy
from tests.toy_envs import Toy


class GRU(Torso):
    """A gated recurrent unit and a dense layer."""

    @property
    def memory_shape(self):
        return self.sizes[:1]

    def build(self, input_shape):
        units = self.sizes[0]
        self.cell = tf.keras.layers.GRUCell(units)
        self.cell.build((None, input_shape[-1]))
        self.head = tf.keras.layers.Dense(self.sizes[-1])
        self.head.build((None, units))
        self.built = True

    def step(self, x, memory):
        memory, _ = self.cell(x, memory)
        return self.head(memory), memory


class Cue(Toy):
    """Shows 1 or -1 at the first of 4 steps; the last action must be that choice, for a reward of
    1."""

    observation_space = gym.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def obs(self):
        if self.steps == 0:
            self.cue = int(self.np_random.integers(2))
            return np.array([2 * self.cue - 1, 0], np.float32)
        return np.array([0, self.steps == 3], np.float32)

    def _step(self, action):
        over = self.steps == 4
        return float(over and action == self.cue), over


gym.register("Cue-v0", entry_point=Cue)
SPEC = EnvSpec(
    "test", Field((2,)), Field((1,)), (), np.zeros(1, "f"), np.ones(1, "f"), choices=(2,)
)


def make_recurrent(algorithm=PPO, spec=SPEC, units=8, seed=0, **flags):
    """`algorithm` with a GRU for every network."""
    tf.keras.utils.set_random_seed(seed)

    def make(out, critic=False, embedding=0, **options):
        return GRU([units, out], **options)

    torsos = SimpleNamespace(make=make)
    options = {"share_torso": True} | flags if algorithm is PPO else flags
    return algorithm(spec, torsos, config=algorithm.flags(**options))


def test_a_policy_remembers_a_cue(tmp_path):
    """Chance is 0.5, and so is all that a network without memory can do."""
    algo = make_recurrent(lr=1e-2, gamma=0.9, ent_coef=0.01)
    flags = {"rollout_steps": 16, "batch_size": 64, "update_epochs": 8}
    loop = make_on_policy(tmp_path, algo, "Cue", 16, steps_per_epoch=4096, epochs=1, **flags)
    assert training.run(loop)
    assert float(rows(tmp_path)[-1][rows(tmp_path)[0].index("AverageTestEpRet")]) > 0.9
    assert algo.burst.compiled.experimental_get_tracing_count() == 1
    assert algo.policy.forward.compiled.experimental_get_tracing_count() <= 2  # training, tests


def test_it_takes_few_lines():
    """What a network with memory and its env need outside of this codebase."""
    count = sum(len(inspect.getsource(thing).splitlines()) for thing in (GRU, Cue))
    assert count <= 40


def random_steps(lead=(), sequences=3, steps=5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((*lead, sequences * steps, 2), "f")
    start = (rng.random((*lead, sequences * steps)) < 0.3).astype("f")
    return x, Past(rng.standard_normal((*lead, sequences, 8), "f"), start)


class Fading(Torso):
    """Remembers half of what it did, and what it sees; says both."""

    memory_shape = (2,)

    def step(self, x, memory):
        memory = 0.5 * memory + x
        return tf.concat([memory, x], axis=-1), memory


@pytest.mark.parametrize("lead", [(), (2,)])
def test_unrolling_is_stepping(lead):
    """Sequence by sequence, reset where an episode starts."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((*lead, 3 * 5, 2), "f")
    start = (rng.random((*lead, 3 * 5)) < 0.3).astype("f")
    first = rng.standard_normal((*lead, 3, 2), "f")
    out, memories = unroll(Fading((4,)), x, Past(first, start))
    wanted = np.zeros_like(x)
    for place in np.ndindex(*lead, 3):
        memory = first[place]
        for t in range(5):
            step = (*place[:-1], 5 * place[-1] + t)
            memory = 0.5 * memory * (1 - start[step]) + x[step]
            wanted[step] = memory
    np.testing.assert_allclose(memories, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(out, np.concatenate([wanted, x], axis=-1), rtol=1e-5, atol=1e-6)


def make_loop(tmp_path):
    """A loop on Cue of 4 envs, with rollouts of 6 steps."""
    flags = {"rollout_steps": 6, "batch_size": 12}
    return make_on_policy(tmp_path, make_recurrent(), "Cue", 4, **flags)


def collected(tmp_path):
    """A loop whose second rollout is full, with nothing learned from the first."""
    loop = make_loop(tmp_path)
    for _ in range(6):
        loop.collect()
    loop.rollout.clear()
    for _ in range(6):
        loop.collect()
    return loop


def test_the_first_minibatch_is_of_the_policy_that_acted(tmp_path):
    """Acting step by step and unrolling a rollout, which begins inside episodes, agree."""
    loop = collected(tmp_path)
    assert (
        np.abs(loop.rollout.memory).max() > 0.01
        and loop.rollout.data["time"][0].tolist() == [2] * 4
    )
    data, _ = loop.algo.prepare(loop.rollout)
    batches = loop.rollout.batches(
        data, loop.rollout.minibatch_order(1, 12, np.random.default_rng(0))
    )
    batch = map_fields(lambda field: tf.constant(field[0]), batches)
    assert batch.memory.shape == (2, 8)
    _, info = loop.algo.pi_loss(batch)
    np.testing.assert_allclose(info["KL"], 0, atol=1e-6)
    value = loop.algo.actor.value(batch.obs, past_of(batch))
    np.testing.assert_allclose(value, batch.out, rtol=1e-4, atol=1e-5)
    forgotten = past_of(batch)._replace(memory=tf.zeros((2, 8)))
    assert np.abs(loop.algo.actor.value(batch.obs, forgotten) - value).max() > 1e-3


def test_values_of_what_a_step_led_to_use_the_memory_after_it(tmp_path):
    loop = collected(tmp_path)
    rollout = loop.rollout
    fields = {name: rollout.flat(rollout.data[name]) for name in ("obs", "obs2", "act", "time")}
    scores = loop.algo.evaluate(**fields, memory=rollout.memory)
    value, value2 = rollout.stacked(scores["value"]), rollout.stacked(scores["value2"])
    goes_on = rollout.data["end"][:-1] == 0
    assert goes_on.any() and not goes_on.all()
    np.testing.assert_allclose(value2[:-1][goes_on], value[1:][goes_on], rtol=1e-4, atol=1e-5)
    assert np.abs(value2[:-1] - value[1:])[~goes_on].min() > 1e-4  # the next episode has no past


@pytest.mark.parametrize("num_tasks", [None, 2])
def test_minibatches_are_of_whole_sequences(num_tasks):
    """Each step says its env and its number; each memory its env."""
    spec = make_spec(num_tasks)
    rollout = SequenceRollout(spec, 3, 8)
    for t in range(3):
        number = np.repeat(10.0 * np.arange(8)[:, None] + t, 3, axis=1)
        rollout.store(obs=number, rew=number[:, 0])
    rollout.memory = 10 * np.arange(8, dtype="f").reshape(*spec.batch_dims, -1, 1)
    flat = rollout.flat(rollout.data["obs"])
    np.testing.assert_array_equal(rollout.stacked(flat[..., 0]), rollout.data["rew"])
    data = {"obs": flat, "act": flat, "log_prob": flat[..., 0], "adv": flat[..., 0]}
    batches = rollout.batches(data, rollout.minibatch_order(5, 6, np.random.default_rng(0)))
    lead = (5 * 8 // (num_tasks or 1) // 2, *spec.batch_dims)
    sequences = batches.obs[..., 0].reshape(*lead, 2, 3)
    np.testing.assert_array_equal(
        sequences - batches.memory, np.zeros_like(sequences) + np.arange(3)
    )
    envs_seen = batches.memory.reshape(5, -1)
    assert all(sorted(seen) == sorted(10 * np.arange(8)) for seen in envs_seen)
    assert (envs_seen[0] != envs_seen[1]).any()


def test_memory_is_saved_with_a_rollout(tmp_path):
    """A loop that goes on from a state inside a rollout prepares what it would have prepared."""
    loop = make_loop(tmp_path)
    for _ in range(6):
        loop.collect()
    loop.rollout.clear()
    loop.collect()
    state = copy.deepcopy((loop.state(), loop.env.state()))
    prepared = []
    for _ in range(2):
        loop.load_state(state[0])
        loop.env.load_state(state[1], loop.obs)
        for _ in range(5):
            loop.collect()
        data, _ = loop.algo.prepare(loop.rollout)
        data |= {"memory": loop.memory, "first": loop.rollout.memory}
        prepared.append(data)
        loop.rollout.memory = np.zeros_like(loop.rollout.memory)
        loop.memory = np.zeros_like(loop.memory)
    assert np.abs(prepared[0]["first"]).max() > 0.01
    for name, values in prepared[0].items():
        np.testing.assert_array_equal(values, prepared[1][name], err_msg=name)


@pytest.mark.parametrize("name", sorted(name for name in ALGOS if name != "ppo"))
def test_others_refuse_memory(name):
    with pytest.raises(UserError, match="GRU has memory, and .* learns from single steps"):
        make_recurrent(ALGOS[name], make_spec(obs_dim=2))


def test_one_memory_serves_policy_and_value():
    with pytest.raises(UserError, match="networks with memory need --share_torso"):
        make_recurrent(share_torso=False)
    make_recurrent(share_torso=False, critic="linear")  # there is no other network


def test_minibatches_that_cut_sequences_are_refused(tmp_path):
    words = "--batch_size 25 must be a multiple of --rollout_steps 50"
    with pytest.raises(UserError, match=words):
        make_on_policy(tmp_path, make_recurrent(), "Cue")


def test_a_policy_with_memory_is_not_exported(tmp_path):
    algo = make_recurrent()
    with pytest.raises(UserError, match="--export: .* memory"):
        export(Agent(algo, Normaliser(algo.spec), algo.spec, step=0), tmp_path / "policy")
    assert not (tmp_path / "policy").exists()
