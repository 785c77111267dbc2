"""What MLP, the torso for one task, must satisfy, and actors and critics; test_task_networks.py has
several tasks."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

import rl.networks
from rl.algos import ALGOS
from rl.experiments.build import make_torsos
from rl.networks import (
    MLP,
    CategoricalPolicy,
    Critic,
    DeterministicActor,
    DeterministicPolicy,
    GaussianPolicy,
    PolicyValue,
    SquashedGaussianActor,
    SquashedGaussianPolicy,
)
from rl.networks.layers import Torso
from rl.networks.policy import MLPForward
from rl.spec import EnvSpec, Field
from tests.helpers_algos import act, make_spec

B, D, OUT = 5, 4, 2
SHAPES = {"single": (), "tasks": (3,)}


def inputs(lead, dim=D, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=(*lead, B, dim)), tf.float32)


@pytest.fixture(name="lead", params=SHAPES.values(), ids=SHAPES)
def lead_fixture(request):
    return request.param


@pytest.fixture(name="members", params=[None, 1, 2])
def members_fixture(request):
    return request.param


@pytest.fixture(name="net")
def net_fixture(lead, members):
    net = MLP([8, OUT], members=members)
    net.build((*lead, None, D))
    return net


def test_build_makes_every_variable(net, lead):
    before = [v.path for v in net.variables]
    net(inputs(lead))
    assert before and [v.path for v in net.variables] == before


def test_output_shape(net, lead, members):
    assert net(inputs(lead)).shape == (*(() if members is None else (members,)), *lead, B, OUT)


def test_compiled_equals_eager_and_traces_once(net, lead):
    for jit in (False, True):
        compiled = tf.function(net.call, autograph=False, jit_compile=jit)
        np.testing.assert_allclose(compiled(inputs(lead)), net(inputs(lead)), rtol=1e-5, atol=1e-6)
        compiled(inputs(lead, seed=1))
        assert compiled.experimental_get_tracing_count() == 1


def test_unknown_batch_size(net, lead):
    spec = tf.TensorSpec((*lead, None, D), tf.float32)
    compiled = tf.function(net.call, autograph=False, input_signature=[spec])
    np.testing.assert_allclose(compiled(inputs(lead)), net(inputs(lead)), rtol=1e-5, atol=1e-6)


def test_some_gradient_reaches_every_variable(net, lead):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(net(inputs(lead)) ** 2)
    for variable, gradient in zip(
        net.trainable_variables, tape.gradient(loss, net.trainable_variables)
    ):
        assert gradient is not None and np.abs(gradient).max() > 0, variable.path


def test_tasks_do_not_see_each_other(net, lead, members):
    if not lead:
        lead = (2,)  # a torso built for one task must also serve a stack of batches
    x = inputs(lead)
    other = tf.concat([x[:1], x[1:] + 1.0], axis=0)
    task = (slice(None), 0) if members else 0
    np.testing.assert_allclose(net(x).numpy()[task], net(other).numpy()[task], rtol=1e-5, atol=1e-6)


def test_numpy_mirror(lead):
    net = MLP([8, OUT])
    net.build((*lead, None, D))
    np.testing.assert_allclose(
        MLPForward(net).with_params(net.get_weights())(inputs(lead).numpy(), ())[0],
        net(inputs(lead)),
        rtol=1e-5,
        atol=1e-5,
    )


def test_save_and_load(net, lead, tmp_path):
    wanted = net(inputs(lead)).numpy()
    np.savez(tmp_path / "w.npz", *net.get_weights())
    for variable in net.variables:
        variable.assign(variable * 0)
    loaded = np.load(tmp_path / "w.npz")
    net.set_weights([loaded[name] for name in loaded.files])
    np.testing.assert_array_equal(net(inputs(lead)), wanted)


def test_mlp_by_hand():
    net = MLP([2, 1])
    net.build((None, 2))
    net.set_weights(
        [np.array([[1, -1], [2, 0]]), np.array([[3], [5]]), np.array([0, 1]), np.array([-1])]
    )
    # x = (1, 2): hidden = relu(1 + 4, -1 + 1) = (5, 0); out = 15 - 1
    np.testing.assert_allclose(net(tf.constant([[1.0, 2.0]])), [[14.0]])


@pytest.mark.parametrize("activation", rl.networks.ACTIVATIONS)
def test_activations_agree(activation):
    in_tf, in_numpy = rl.networks.ACTIVATIONS[activation]
    x = np.linspace(-4, 4, 33, dtype=np.float32)
    np.testing.assert_allclose(in_tf(x), in_numpy(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("initializer", rl.networks.INITIALIZERS)
def test_members_differ_and_have_a_single_networks_scale(initializer):
    nets = [MLP([64, 64], initializer=initializer, members=m) for m in (None, 2)]
    for net in nets:
        net.build((None, 64))
    single, (first, second) = nets[0].kernels[1].numpy(), nets[1].kernels[1].numpy()
    assert np.abs(first - second).max() > 0.01 and np.abs(first - single).max() > 0.01
    assert 0.85 < first.std() / single.std() < 1.15


def test_an_ensemble_is_its_members():
    ensemble, single = MLP([8, 1], members=2), MLP([8, 1])
    ensemble.build((None, D))
    single.build((None, D))
    for m in range(2):
        single.set_weights(
            [np.reshape(w[m], s.shape) for w, s in zip(ensemble.get_weights(), single.variables)]
        )
        np.testing.assert_allclose(
            ensemble(inputs(()))[m], single(inputs(())), rtol=1e-5, atol=1e-6
        )


def test_actor_keeps_inside_asymmetric_bounds(lead):
    low, high = np.array([-1, 0], np.float32), np.array([3, 1], np.float32)
    spec, actor = make_spec(obs_dim=D, low=low, high=high), DeterministicActor(MLP([8, 2]))
    actor.build((*lead, None, D))
    for scale in (1, 1e6):
        unit = actor(scale * inputs(lead)).numpy()
        assert unit.shape == (*lead, B, 2) and (np.abs(unit) <= 1).all()
        assert (spec.env_action(unit) >= low).all() and (spec.env_action(unit) <= high).all()
        policy = DeterministicPolicy(actor, make_spec(*lead, obs_dim=D), 0.0)
        mirrored = act(policy, scale * inputs(lead).numpy())
        np.testing.assert_allclose(mirrored, unit, rtol=1e-5, atol=1e-5)


class Linear(Torso):
    """A torso without a NumPy mirror."""

    def __init__(self):
        super().__init__((2,))

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], 2), name="kernel")

    def call(self, x):
        return tf.matmul(x, self.kernel)


UNIT = make_spec(obs_dim=D, low=(-1, -1), high=(1, 1))
ACTORS = {
    "deterministic": (
        lambda: DeterministicActor(Linear()),
        lambda actor: DeterministicPolicy(actor, UNIT, std=0.1),
    ),
    "squashed": (
        lambda: SquashedGaussianActor(Linear()),
        lambda actor: SquashedGaussianPolicy(actor, make_spec(obs_dim=D, low=(-1,), high=(1,))),
    ),
    "policy and value": (
        lambda: PolicyValue(SimpleNamespace(make=lambda out, **_: Linear()), UNIT),
        lambda actor: GaussianPolicy(actor, UNIT),
    ),
}


@pytest.mark.parametrize("make_actor, make_policy", ACTORS.values(), ids=ACTORS)
def test_actor_without_a_mirror_acts_in_one_compiled_call(make_actor, make_policy):
    actor = make_actor()
    actor.build((None, D))
    policy = make_policy(actor)
    mode = act(policy, inputs(()).numpy())
    np.testing.assert_allclose(np.clip(mode, -1, 1), actor(inputs(())), rtol=1e-5, atol=1e-6)
    policy = policy.with_params([0 * array for array in policy.params])
    assert not act(policy, inputs((), seed=1).numpy()).any()
    assert policy.forward.compiled.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("num_tasks", [None, 3])
def test_a_policy_may_get_other_parameters(num_tasks):
    """Those of two networks: each acts as its own, and changes no other."""
    spec = make_spec(num_tasks, obs_dim=D)
    actors = [DeterministicActor(MLP([8, 2])) for _ in range(2)]
    for actor in actors:
        actor.build((None, D))
    first = DeterministicPolicy(actors[0], spec, std=0.1)
    second = first.with_params(actors[1].get_weights())
    obs = inputs(spec.batch_dims)
    for policy, actor in zip((first, second), actors):
        np.testing.assert_allclose(act(policy, obs.numpy()), actor(obs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("std", ["free", "shared", "state"])
def test_each_task_may_have_parameters_of_its_own(std):
    """Of a network that all tasks share, with the axis of tasks in front: task t draws what the
    network draws by the parameters of task t."""
    spec = make_spec(3, obs_dim=D)
    torsos = SimpleNamespace(make=lambda out, **_: MLP([8, out]))
    actor = PolicyValue(torsos, spec, std=std)
    actor.build((3, None, D))
    policy = GaussianPolicy(actor, spec)
    rng = np.random.default_rng(0)
    alone = []
    for _ in range(3):
        alone.append(
            [array + 0.1 * rng.standard_normal(array.shape, "f") for array in policy.params]
        )
    params = [np.stack(arrays) for arrays in zip(*alone)]
    obs = inputs((3,)).numpy()
    got = act(policy.with_params(params), obs, np.random.default_rng(1))
    for task in range(3):
        wanted = act(policy.with_params(alone[task]), obs, np.random.default_rng(1))
        np.testing.assert_allclose(got[task], wanted[task], rtol=1e-5, atol=1e-6)


def test_critic_shape_and_action_order(lead, members):
    critic = Critic(MLP([1], members=members))
    critic.build((*lead, None, D + 2))
    critic.set_weights(
        [np.broadcast_to(np.arange(6.0)[:, None], critic.weights[0].shape), critic.get_weights()[1]]
    )
    obs, unit = inputs(lead), inputs(lead, 2)
    wanted = obs.numpy() @ np.arange(4.0) + unit.numpy() @ np.array([4.0, 5.0])
    q = critic(obs, unit)
    assert q.shape == (*(() if members is None else (members,)), *lead, B)
    np.testing.assert_allclose(q, np.broadcast_to(wanted, q.shape), rtol=1e-5, atol=1e-5)


def test_one_member_of_an_ensemble(lead):
    net = MLP([8, OUT], members=2)
    net.build((*lead, None, D))
    for m in range(2):
        np.testing.assert_allclose(
            net(inputs(lead), member=m), net(inputs(lead))[m], rtol=1e-5, atol=1e-6
        )


def test_bfloat16_rounds_the_inputs_of_products_only():
    net = MLP([8, OUT], precision="bfloat16")
    net.build((None, D))
    near = lambda x: tf.cast(tf.cast(x, tf.bfloat16), tf.float32)  # 1 + 2^-8 is 1 there
    exact = MLP([8, OUT])
    exact.build((None, D))
    exact.set_weights([near(w) for w in net.get_weights()])
    x = near(inputs(()))
    with tf.GradientTape() as tape:
        out = net(x)
    assert out.dtype == tf.float32 and {v.dtype for v in net.trainable_variables} == {"float32"}
    assert all(grad.dtype == tf.float32 for grad in tape.gradient(out, net.trainable_variables))
    np.testing.assert_allclose(out, exact(x), rtol=0.02, atol=0.02)
    assert (out.numpy() != exact(x).numpy()).any()
    mirrored, _ = MLPForward(net).with_params(net.get_weights())(x.numpy(), ())
    assert mirrored.dtype == np.float32


def test_orthogonal_layers_have_their_gains():
    net = MLP([8, 4], initializer="orthogonal", out_gain=[0.01, 0.01, 1.0, 1.0])
    net.build((None, 8))
    first, last = (kernel.numpy() for kernel in net.kernels)
    np.testing.assert_allclose(first.T @ first, 2 * np.eye(8), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(last, axis=0), [0.01, 0.01, 1, 1], rtol=1e-5)


def test_squashed_actor_by_its_mirror(lead):
    actor = SquashedGaussianActor(MLP([8, 4]))
    actor.build((*lead, None, D))
    policy = SquashedGaussianPolicy(actor, make_spec(*lead, obs_dim=D))
    noise = np.random.default_rng(0).standard_normal((*lead, B, 2), "f")
    sampled, log_prob = actor.sample(inputs(lead), noise)
    obs = inputs(lead).numpy()
    drawn = act(policy, obs, np.random.default_rng(0))
    np.testing.assert_allclose(drawn, sampled, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(act(policy, obs), actor(inputs(lead)), rtol=1e-4, atol=1e-5)
    assert log_prob.shape == (*lead, B)


POLICIES = {
    "free": {},
    "state": {"std": "state"},
    "shared": {"shared": True},
    "shared state": {"shared": True, "std": "state"},
}


@pytest.mark.parametrize("options", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("choices", [(), (3,), (3, 2, 4)])
def test_policy_value(lead, choices, options):
    tasks = lead[0] if lead else None
    spec = make_discrete(tasks, choices) if choices else make_spec(tasks, obs_dim=D)
    torsos = make_torsos({"hidden_sizes": (8,)}, make_spec())
    net = PolicyValue(torsos, spec, log_std=-1.0, **options)
    net.build((*lead, None, D))
    obs = inputs(lead).numpy()
    policy = (CategoricalPolicy if choices else GaussianPolicy)(net, spec)
    mode, u = act(policy, obs), act(policy, obs, np.random.default_rng(0))
    assert (
        net.value(obs).shape == (*lead, B)
        and u.shape == (*lead, B, spec.act_dim)
        and u.dtype == np.float32
    )
    bounded = mode if choices else np.clip(mode, -1, 1)
    np.testing.assert_allclose(bounded, net(obs), rtol=1e-4, atol=1e-5)
    many = np.broadcast_to(obs[..., :1, :], (*lead, 20000, D)).astype("f")
    draws = act(policy, many, np.random.default_rng(0))
    log_prob, entropy = net.log_prob(many, draws)
    # the mean of -log p over draws from p is p's entropy: the draws and the densities are of one
    # policy
    np.testing.assert_allclose(-np.mean(log_prob, -1), np.mean(entropy, -1), atol=0.03)


def make_discrete(num_tasks, choices):
    low = np.full(len(choices), 2, np.float32)
    high = low + np.array(choices, np.float32) - 1
    tasks = tuple(f"task{t}" for t in range(num_tasks or 0))
    return EnvSpec("test", Field((D,)), Field(low.shape), low.shape, low, high, choices, tasks)


# Sizes -------------------------------------------------------------------------


def sizes_of(algo):
    """Sizes of the actor's torso and of every critic's, target networks included."""
    names = ("q", "q_targ", "actor_targ")
    others = [getattr(algo, name).torso for name in names if hasattr(algo, name)]
    value = getattr(algo.actor, "value_torso", None)
    return [torso.sizes for torso in (algo.actor.torso, *others, value) if torso is not None]


@pytest.mark.parametrize("num_tasks", [None, 3])
@pytest.mark.parametrize("name", sorted(ALGOS))
def test_sizes_of_actor_and_critic(name, num_tasks):
    """Each its own, where given; with targets the actor's twin is the third network."""
    outputs = {"ddpg": (2, 1, 1, 2), "td3": (2, 1, 1, 2), "sac": (4, 1, 1), "ppo": (2, 1)}[name]
    actor = [number in (0, 3) for number in range(len(outputs))]
    for flags, wanted in (
        ({}, [(8, 8)] * 4),
        ({"actor_sizes": (5,)}, [(5,) if is_actor else (8, 8) for is_actor in actor]),
        ({"critic_sizes": (6, 7)}, [(8, 8) if is_actor else (6, 7) for is_actor in actor]),
        (
            {"actor_sizes": (5,), "critic_sizes": (6, 7)},
            [(5,) if is_actor else (6, 7) for is_actor in actor],
        ),
    ):
        spec = make_spec(num_tasks)
        torsos = make_torsos({"hidden_sizes": (8, 8)} | flags, spec)
        algo = ALGOS[name](spec, torsos)
        assert sizes_of(algo) == [(*hidden, out) for hidden, out in zip(wanted, outputs)]
