"""Meta-splitting: frozen copies, mixed anew for tasks that they never saw."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from rl import envs
from rl.__main__ import main
from rl.buffers.normaliser import RunningMoments
from rl.experiments.adopt import most_copies, networks
from rl.experiments.agent import load_agent
from rl.experiments.environments import env_options
from rl.experiments.rundir import RunDir, flags_of
from rl.flags import torsos
from rl.networks.torsos.meta_splitting import MetaSplitting
from rl.networks.torsos.splitting import Splitting
from rl.training.evaluate import evaluate
from rl.training.schedule import Schedule
from tests.helpers import column, keep_checkpoints, refused, rows, train
from tests.helpers_algos import act

TRAINED, TESTED, B, D, SIZES = 3, 2, 5, 4, (6, 7, 2)
# a splitting network that splits at every check
RUN = ("--env", "PointMass-ML4", "--network", "splitting", "--task_onehot", "false")
RUN += ("--split_criterion", "v2", "--split_warmup", "4", "--split_every", "4")
SLOW = [pytest.param(algo, marks=pytest.mark.slow) for algo in ("ddpg", "td3")]
# episodes of 20 steps of each of two tasks
META = ("--episodes", "6", "--num_test_episodes", "2")


def trained_net(members=None, apart=False, maps=((0, 1, 0), (0, 1, 2), (0, 0, 0))):
    tf.keras.utils.set_random_seed(0)
    config = torsos.Splitting(split_biases=apart, split_map="a map: copies start different")
    net = Splitting(SIZES, config, members=members, onehot=False)
    net.build((TRAINED, None, D))
    for (kernel, bias), copy in zip(net.layers_of_banks(), maps):
        kernel.copy.assign(copy)
        bias.copy.assign(copy)
        bias.variable.assign(np.random.default_rng(1).normal(size=bias.variable.shape))
    return net


def meta_net(trained, members=None, **options):
    config = torsos.MetaSplitting(meta_copies=TRAINED, **options)
    net = MetaSplitting(SIZES, config, members=members, onehot=False)
    net.build((TESTED, None, D))
    net.adopt(trained)
    return net


def inputs(tasks):
    x = np.random.default_rng(0).normal(size=(B, D)).astype(np.float32)
    return tf.constant(np.tile(x, (tasks, 1, 1)))


# The network -------------------------------------------------------------------


@pytest.mark.parametrize("mix", ["outputs", "weights"])
@pytest.mark.parametrize("members", [None, 2])
@pytest.mark.parametrize("apart", [False, True])
def test_a_task_that_uses_what_a_training_task_used_is_that_task(mix, members, apart):
    trained = trained_net(members, apart)
    if apart:
        trained.layers_of_banks()[1][1].copy.assign((1, 1, 2))
    net = meta_net(trained, members, meta_mix=mix)
    for tasks in ((0, 2), (1, 0)):
        net.follow(trained, tasks)
        wanted = tf.gather(trained(inputs(TRAINED)), tasks, axis=-3)
        np.testing.assert_allclose(net(inputs(TESTED)), wanted, rtol=1e-4, atol=1e-5)


def test_by_softmax_most_of_a_task_is_as_the_one_it_follows():
    net = meta_net(trained_net(), meta_softmax=True)
    net.follow(trained_net(), (1, 2))
    shares = [
        tf.nn.softmax(region.variable + tf.math.log(used))
        for (region,), (_, _, used) in zip(net.regions, net.frozen)
    ]
    np.testing.assert_allclose(shares[0], [[0.1, 0.9, 0], [0.9, 0.1, 0]], atol=1e-6)
    np.testing.assert_allclose(shares[1], [[0.05, 0.9, 0.05], [0.05, 0.05, 0.9]], atol=1e-6)
    np.testing.assert_allclose(shares[2], [[1, 0, 0]] * 2, atol=1e-6)


@pytest.mark.parametrize("mix", ["outputs", "weights"])
def test_mixing_by_hand(mix):
    """Against NumPy, a copy after another."""
    net, rng = meta_net(trained_net(), meta_mix=mix), np.random.default_rng(2)
    for (region,) in net.regions:
        region.variable.assign(rng.normal(size=region.variable.shape))
    for task in range(TESTED):
        x = inputs(1).numpy()[0]
        for k, ((region,), frozen) in enumerate(zip(net.regions, net.frozen)):
            kernel, bias, used = map(np.array, frozen)
            weights, act = np.array(region.variable)[task] * used, (
                (lambda y: np.maximum(y, 0)) if k < 2 else (lambda y: y)
            )
            if mix == "weights":
                x = act(x @ np.tensordot(weights, kernel, 1) + weights @ bias)
            else:
                x = sum(w * act(x @ kernel[c] + bias[c]) for c, w in enumerate(weights))
        np.testing.assert_allclose(net(inputs(TESTED))[task], x, rtol=1e-4, atol=1e-5)


def test_copies_nobody_uses_are_left_behind():
    """Two of three copies of the first layer, three of the second, one of the last: equal weights
    to begin with."""
    for softmax in (False, True):
        net = meta_net(trained_net(), meta_softmax=softmax)
        assert [np.array(used).tolist() for _, _, used in net.frozen] == [
            [1, 1, 0],
            [1, 1, 1],
            [1, 0, 0],
        ]
        before = net(inputs(TESTED)).numpy()
        for (region,), (_, _, used) in zip(net.regions, net.frozen):
            region.variable.assign_add(
                7.0 * (1 - tf.convert_to_tensor(used)) * tf.ones_like(region.variable)
            )
        np.testing.assert_array_equal(net(inputs(TESTED)), before)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(net(inputs(TESTED)) ** 2)
        for gradient, (_, _, used) in zip(tape.gradient(loss, net.trainable_variables), net.frozen):
            assert (
                np.isfinite(gradient).all()
                and (np.array(gradient)[:, np.array(used) == 0] == 0).all()
            )
    shares = meta_net(trained_net(maps=[(0, 0, 0)] * 3), meta_softmax=True)
    np.testing.assert_allclose(
        shares(inputs(TESTED))[0], trained_net(maps=[(0, 0, 0)] * 3)(inputs(TRAINED))[0], rtol=1e-5
    )


def test_moments_are_pooled():
    """Tasks at 0 and 4, each with variance 1, are together at 2 with variance 5."""
    many, few = RunningMoments((2,)), RunningMoments((3,))
    many.mean, many.var, many.count = np.array([0.0, 4.0]), np.ones(2), 10
    few.pool(many)
    np.testing.assert_allclose(few.mean, [2] * 3)
    np.testing.assert_allclose(few.var, [5] * 3)
    assert few.count == 10


def targets(algo):
    """The torsos of target networks, whose copies are those of the networks that they follow."""
    nets = [getattr(algo, name) for name in algo.saved if name.endswith("_targ")]
    return [net.torso for net in nets]


# The command -------------------------------------------------------------------


@pytest.fixture(scope="module", name="sources")
def fixture_sources(tmp_path_factory):
    """A run of each algorithm, made when first asked for."""
    made, folder = {}, tmp_path_factory.mktemp("meta")

    def source(algo):
        if algo not in made:
            made[algo] = train(folder / algo, *RUN, algo=algo)
        return made[algo]

    return source


def meta_test(source, folder, *args):
    assert main(["meta-test", str(source), *META, *args, "--data_dir", str(folder)]) == 0
    return folder / "x_meta" / "x_meta_s0"


def loaded(run, checkpoint="last"):
    values = RunDir(run).config
    env = envs.make(values["env"], **env_options(values))
    return load_agent(RunDir(run), checkpoint, env.spec, values)


@pytest.mark.parametrize("algo", [*SLOW, "sac", "ppo"])
def test_meta_test_trains_the_mixture_alone(sources, tmp_path, algo):
    source = sources(algo)
    run = meta_test(source, tmp_path)
    assert column(run, "Epoch") == list(range(7)) and column(run, "TotalEnvInteracts") == [
        40 * k for k in range(7)
    ]
    assert "AverageTestEpRet" in rows(run)[0] and "TestSuccess/between-west" in rows(run)[0]
    agent = loaded(run)
    adapted = agent.algo
    normaliser = agent.normaliser
    trained = loaded(source).algo
    assert trained.splits()["networks"]["LossPi"]["events"] and most_copies(trained) > 1
    moved = False
    for own, learned in zip(networks(adapted), networks(trained)):
        if isinstance(own, MetaSplitting) and own not in targets(adapted):
            fresh = MetaSplitting(
                own.sizes, own.config, members=(own.lead or (None,))[0], onehot=False
            )
            fresh.build((2, None, own.frozen[0][0].shape[-2]))
            fresh.adopt(learned)
            for was, now in zip(sum(fresh.frozen, []), sum(own.frozen, [])):
                np.testing.assert_array_equal(was, now)
            moved |= any(
                np.any(was != now)
                for was, now in zip(fresh.trainable_variables, own.trainable_variables)
            )
    assert moved
    small = sum(int(np.prod(v.shape)) for v in adapted.actor.trainable_variables) / 2
    large = sum(
        int(np.prod(bank.variable.shape[1:])) for r in trained.actor.torso.regions for bank in r
    )
    assert small < 0.25 * large  # of a task; networks here have 16 hidden units
    assert main(["eval", str(run), "--episodes", "2", "--export", str(tmp_path / "saved")]) == 0
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    wanted = act(adapted.policy, normaliser.obs(inputs(2).numpy()))
    np.testing.assert_allclose(saved.act(inputs(2)), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("algo", ["sac", pytest.param("ppo", marks=pytest.mark.slow)])
def test_repeated_stopped_and_resumed_without_the_source(sources, tmp_path, algo):
    source = tmp_path / "source" / "x_s0"
    shutil.copytree(sources(algo), source)
    whole, again = (meta_test(source, tmp_path / name) for name in ("whole", "again"))
    assert rows(whole) == rows(again)
    part = tmp_path / "part"
    shutil.copytree(whole, part)
    keep_checkpoints(part, 1)
    shutil.rmtree(source)
    assert main(["resume", str(part)]) == 0
    assert rows(part) == rows(whole)


def test_the_first_checkpoint_is_of_what_was_adopted(sources, tmp_path):
    """So that a run killed at once goes on from the frozen copies, not from random ones."""
    source = sources("ddpg")
    run = meta_test(source, tmp_path, "--keep", "9", "--checkpoint", "best")
    assert RunDir(run).config["meta_checkpoint"] == "best"
    assert (run / "checkpoints" / "step_000000000.npz").exists()
    first = loaded(source, "best").algo
    spec = envs.make("PointMass-ML4", split="test").spec
    zero = load_agent(RunDir(run), "0", spec, RunDir(run).config).algo
    for name in ("actor", "q"):
        own, learned = getattr(zero, name).torso, getattr(first, name).torso
        np.testing.assert_array_equal(own.frozen[0][0][0], learned.regions[0][0].variable[0])
        for follower, leader in zip(
            getattr(zero, f"{name}_targ").variables, getattr(zero, name).variables
        ):
            np.testing.assert_array_equal(follower, leader)


@pytest.mark.parametrize("algo", ["sac", pytest.param("ppo", marks=pytest.mark.slow)])
def test_the_best_start(sources, tmp_path, monkeypatch, algo):
    """An episode of each training task goes before the first row, whose policy is the one that did
    best."""
    returns = iter(
        [[1.0, 9.0], [4.0, 5.0], [3.0, 2.0], [0.0, 9.5]]
    )  # of both test tasks by each training task

    def play(policy, env, episodes, seed):
        played = evaluate(policy, env, episodes, seed)
        assert played["EpRet"].shape == (2, 2)
        return {"EpRet": np.array(next(returns))[:, None] + np.array([-1, 1])}

    source, calls, call = sources(algo), [], Schedule.__call__
    with monkeypatch.context() as patch:
        patch.setattr("rl.experiments.adopt.evaluate", play)
        patch.setattr(Schedule, "__call__", lambda *args: calls.append(args[1:]) or call(*args))
        run = meta_test(
            source,
            tmp_path,
            "--start",
            "best",
            "--num_envs",
            "2",
            "--episodes",
            "12",
            "--save_freq",
            "5",
        )
    assert next(returns, None) is None
    first, count, total = calls[-1]
    assert first + count >= total > first and calls[0][::2] == (
        0,
        total,
    )  # schedules span the updates there are
    assert column(run, "Epoch") == [4, 5, 6] and column(run, "TotalEnvInteracts") == [320, 400, 480]
    assert RunDir(run).config["meta_start"] == {
        "between-east": "east-north",
        "between-west": "west-south",
    }
    spec = envs.make("PointMass-ML4", split="test").spec
    first = load_agent(RunDir(run), "320", spec, RunDir(run).config).algo
    trained = loaded(source).algo
    np.testing.assert_allclose(
        act(first.policy, inputs(2).numpy()),
        act(trained.policy, inputs(4).numpy())[[1, 3]],
        atol=1e-5,
    )
    whole = rows(run)
    assert np.isfinite(column(run, "LossPi")[1:]).all()
    keep_checkpoints(run, 1)
    assert main(["resume", str(run)]) == 0
    assert rows(run) == whole


@pytest.mark.parametrize(
    "flags, words",
    [
        (
            ("--start", "best", "--episodes", "4"),
            "tries the run's 4 tasks in 4 of the --episodes, which are 4",
        ),
        (("--epochs", "3"), "--epochs is not for meta-test"),
        (("--hidden_sizes", "8"), "--hidden_sizes is not for meta-test"),
        (("--actor_sizes", "8"), "--actor_sizes is not for meta-test"),
        (("--critic_embedding", "4"), "--critic_embedding is not for meta-test"),
        (("--critic_sizes", "8"), "--critic_sizes is not for meta-test"),
        (
            ("--episodes", "5", "--num_envs", "2"),
            "--episodes must be a multiple of --num_envs (2), got 5",
        ),
        (("--episodes", "0"), "--episodes must be"),
        (("--seed", "1", "2"), "--seed: meta-test makes one run"),
        (("--gama", "1"), "unknown flag --gama"),
        (("--checkpoint", "7"), "no sound checkpoint '7'"),
    ],
)
def test_bad_flags(sources, tmp_path, capsys, flags, words):
    assert words in refused(capsys, "meta-test", sources("ddpg"), *flags, "--data_dir", tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_run_itself_is_not_overwritten(sources, capsys):
    source = sources("ddpg")
    before = sorted(source.rglob("*"))
    flags = ("--data_dir", source.parents[1], "--exp_name", source.parent.name, "--overwrite")
    assert "is the run that is adapted" in refused(capsys, "meta-test", source, *flags)
    assert sorted(source.rglob("*")) == before


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"network": "multi_head"}, "meta-test is for --network splitting"),
        ({"task_onehot": True}, "needs --task_onehot false"),
        ({"layers": "simba"}, "meta-test is for --layers dense"),
        ({"critic_embedding": 3}, "needs --critic_embedding 0"),
        ({"env": "PointMass-MT4"}, "meta-test is for ML sets"),
    ],
)
def test_runs_that_cannot_adapt(sources, tmp_path, capsys, changed, words):
    config = json.loads((sources("ddpg") / "config.json").read_text(encoding="utf-8"))
    values = flags_of(config | changed)  # the flags of the network that it now names
    (tmp_path / "config.json").write_text(json.dumps(values), encoding="utf-8")
    assert words in refused(capsys, "meta-test", tmp_path)
    assert "not a run directory" in refused(capsys, "meta-test", tmp_path / "nowhere")


def test_meta_splitting_needs_a_run(tmp_path, capsys):
    words = refused(
        capsys, "--env", "PointMass-ML4", "--network", "meta_splitting", "--data_dir", tmp_path
    )
    assert "main.py meta-test DIR" in words


@pytest.mark.slow
def test_ml10(tmp_path):
    """From the ten training tasks to the five test tasks, whose networks have no one-hot code to
    tell them apart."""
    flags = (
        "--env",
        "ML10",
        *RUN[2:],
        "--epochs",
        "1",
        "--steps_per_epoch",
        "5000",
        "--num_test_episodes",
        "1",
    )
    source = train(
        tmp_path, *flags, "--update_every", "500", "--updates_per_step", "0.1", algo="sac"
    )
    assert main(["meta-test", str(source), "--episodes", "2", "--data_dir", str(tmp_path)]) == 0
    run = tmp_path / "x_meta" / "x_meta_s0"
    assert (
        column(run, "TotalEnvInteracts") == [0, 2500, 5000]
        and "TestSuccess/lever-pull-v3" in rows(run)[0]
    )
    assert main(["eval", str(run), "--episodes", "1"]) == 0
