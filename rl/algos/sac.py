"""Soft Actor-Critic (SAC) with a learned temperature.

Haarnoja et al., 2018: https://arxiv.org/abs/1812.05905
Reference implementation: https://github.com/rail-berkeley/softlearning
Differs from the paper and the reference:
1. learning rates are 1e-3 (Spinning Up's) in place of 3e-4; batches of 256 and polyak 0.995 are
   theirs;
2. 10k uniform random steps, updates in bursts of as many as there were steps;
3. while a burst runs the envs go on with the policy from before it, unless `--overlap false`;
4. replay, densities and the target entropy have actions in units: -1 and 1 are the env's bounds;
5. the log-density of a squashed action has no epsilon in it and is exact far out (see
   rl/networks/distributions.py);
6. Keras' initialiser (Glorot) and Adam epsilon (1e-7).
"""

from typing import Any

import tensorflow as tf

from rl.algos.common import Algorithm, Info, give_embedding, polyak_average
from rl.algos.value_losses import make_value_loss
from rl.config import UserError
from rl.flags.sac import Config
from rl.gradients.optimizer import Optimizers
from rl.networks import (
    Critic,
    SquashedGaussianActor,
    SquashedGaussianPolicy,
    Temperature,
    Torsos,
)
from rl.spec import Batch, EnvSpec, Update


class SAC(Algorithm[Batch]):
    """Losses are (), or (num_tasks,) where `spec` has tasks."""

    flags = Config
    loop = "off_policy"
    columns = {
        "Q1Vals": "all",
        "Q2Vals": "all",
        "LogPi": "all",
        "LossPi": "mean",
        "LossQ": "mean",
        "Alpha": "task",
        "LossAlpha": "mean",
    }
    saved = ("actor", "q", "q_targ", "temperature", "pi_opt", "q_opt", "alpha_opt")

    def __init__(
        self,
        spec: EnvSpec,
        torsos: Torsos,
        optimizers: Optimizers = Optimizers(),
        config: Config = Config(),
    ) -> None:
        if config.weight_tasks and not spec.num_tasks:
            raise UserError("--weight_tasks is for several tasks, and this env has one")
        self.spec = spec
        self.config = config
        self.value_loss = make_value_loss(config, reduce=config.critic_reduce)
        embedding = config.critic_embedding
        self.actor = SquashedGaussianActor(torsos.make(2 * spec.act_dim, embedding=embedding))
        self.actor.build((*spec.batch_dims, None, spec.obs_dim))
        units = self.value_loss.units
        self.q = Critic(torsos.make(units, critic=True, members=2, embedding=embedding))
        self.q_targ = Critic(torsos.make(units, critic=True, members=2, embedding=embedding))
        for net in (self.q, self.q_targ):
            net.build((*spec.batch_dims, None, spec.obs_dim + spec.act_dim))
        self.q_targ.set_weights(self.q.get_weights())
        give_embedding(self.q, self.actor)
        self.temperature = Temperature(config.alpha, spec.batch_dims, config.shared_alpha)
        self.pi_opt = optimizers.make(config.pi_lr, self.actor)
        self.q_opt = optimizers.make(config.q_lr, self.q, self.q_targ)
        self.alpha_opt = optimizers.make(config.alpha_lr, self.temperature)
        self.policy = SquashedGaussianPolicy(self.actor, spec)
        self.finish_init()

    def sample(self, obs: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Actions at obs, reparametrised, and their log densities."""
        shape = tf.concat([tf.shape(obs)[:-1], [self.spec.act_dim]], axis=0)
        return self.actor.sample(obs, tf.random.stateless_normal(shape, seed, alg="philox"))

    # Losses: (...), one per task ------------------------------------------

    def q_loss(self, batch: Batch, seed: tf.Tensor) -> tuple[tf.Tensor, Info]:
        """Squared soft Bellman errors of both critics, eq. 5 and 6 of the paper, or those of
        `--critic_loss`."""
        act2, log_pi2 = self.sample(batch.obs2, seed)
        cost = self.temperature.alpha[..., None] * log_pi2
        out2 = self.q_targ(batch.obs2, act2)
        target = self.value_loss.target(out2, batch, cost)
        out = self.q(batch.obs, batch.act)
        q = self.value_loss.q_values(out)
        losses = batch.weight * self.value_loss.loss(out, target)  # (critics, ..., batch)
        loss_of_critics = tf.reduce_mean(losses, axis=-1)
        loss = tf.reduce_sum(loss_of_critics, axis=0)
        return self.task_weights() * loss, {
            "LossQ": loss,
            "Q1Vals": q[0],
            "Q2Vals": q[1],
            "TDError": tf.reduce_mean(self.value_loss.error(out, target), axis=0),
        }

    def pi_loss(self, batch: Batch, seed: tf.Tensor) -> tuple[tf.Tensor, Info]:
        """Climb the smaller critic and the entropy, eq. 9."""
        act, log_pi = self.sample(batch.obs, seed)
        out = self.q(batch.obs, act)
        q = self.value_loss.ensemble_q(out)
        loss = tf.reduce_mean(self.temperature.alpha[..., None] * log_pi - q, axis=-1)
        return self.task_weights() * loss, {"LossPi": loss, "LogPi": log_pi}

    def alpha_loss(self, log_pi: tf.Tensor) -> tuple[tf.Tensor, Info]:
        """Raise the temperature while the entropy, -log pi, is below its target, eq. 18 in the
        log."""
        surplus = tf.reduce_mean(-log_pi, axis=-1) - self.config.target_entropy * self.spec.act_dim
        loss = self.temperature.log_alpha * tf.stop_gradient(surplus)
        return loss, {"LossAlpha": loss}

    def task_weights(self) -> Any:
        """1, or more for the tasks whose temperature is low. Yang et al., 2020:
        https://arxiv.org/abs/2003.13661."""
        if not (self.config.weight_tasks and self.spec.num_tasks):
            return 1.0
        return tf.stop_gradient(self.spec.num_tasks * tf.nn.softmax(-self.temperature.log_alpha))

    @tf.function(autograph=False)
    def train_step(self, batch: Batch, update: Update) -> Info:
        """One step on the critics, one on the actor, one on the temperature, one on the targets."""
        info = self.q_opt.minimise(lambda: self.q_loss(batch, update.seed), update)
        give_embedding(self.q, self.actor)
        info |= self.pi_opt.minimise(lambda: self.pi_loss(batch, update.seed + 1), update)
        info |= {"Alpha": self.temperature.alpha, "LossAlpha": tf.zeros(self.spec.batch_dims)}
        if self.config.learn_alpha:
            log_pi = info["LogPi"]
            info |= self.alpha_opt.minimise(lambda: self.alpha_loss(log_pi), update)
        polyak_average([(self.q, self.q_targ)], self.config.polyak)
        return info
