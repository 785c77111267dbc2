"""Proximal Policy Optimisation (PPO), the clipped variant.

Schulman et al., 2017: https://arxiv.org/abs/1707.06347
Reference implementation: https://github.com/openai/baselines (ppo2), as CleanRL documents it:
https://iclr-blog-track.github.io/2022/03/25/ppo-implementation-details/
Differs from the reference:
1. a truncated episode bootstraps from its final observation;
2. u = 1 is the upper bound of an action and -1 the lower, whatever the env's bounds are; u is
   clipped for the env only;
3. the value loss is not clipped by default, and its coefficient multiplies a mean square without
   1/2;
4. minibatches are drawn anew each epoch, and what is left over by their size is dropped;
5. with a target_kl an update stops after the first minibatch whose KL, the largest of all tasks,
   is above 1.5 times that;
6. the learning rate falls with each minibatch, not with each rollout;
7. by `--norm_value` the critic predicts returns minus their mean, over their std;
8. of tasks that were visited unequally often an epoch has as many samples each: those with fewer
   steps repeat theirs, and those with more show a part. Tasks that were not visited have no loss
   and no gradient, and their statistics stay; only an optimiser's momentum goes on;
9. with `--critic linear` values are linear, fitted to the rollout before, as garage's MTPPO has it;
   an episode's returns end with it, also by a time limit, and are bootstrapped where the rollout
   ends first.

The statistics of item 7, of all returns so far, take in a rollout's returns before they scale them,
so that outputs equal to the targets are read back as the returns. A rollout's values are read by
the statistics from before it, which its critic was trained to. The last layer is not rescaled when
the statistics move, as PopArt's is, and `--clip_value` is in units of the critic's outputs.
"""

from typing import Any, Optional

import numpy as np
import tensorflow as tf

from rl.algos.advantages import explained_variance, gae
from rl.algos.baseline import LinearBaseline
from rl.algos.common import Algorithm, Info
from rl.buffers.normaliser import RunningMoments
from rl.buffers.rollout import Rollout
from rl.flags.ppo import Config, check_critic
from rl.gradients.optimizer import Optimizers
from rl.networks import CategoricalPolicy, GaussianPolicy, PolicyValue, Torsos
from rl.networks.memory import Past
from rl.spec import EnvSpec, Memory, RolloutBatch, Update

Arrays = dict[str, np.ndarray]


class PPO(Algorithm[RolloutBatch]):
    """Losses are (), or (num_tasks,) where `spec` has tasks."""

    flags = Config
    loop = "on_policy"
    discrete = True
    memory = True
    columns = {
        "VVals": "all",
        "LossPi": "mean",
        "LossV": "mean",
        "Entropy": "mean",
        "KL": "mean",
        "ClipFrac": "mean",
        "ExplainedVar": "mean",
        "Updates": "mean",
    }
    saved = ("actor", "opt")
    host = ("returns",)

    def __init__(
        self,
        spec: EnvSpec,
        torsos: Torsos,
        optimizers: Optimizers = Optimizers(),
        config: Config = Config(),
    ) -> None:
        self.spec = spec
        self.config = config
        check_critic(config)
        linear = config.critic == "linear"
        self.baseline = LinearBaseline(spec.obs_dim, spec.batch_dims) if linear else None
        if linear:
            self.host = ("baseline",)
            self.columns = {name: kind for name, kind in self.columns.items() if name != "LossV"}
        self.actor = PolicyValue(
            torsos, spec, config.share_torso, config.std, config.log_std, value=not linear
        )
        self.actor.build((*spec.batch_dims, None, *spec.obs.shape))
        self.opt = optimizers.make(config.lr, self.actor)
        self.returns = RunningMoments(spec.batch_dims)
        kind = CategoricalPolicy if spec.choices else GaussianPolicy
        self.policy = kind(self.actor, spec)
        self.finish_init()

    # Losses: (...), one per task ------------------------------------------

    def pi_loss(self, batch: RolloutBatch, present: Any = None) -> tuple[tf.Tensor, Info]:
        """The clipped surrogate, eq. 7, and the entropy bonus."""
        adv = batch.adv
        mean_advantage = tf.reduce_mean(visited(present, adv), axis=-1)
        clip = self.config.clip_ratio
        if self.config.norm_adv:
            mean, var = tf.nn.moments(adv, axes=[-1], keepdims=True)
            adv = (adv - mean) / (tf.sqrt(var) + 1e-8)
        log_prob, entropy = self.actor.log_prob(batch.obs, batch.act, past_of(batch))
        log_ratio = visited(present, log_prob - batch.log_prob)
        ratio = tf.exp(log_ratio)
        gain = tf.minimum(ratio * adv, tf.clip_by_value(ratio, 1 - clip, 1 + clip) * adv)
        loss = -tf.reduce_mean(visited(present, gain), axis=-1)
        entropy = tf.reduce_mean(visited(present, entropy), axis=-1)
        # Schulman, 2020 (http://joschu.net/blog/kl-approx.html): unbiased, never negative
        kl = tf.reduce_mean(ratio - 1 - log_ratio, axis=-1)
        clipped = tf.reduce_mean(tf.cast(tf.abs(ratio - 1) > clip, tf.float32), axis=-1)
        return loss - self.config.ent_coef * entropy, {
            "LossPi": loss,
            "Entropy": entropy,
            "KL": kl,
            "ClipFrac": clipped,
            "Advantage": mean_advantage,
        }

    def v_loss(self, batch: RolloutBatch, present: Any = None) -> tuple[tf.Tensor, Info]:
        """Mean squared error of the value; with `--clip_value` of each sample the larger one of its
        squared error and that of the value kept near the old one."""
        value = self.actor.value(batch.obs, past_of(batch))
        error = (value - batch.ret) ** 2
        if self.config.clip_value:
            moved = tf.clip_by_value(
                value - batch.out, -self.config.clip_value, self.config.clip_value
            )
            error = tf.maximum(error, (batch.out + moved - batch.ret) ** 2)
        loss = tf.reduce_mean(visited(present, error), axis=-1)
        return loss, {"LossV": loss}

    def loss(self, batch: RolloutBatch, present: Any = None) -> tuple[tf.Tensor, Info]:
        """Both, eq. 9; the policy's alone where values are linear."""
        if self.baseline:
            return self.pi_loss(batch, present)
        pi_loss, pi_info = self.pi_loss(batch, present)
        v_loss, v_info = self.v_loss(batch, present)
        return pi_loss + self.config.vf_coef * v_loss, pi_info | v_info

    @tf.function(autograph=False)
    def train_step(self, batch: RolloutBatch, update: Update) -> Info:
        """One step on actor and critic."""
        info = self.opt.minimise(lambda: self.loss(batch, update.present), update)
        # No column: networks that change while they train judge by it how well tasks do.
        del info["Advantage"]
        if self.config.target_kl:
            info["stop"] = tf.reduce_max(info["KL"]) > 1.5 * self.config.target_kl
        return info

    # Rollouts -------------------------------------------------------------

    def prepare(self, rollout: Rollout) -> tuple[Arrays, Arrays]:
        """What the minibatches of a full rollout are made of, fields `(*batch_dims, steps of a
        task, ...)`, and what to log."""
        steps = rollout.data
        fields = {name: rollout.flat(steps[name]) for name in ("obs", "obs2", "act", "time")}
        if isinstance(rollout.memory, np.ndarray):
            outputs = self.evaluate(**fields, memory=rollout.memory)
            outputs["start"] = (fields["time"] == 0).astype(np.float32)
        else:
            outputs = rollout.by_pieces(lambda piece: self.evaluate(**piece), fields)
        value = rollout.stacked(outputs.pop("value"))
        value2 = rollout.stacked(outputs.pop("value2"))
        done = steps["done"]
        if self.baseline:
            # It knows the time, so that a time limit ends its returns as a termination does.
            done = np.maximum(done, steps["truncated"])
        trajectories = (steps["rew"], value, value2, done, steps["end"], self.config.gamma)
        adv = gae(*trajectories, self.config.lam)
        ret = rollout.flat(adv + value)
        data = {"obs": fields["obs"], "act": fields["act"], "adv": rollout.flat(adv), **outputs}
        mask = rollout.mask()
        if self.baseline:
            # With lambda 1 advantage and value add up to the discounted return.
            discounted = rollout.flat(gae(*trajectories, 1.0) + value)
            self.baseline.fit(fields["obs"], fields["time"], discounted, mask)
        else:
            data["ret"] = self.targets(ret, mask)
        explained = explained_variance(data["adv"], ret, mask)
        return data, {"VVals": value, "ExplainedVar": explained}

    @tf.function(autograph=False, jit_compile=True)
    def _log_prob(self, obs: tf.Tensor, act: tf.Tensor, past: Optional[Past]) -> tf.Tensor:
        return self.actor.log_prob(obs, act, past)[0]

    @tf.function(autograph=False, jit_compile=True)
    def _evaluate(
        self, obs: tf.Tensor, obs2: tf.Tensor, act: tf.Tensor, past: Optional[Past]
    ) -> tuple[tf.Tensor, ...]:
        value, value2 = self.actor.values(obs, obs2, past)
        return value, value2, self.actor.log_prob(obs, act, past)[0]

    def evaluate(
        self,
        obs: np.ndarray,
        obs2: np.ndarray,
        act: np.ndarray,
        time: Any = 0,
        memory: Memory = (),
    ) -> Arrays:
        """For steps (..., steps, dim): the critic's outputs, the values of obs and obs2, the log
        densities of act.

        Args:
          time: (..., steps), steps since the start of the episode. memory: of networks that have
            one, before each of the sequences that the steps then are, as Past has it.
        """
        past = None
        if isinstance(memory, np.ndarray):
            past = Past(memory, (time == 0).astype(np.float32))
        if self.baseline:
            return {
                "value": self.baseline.predict(obs, time),
                "value2": self.baseline.predict(obs2, time + 1),
                "log_prob": self._log_prob(obs, act, past).numpy(),
            }
        out, out2, log_prob = (x.numpy() for x in self._evaluate(obs, obs2, act, past))
        mean, std = self._scale()
        return {
            "out": out,
            "value": mean + std * out,
            "value2": mean + std * out2,
            "log_prob": log_prob,
        }

    def targets(self, ret: np.ndarray, mask: Optional[np.ndarray] = None) -> np.ndarray:
        """What the critic's outputs should be for returns (..., steps), of which those with a true
        `mask`, the same shape, count. The statistics take them in before they scale them."""
        if mask is None:
            self.returns.update(ret.T)
        else:
            self.returns.merge(*masked_moments(ret, mask))
        mean, std = self._scale()
        return (ret - mean) / std

    def _scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and std of returns, (..., 1), by which the critic's outputs are read."""
        if not self.config.norm_value:
            return np.zeros(1, np.float32), np.ones(1, np.float32)
        mean = np.asarray(self.returns.mean, np.float32)
        std = np.asarray(self.returns.std, np.float32)
        return mean[..., None], std[..., None]


def past_of(batch: RolloutBatch) -> Optional[Past]:
    """What came before the sequences of a batch; None for one of single steps."""
    return None if batch.memory is None else Past(batch.memory, batch.start)


def visited(present: Optional[tf.Tensor], values: tf.Tensor) -> tf.Tensor:
    """`values` (num_tasks, batch), 0 and without gradient for tasks that have no samples, whose
    `present` is 0; None: all have."""
    if present is None:
        return values
    return tf.where(present[:, None] > 0, values, 0.0)


def masked_moments(ret: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, variance and number of each row's values that have a true `mask`."""
    count = mask.sum(-1)
    total = np.maximum(1, count)
    mean = ret.sum(-1, dtype=float, where=mask) / total
    var = ((ret - mean[:, None]) ** 2).sum(-1, where=mask) / total
    return mean, var, count
