"""TD3 and SAC: losses by hand, TD3 against DDPG, SAC's temperature."""

import numpy as np
import pytest
import tensorflow as tf

from rl.algos.ddpg import DDPG
from rl.algos.sac import SAC
from rl.algos.td3 import TD3
from rl.config import UserError
from rl.spec import map_fields
from tests.helpers_algos import FULL, HAND, make_algo, make_batches, make_spec, one, set_weights


def linear(algorithm, **flags):
    """One obs, one action, linear networks: q = (obs + 4 act + 3, obs), q_targ = (2 obs + 8 act +
    1, 3 obs), in units whatever the bounds."""
    algo = make_algo(
        algorithm, sizes=(), spec=make_spec(obs_dim=1, low=(-2.0,), high=(2.0,)), **flags
    )
    set_weights(algo.q, [[[1], [4]], [[1], [0]]], [[[3]], [[0]]])
    set_weights(algo.q_targ, [[[2], [8]], [[3], [0]]], [[[1]], [[0]]])
    return algo


def test_td3_losses_by_hand():
    algo = linear(TD3, target_noise=0.0)
    set_weights(algo.actor, [[0]], [np.arctanh(0.5)])  # pi = 0.5
    set_weights(algo.actor_targ, [[0]], [np.arctanh(0.25)])  # pi_targ = 0.25
    # q_targ = (2 + 2 + 1, 3) at obs2 = 1, the smaller is 3; backup = (1 + 0.5 * 3, 2), the second
    # one terminated q1 = (6, 1), q2 = (1, 0)
    loss, info = algo.q_loss(HAND, FULL.seed)
    np.testing.assert_allclose(loss, (3.5**2 + 1) / 2 + (1.5**2 + 4) / 2, rtol=1e-5)
    np.testing.assert_allclose(info["TDError"], [2.5, 1.5], rtol=1e-5)
    np.testing.assert_allclose(algo.pi_loss(HAND)[0], -5.5, rtol=1e-6)  # the first critic alone


def test_the_mean_of_both_critics_by_hand():
    """As above, where (5 + 3) / 2 is 4: backup = (1 + 0.5 * 4, 2)."""
    algo = linear(TD3, target_noise=0.0, critic_reduce="mean")
    set_weights(algo.actor_targ, [[0]], [np.arctanh(0.25)])
    loss, _ = algo.q_loss(HAND, FULL.seed)
    np.testing.assert_allclose(loss, (3**2 + 1) / 2 + (2**2 + 4) / 2, rtol=1e-5)
    sac = linear(SAC, alpha=1e-9, critic_reduce="mean")
    set_weights(sac.actor, [[0, 0]], [np.arctanh(0.5), -20])
    # q = (1 + 2 + 3, 1) at obs 1 and (2 + 3, 0) at obs 0
    np.testing.assert_allclose(sac.pi_loss(HAND, FULL.seed)[0], -(3.5 + 2.5) / 2, rtol=1e-4)


def test_target_noise_is_clipped_in_units():
    algo = make_algo(
        TD3, target_noise=10.0, noise_clip=0.25, spec=make_spec(low=(-9.0, 0.0), high=(9.0, 4.0))
    )
    set_weights(algo.actor_targ, *(0 * w for w in algo.actor_targ.get_weights()))
    batch, update = one(make_batches(1, batch=1000))
    act = algo.smoothed_action(batch.obs2, update.seed).numpy()
    assert np.abs(np.abs(act).max(0) - 0.25).max() < 1e-6
    assert np.abs(act.mean(0)).max() < 0.02
    set_weights(algo.actor_targ, *(0 * w for w in algo.actor_targ.get_weights()))
    algo.actor_targ.torso.biases[-1].assign([np.arctanh(0.9)] * 2)
    act = algo.smoothed_action(batch.obs2, update.seed).numpy()
    assert act.max() == 1 and act.min() == pytest.approx(0.65)


@pytest.mark.parametrize("algorithm", [TD3, SAC])
def test_importance_weights_scale_each_error(algorithm):
    """Where only the first transition counts the loss is half of what it has alone."""
    algo = linear(algorithm, **({"target_noise": 0.0} if algorithm is TD3 else {"alpha": 1e-9}))
    if algorithm is SAC:
        set_weights(algo.actor, [[0, 0]], [0.5, -20])  # a std of 2e-9
    first = map_fields(lambda field: field[:1], HAND)
    alone, _ = algo.q_loss(first, FULL.seed)
    weighted, _ = algo.q_loss(HAND._replace(weight=np.array([1, 0], np.float32)), FULL.seed)
    np.testing.assert_allclose(weighted, alone / 2, rtol=1e-4)


def test_td3_equals_ddpg_step_for_step():
    """Without noise and delay, with equal critics."""
    td3 = make_algo(TD3, target_noise=0.0, policy_delay=1)
    ddpg = make_algo(DDPG)
    for td3_net, ddpg_net in ((td3.actor, ddpg.actor), (td3.actor_targ, ddpg.actor_targ)):
        td3_net.set_weights(ddpg_net.get_weights())
    for td3_net, ddpg_net in ((td3.q, ddpg.q), (td3.q_targ, ddpg.q_targ)):
        pairs = zip(ddpg_net.get_weights(), td3_net.get_weights())
        td3_net.set_weights([np.broadcast_to(w, shape.shape) for w, shape in pairs])
    batches = make_batches(20)
    infos = [algo.update(*batches, 20) for algo in (td3, ddpg)]
    np.testing.assert_allclose(infos[0]["LossPi"], infos[1]["LossPi"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(infos[0]["LossQ"], 2 * infos[1]["LossQ"], rtol=1e-4, atol=1e-5)
    for got, want in zip(td3.actor_targ.get_weights(), ddpg.actor_targ.get_weights()):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_policy_delay():
    """Updates 2 and 5 of 0 to 6 move the actor and the targets, wherever a burst begins."""
    algo, moved = make_algo(TD3, policy_delay=3), []
    batches, updates = make_batches(7)
    for i in range(7):
        nets = (algo.actor, algo.actor_targ, algo.q_targ)
        before = [net.get_weights()[0] for net in nets]
        at_i = lambda field, i=i: field[i : i + 1]
        info = algo.update(map_fields(at_i, batches), map_fields(at_i, updates), 1)
        have_moved = [(net.get_weights()[0] != old).any() for net, old in zip(nets, before)]
        assert len(set(have_moved)) == 1
        moved.append(have_moved[0])
        assert len(info["LossPi"]) == moved[-1]
    assert moved == [False, False, True, False, False, True, False]


def test_sac_losses_by_hand():
    algo = linear(SAC, alpha=0.5)
    set_weights(algo.actor, [[0, 0]], [np.arctanh(0.5), -20])  # u = 0.549, std 2e-9: pi = 0.5
    noise = tf.random.stateless_normal((2, 1), FULL.seed, alg="philox").numpy()[:, 0]
    log_pi = -0.5 * (noise**2 + np.log(2 * np.pi)) + 20 - np.log(1 - 0.25)
    # q_targ(obs2, 0.5) = (2 + 4 + 1, 3) at obs2 = 1; the second transition terminated
    backup = np.array([1 + 0.5 * (3 - 0.5 * log_pi[0]), 2])
    loss, _ = algo.q_loss(HAND, FULL.seed)
    np.testing.assert_allclose(
        loss, np.mean(([6, 1] - backup) ** 2 + ([1, 0] - backup) ** 2), rtol=1e-3
    )
    loss, info = algo.pi_loss(HAND, FULL.seed + 1)
    np.testing.assert_allclose(
        loss, np.mean(0.5 * info["LogPi"] - np.array([1, 0])), rtol=1e-4
    )  # min(q) = obs


@pytest.mark.parametrize("log_pi, rises", [(3.0, True), (1.0, False)])
def test_temperature_rises_while_the_entropy_is_below_its_target(log_pi, rises):
    """Two actions: the target entropy is -2."""
    algo = make_algo(SAC, alpha_lr=0.1)
    algo.alpha_opt.minimise(lambda: algo.alpha_loss(tf.fill((4,), log_pi)), FULL)
    assert (algo.temperature.alpha.numpy() > 1) == rises


def test_tasks_can_share_a_temperature():
    """Three tasks whose entropies are 1 above, 1 above and 5 below the target of -2, together
    below."""
    algo = make_algo(SAC, num_tasks=3, alpha=0.5, alpha_lr=0.1, shared_alpha=True)
    assert algo.temperature.log_alpha.shape == ()
    np.testing.assert_allclose(algo.temperature.alpha, [0.5] * 3, rtol=1e-6)
    log_pi = tf.constant([[1.0] * 4, [1.0] * 4, [7.0] * 4])
    with tf.GradientTape() as tape:
        loss, _ = algo.alpha_loss(log_pi)
    assert loss.shape == (3,)
    gradient = tape.gradient(loss, algo.temperature.log_alpha)
    np.testing.assert_allclose(gradient, 1 + 1 - 5, rtol=1e-5)
    algo.alpha_opt.minimise(lambda: algo.alpha_loss(log_pi), FULL)
    assert (algo.temperature.alpha.numpy() > 0.5).all()
    with pytest.raises(UserError, match="--weight_tasks needs an alpha for each task"):
        SAC.flags(weight_tasks=True, shared_alpha=True)


def test_temperature_can_be_fixed():
    algo = make_algo(SAC, alpha=0.2, learn_alpha=False)
    info = algo.update(*make_batches(5), 5)
    np.testing.assert_allclose(info["Alpha"], 0.2, rtol=1e-6)


def test_entropy_reaches_its_target_on_a_bandit():
    """Rewards alone would end all noise, the entropy bonus alone would make it uniform: -1 is the
    temperature's."""
    algo = make_algo(
        SAC, spec=make_spec(low=(-1.0,), high=(1.0,)), pi_lr=3e-3, alpha_lr=1e-2, q_lr=1e-3
    )
    rng, log_pi = np.random.default_rng(0), []
    for _ in range(60):
        batches, updates = make_batches(50, batch=64)
        act = rng.uniform(-1, 1, (50, 64, 1)).astype("f")
        batches = batches._replace(
            act=act, rew=-5 * act[..., 0] ** 2, done=np.ones((50, 64), np.float32)
        )
        updates = updates._replace(seed=rng.integers(0, 2**31, (50, 2), np.int32))
        log_pi.append(algo.update(batches, updates, 50)["LogPi"].mean())
    assert abs(-np.mean(log_pi[-5:]) - -1) < 0.15
