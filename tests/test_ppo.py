"""PPO: advantages by brute force, losses by hand, ratios, rollouts, the on-policy loop."""

import numpy as np
import pytest
import tensorflow as tf

from rl import envs, training
from rl.algos.advantages import gae
from rl.algos.ppo import PPO
from rl.buffers.rollout import Rollout
from rl.config import UserError
from rl.spec import RolloutBatch, map_fields
from rl.training.schedule import Config as ScheduleConfig
from rl.training.schedule import Schedule
from tests.helpers import command, records, refused
from tests.helpers_algos import DISCRETE, act, make_algo, make_spec, make_updates, one
from tests.helpers_buffers import advantages
from tests.helpers_loops import TOYS, make_on_policy


def random_rollout(steps=40, num_envs=3, seed=0):
    rng = np.random.default_rng(seed)
    rew, value, value2 = rng.normal(size=(3, steps, num_envs))
    done = rng.random((steps, num_envs)) < 0.1
    end = done | (rng.random((steps, num_envs)) < 0.1)
    return rew, value, value2, done.astype(float), end.astype(float)


@pytest.mark.parametrize("gamma, lam", [(0.99, 0.95), (0.9, 0.0), (1.0, 1.0)])
def test_gae_against_brute_force(gamma, lam):
    rollout = random_rollout()
    np.testing.assert_allclose(
        gae(*rollout, gamma, lam), advantages(*rollout, gamma, lam), rtol=1e-10, atol=1e-10
    )


def test_gae_with_lambda_one_is_the_return_minus_the_value():
    rew, value, value2, done, end = random_rollout()
    ret = np.zeros(rew.shape[1])
    for t in reversed(range(len(rew))):
        ret = rew[t] + 0.9 * np.where(
            end[t], (1 - done[t]) * value2[t], ret if t < len(rew) - 1 else value2[t]
        )
        # the value after a step that ended nothing is that of the next observation
        value2[t] = np.where(
            end[t] == 1, value2[t], value[t + 1] if t + 1 < len(rew) else value2[t]
        )
        np.testing.assert_allclose(
            gae(rew, value, value2, done, end, 0.9, 1.0)[t], ret - value[t], rtol=1e-9, atol=1e-9
        )


def make_ppo(num_tasks=None, **options):
    return make_algo(PPO, num_tasks, **options)


def make_batch(algo, num_tasks=None, size=16, seed=0):
    """A minibatch as the first of a rollout: drawn from the policy it is scored by."""
    rng = np.random.default_rng(seed)
    lead = (size,) if num_tasks is None else (num_tasks, size)
    obs, obs2 = rng.normal(size=(2, *lead, 3)).astype("f")
    u = act(algo.policy, obs, rng)
    scored = algo.evaluate(obs, obs2, u)
    return RolloutBatch(
        obs=obs,
        act=u,
        log_prob=scored["log_prob"],
        out=scored["out"],
        adv=rng.normal(size=lead).astype("f"),
        ret=rng.normal(size=lead).astype("f"),
    )


def stacked(*batches):
    """These minibatches, and as many Updates."""
    fields = {}
    for name, values in batches[0]._asdict().items():
        if values is not None:
            fields[name] = np.stack([getattr(batch, name) for batch in batches])
    return RolloutBatch(**fields), make_updates(len(batches), np.random.default_rng(0))


VARIANTS = {"default": {}, "shared": {"share_torso": True}, "state std": {"std": "state"}}
VARIANTS |= {
    "value norm": {"norm_value": True},
    "clipped value": {"clip_value": 0.2},
    "entropy": {"ent_coef": 0.01},
}


@pytest.fixture(name="algo", params=[*VARIANTS, "discrete"])
def algo_fixture(request):
    return (
        make_ppo(spec=DISCRETE)
        if request.param == "discrete"
        else make_ppo(**VARIANTS[request.param])
    )


def test_ratio_is_one_in_the_first_minibatch(algo):
    info = algo.update(*stacked(make_batch(algo)), 1)
    np.testing.assert_allclose(info["KL"], 0, atol=1e-6)
    assert info["ClipFrac"] == 0


def test_burst_equals_single_steps(algo):
    copy = make_ppo(
        spec=algo.spec, seed=1, **{k: getattr(algo.config, k) for k in ("share_torso", "std")}
    )
    copy.config = algo.config
    copy.load_state(algo.state())
    batches = stacked(*(make_batch(algo, seed=i) for i in range(4)))
    info = algo.update(*batches, 3)
    for i in range(3):
        single = copy.train_step(*one(batches, i))
        np.testing.assert_allclose(info["LossPi"][i], single["LossPi"], rtol=1e-3, atol=1e-5)
    for got, want in zip(algo.actor.get_weights(), copy.actor.get_weights()):
        np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-5)
    assert algo.burst.compiled.experimental_get_tracing_count() == 1
    assert set(info) < set(algo.columns)


def test_pi_loss_by_hand():
    """Ratios 2 and 1/2 with advantages 1 and -1, clipped to 1.2 and 0.8: gains min(2, 1.2) and
    min(-1/2, -0.8)."""
    algo = make_ppo(norm_adv=False)
    batch = make_batch(algo, size=2)
    batch = batch._replace(
        log_prob=batch.log_prob - np.log([2, 0.5]), adv=np.array([1.0, -1.0], "f")
    )
    loss, info = algo.pi_loss(batch)
    np.testing.assert_allclose(loss, -(1.2 - 0.8) / 2, rtol=1e-4)
    np.testing.assert_allclose(
        info["KL"], ((2 - 1 - np.log(2)) + (0.5 - 1 + np.log(2))) / 2, rtol=1e-4
    )
    np.testing.assert_allclose(info["ClipFrac"], 1)


def test_no_gradient_where_clipped():
    algo = make_ppo(norm_adv=False)
    for shift, adv, clipped in (
        (1.0, 1.0, True),
        (-1.0, -1.0, True),
        (1.0, -1.0, False),
        (0.1, 1.0, False),
    ):
        batch = make_batch(algo, size=2)
        batch = batch._replace(
            log_prob=batch.log_prob - np.float32(shift), adv=np.full(2, adv, "f")
        )
        with tf.GradientTape() as tape:
            loss, _ = algo.pi_loss(batch)
        grads = [g for g in tape.gradient(loss, algo.actor.trainable_variables) if g is not None]
        assert all(not np.any(g) for g in grads) == clipped


def test_v_loss_by_hand():
    algo = make_ppo(clip_value=0.5)
    batch = make_batch(algo, size=2)
    value = batch.out
    # the value has moved by 2 from the old one; the target is where it now is, so only the clipped
    # one is wrong
    batch = batch._replace(out=value - 2, ret=value)
    np.testing.assert_allclose(algo.v_loss(batch)[0], 1.5**2, rtol=1e-4)
    algo = make_ppo()
    np.testing.assert_allclose(algo.v_loss(batch._replace(ret=batch.ret + 3))[0], 9, rtol=1e-4)


def test_advantages_are_normalised_per_task():
    algo = make_ppo(2)
    batch = make_batch(algo, 2)
    loss = algo.pi_loss(batch)[0].numpy()
    other = batch.adv * [[1.0], [50.0]] + [[0.0], [7.0]]
    batch = batch._replace(adv=other.astype("f"))
    np.testing.assert_allclose(algo.pi_loss(batch)[0], loss, atol=1e-5)


def test_losses_have_one_value_per_task():
    algo, single = make_ppo(3), make_ppo()
    pairs = zip(algo.actor.get_weights(), single.actor.weights)
    single.actor.set_weights(
        [w if w.shape == tuple(s.shape) else w[:1] for w, s in pairs]
    )  # the std of task 0, 1 and 2
    batch = make_batch(algo, 3)
    values = algo.loss(batch)[0]
    singles = []
    for task in range(3):
        of_task = map_fields(lambda field, task=task: field[task], batch)
        singles.append(single.loss(of_task)[0])
    np.testing.assert_allclose(values, singles, rtol=1e-4, atol=1e-6)


def test_the_loss_weighs_entropy_and_values():
    algo = make_ppo(ent_coef=0.1, vf_coef=0.25)
    total, info = algo.loss(make_batch(algo))
    wanted = info["LossPi"] - 0.1 * info["Entropy"] + 0.25 * info["LossV"]
    np.testing.assert_allclose(total, wanted, rtol=1e-5)


def test_target_kl_ends_the_update():
    algo = make_ppo(target_kl=0.01, lr=0.1)
    batch = make_batch(algo)
    info = algo.update(*stacked(*[batch] * 10), 10)
    assert 1 <= len(info["KL"]) < 10 and (info["KL"][:-1] <= 0.015).all() and info["KL"][-1] > 0.015


def test_value_norm_learns_large_returns():
    """Returns near 1000: the critic's outputs stay near 0, and its values are in the returns'
    units."""
    algo = make_ppo(norm_value=True, lr=0.01)
    batch = make_batch(algo, size=64)
    ret = 1000 + 10 * batch.obs[:, 0]
    for _ in range(3):
        target = algo.targets(ret)
    assert abs(target.mean()) < 0.2 and 0.8 < target.std() < 1.2
    algo.update(*stacked(*[batch._replace(ret=algo.targets(ret).astype("f"))] * 400), 400)
    value = algo.evaluate(batch.obs, batch.obs, batch.act)["value"]
    assert np.abs(value - ret).mean() < 3


@pytest.mark.parametrize("num_tasks", [None, 2])
def test_value_norm_reads_a_fitted_critic_back_as_the_return(num_tasks, monkeypatch):
    """From the first rollout on: outputs that equal the targets mean values that equal the
    returns."""
    algo = make_ppo(num_tasks, norm_value=True)
    rng = np.random.default_rng(0)
    ret = 100 + 5 * rng.normal(size=(*algo.spec.batch_dims, 64)).astype("f")
    for scale in (1, 3):  # the second rollout's statistics are those of both
        target = tf.constant(algo.targets(scale * ret))
        monkeypatch.setattr(algo, "_evaluate", lambda *_, out=target: (out, out, out))
        read = algo.evaluate(None, None, None)
        np.testing.assert_allclose(read["value"], scale * ret, rtol=1e-5)
        np.testing.assert_allclose(read["value2"], scale * ret, rtol=1e-5)
        if scale == 1:
            np.testing.assert_allclose(target.numpy().mean(-1), 0, atol=1e-3)
            np.testing.assert_allclose(target.numpy().std(-1), 1, rtol=1e-2)


@pytest.mark.parametrize("num_tasks", [None, 2])
def test_rollout_keeps_steps_together(num_tasks):
    """Each step says its number; envs 0, 1 are of task 0, and 2, 3 of task 1."""
    spec, steps, num_envs = make_spec(num_tasks), 6, 4
    rollout = Rollout(spec, steps, num_envs)
    for t in range(steps):
        number = 10.0 * t + np.arange(num_envs)
        wide = lambda dim, number=number: np.repeat(number[:, None], dim, 1)
        ends = {"done": 0, "truncated": 0, "end": 0}
        rollout.store(obs=wide(3), act=wide(2), obs2=wide(3) + 10, rew=number, **ends)
    flat = rollout.flat(rollout.data["obs"])
    lead = () if num_tasks is None else (2,)
    assert flat.shape == (*lead, steps * num_envs // (num_tasks or 1), 3)
    if num_tasks:
        assert set(flat[1, :, 0] % 10) == {2, 3}
    np.testing.assert_array_equal(rollout.stacked(flat[..., 0]), rollout.data["rew"])
    algo = make_ppo(num_tasks)
    data, _ = algo.prepare(rollout)
    batches = rollout.batches(data, rollout.minibatch_order(3, 5, np.random.default_rng(0)))
    count = 24 // (num_tasks or 1) // 5
    assert batches.obs.shape == (3 * count, *lead, 5, 3)
    np.testing.assert_array_equal(batches.obs[..., 0], batches.act[..., 0])
    seen = batches.obs[:count, ..., 0].reshape(-1)
    assert len(set(seen)) == len(seen)  # within an epoch nothing comes twice


@pytest.mark.parametrize("num_envs", [1, 4])
def test_updates_come_after_each_rollout(tmp_path, num_envs):
    algo = make_ppo(spec=envs.make(TOYS + "Count").spec)
    loop = make_on_policy(tmp_path, algo, "Count", num_envs, steps_per_epoch=200)
    assert training.run(loop)
    assert loop.step == 400 and loop.updates == 400 // 25 * 2
    rows = records(tmp_path)
    assert (rows[0]["AverageEpRet"], rows[0]["EpLen"], rows[0]["Updates"]) == (6, 3, 4 * num_envs)


def test_a_run_shorter_than_a_rollout_is_refused(tmp_path):
    """50 steps of each of 4 envs, and one step more than there is."""
    algo = make_ppo(spec=envs.make(TOYS + "Count").spec)
    with pytest.raises(UserError, match="--rollout_steps 51 of 4 envs is 204 .* the run has 200"):
        make_on_policy(tmp_path, algo, "Count", 4, rollout_steps=51)
    loop = make_on_policy(tmp_path, algo, "Count", 4, rollout_steps=30)
    assert training.run(loop)
    assert loop.updates == 4 * 2  # of one rollout; the 80 steps after it are not enough


def value_learned(tmp_path, env, limit):
    algo = make_ppo(spec=envs.make(TOYS + env).spec, gamma=0.9, lam=0.9, lr=1e-2)
    loop = make_on_policy(
        tmp_path,
        algo,
        env,
        epochs=4,
        steps_per_epoch=1000,
        limit=limit,
        rollout_steps=200,
        batch_size=50,
    )
    training.run(loop)
    return records(tmp_path)[-1]["AverageVVals"]


def test_time_limits_bootstrap(tmp_path):
    """An endless stream of ones is worth 1 / (1 - gamma), although every episode is cut at 10
    steps."""
    assert value_learned(tmp_path, "Ones", 10) == pytest.approx(10, rel=0.03)


def test_termination_ends_it(tmp_path):
    """Ones for 5 steps, then termination, unseen by the policy: the mean of 1 to 1 + ... + gamma^4
    in the policy's eyes."""
    assert value_learned(tmp_path, "OnesUntilDeath", 50) < 4.1


def test_learns_to_choose(tmp_path):
    """The reward is the action, of 5, 6 and 7: a return of 20 steps is 140 at best, 120 at
    random."""
    algo = make_ppo(spec=envs.make(TOYS + "Discrete").spec, lr=1e-2, gamma=0.5)
    loop = make_on_policy(
        tmp_path, algo, "Discrete", epochs=2, steps_per_epoch=1000, rollout_steps=200, batch_size=50
    )
    training.run(loop)
    assert records(tmp_path)[-1]["AverageTestEpRet"] == 140


@pytest.mark.parametrize(
    "argv, words",
    [
        (
            ["--share_torso", "--critic_sizes", "8"],
            "--critic_sizes: with --share_torso the critic has no torso of its own",
        ),
    ],
)
def test_flags_that_make_no_sense(tmp_path, capsys, argv, words):
    assert words in refused(capsys, *command("--data_dir", tmp_path, *argv, algo="ppo"))
    assert not list(tmp_path.iterdir())


def test_the_rate_falls_over_all_rollouts(tmp_path):
    """Two rollouts of 50 steps, each 2 passes in 2 minibatches."""
    algo = make_ppo(spec=envs.make(TOYS + "Ones").spec)
    loop = make_on_policy(tmp_path, algo, "Ones", limit=50, epochs=1)
    loop.session.schedule = Schedule(ScheduleConfig(lr_schedule="linear", lr_end=0.0))
    rates = []

    def update(batches, updates, count):
        del batches
        rates.extend(updates.lr)
        return {name: np.zeros(count, np.float32) for name in ("LossPi", "LossV", "KL")}

    algo.update = update
    training.run(loop)
    np.testing.assert_allclose(rates, np.linspace(1, 0, 8), rtol=1e-6)
