"""Twin Delayed DDPG (TD3).

Fujimoto et al., 2018: https://arxiv.org/abs/1802.09477
Reference implementation: https://github.com/sfujim/TD3
Differs from the paper and the reference:
1. learning rates are 1e-3 and batches 100, as in the paper (the later reference: 3e-4 and 256);
2. 10k uniform random steps and Gaussian exploration noise for every env, updates in bursts;
3. while a burst runs the envs go on with the policy from before it, unless `--overlap false`;
4. Keras' initialiser (Glorot) and Adam epsilon (1e-7) in place of PyTorch's;
5. replay, actors, critics and both noises have actions in units: -1 and 1 are the env's bounds.
With target_noise 0, policy_delay 1 and equal critics a step of TD3 is one of DDPG.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from rl.algos.common import Algorithm, Info, give_embedding, polyak_average
from rl.algos.value_losses import make_value_loss
from rl.flags.td3 import Config
from rl.gradients.conditional import only_if
from rl.gradients.optimizer import Optimizers
from rl.networks import Critic, DeterministicActor, DeterministicPolicy, Torsos
from rl.spec import Batch, EnvSpec, Update


class TD3(Algorithm[Batch]):
    """Losses are (), or (num_tasks,) where `spec` has tasks."""

    flags = Config
    loop = "off_policy"
    columns = {"Q1Vals": "all", "Q2Vals": "all", "LossPi": "mean", "LossQ": "mean"}
    saved = ("actor", "actor_targ", "q", "q_targ", "pi_opt", "q_opt")

    def __init__(
        self,
        spec: EnvSpec,
        torsos: Torsos,
        optimizers: Optimizers = Optimizers(),
        config: Config = Config(),
    ) -> None:
        self.spec = spec
        self.config = config
        self.value_loss = make_value_loss(config, reduce=config.critic_reduce)
        self.actor = self._make_actor(torsos)
        self.actor_targ = self._make_actor(torsos)
        self.q = self._make_critics(torsos)
        self.q_targ = self._make_critics(torsos)
        self.targets = [(self.actor, self.actor_targ), (self.q, self.q_targ)]
        for net, targ in self.targets:
            targ.set_weights(net.get_weights())
        give_embedding(self.q, self.actor, self.actor_targ)
        self.pi_opt = optimizers.make(config.pi_lr, self.actor, self.actor_targ)
        self.q_opt = optimizers.make(config.q_lr, self.q, self.q_targ)
        self.policy = DeterministicPolicy(self.actor, spec, config.act_noise)
        self.finish_init()

    def _make_actor(self, torsos: Torsos) -> Any:
        actor = DeterministicActor(
            torsos.make(self.spec.act_dim, embedding=self.config.critic_embedding)
        )
        actor.build((*self.spec.batch_dims, None, self.spec.obs_dim))
        return actor

    def _make_critics(self, torsos: Torsos) -> Any:
        units = self.value_loss.units
        embedding = self.config.critic_embedding
        critics = Critic(torsos.make(units, critic=True, members=2, embedding=embedding))
        critics.build((*self.spec.batch_dims, None, self.spec.obs_dim + self.spec.act_dim))
        return critics

    # Losses: (...), one per task ------------------------------------------

    def smoothed_action(self, obs2: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The target policy's action at obs2 with clipped noise, eq. 14."""
        act = self.actor_targ(obs2)
        noise = self.config.target_noise * tf.random.stateless_normal(
            tf.shape(act), seed, alg="philox"
        )
        noise = tf.clip_by_value(noise, -self.config.noise_clip, self.config.noise_clip)
        return tf.clip_by_value(act + noise, -1, 1)

    def q_loss(self, batch: Batch, seed: tf.Tensor) -> tuple[tf.Tensor, Info]:
        """Squared Bellman errors of both critics against the smaller target, algorithm 1, or those
        of `--critic_loss`."""
        act2 = self.smoothed_action(batch.obs2, seed)
        out2 = self.q_targ(batch.obs2, act2)
        target = self.value_loss.target(out2, batch)
        out = self.q(batch.obs, batch.act)
        q = self.value_loss.q_values(out)
        losses = batch.weight * self.value_loss.loss(out, target)  # (critics, ..., batch)
        loss_of_critics = tf.reduce_mean(losses, axis=-1)
        loss = tf.reduce_sum(loss_of_critics, axis=0)
        return loss, {
            "LossQ": loss,
            "Q1Vals": q[0],
            "Q2Vals": q[1],
            "TDError": tf.reduce_mean(self.value_loss.error(out, target), axis=0),
        }

    def pi_loss(self, batch: Batch) -> tuple[tf.Tensor, Info]:
        """Deterministic policy gradient: climb the first critic."""
        out = self.q(batch.obs, self.actor(batch.obs), member=0)
        q = self.value_loss.q_values(out)
        loss = -tf.reduce_mean(q, axis=-1)
        return loss, {"LossPi": loss}

    @tf.function(autograph=False)
    def train_step(self, batch: Batch, update: Update) -> Info:
        """One step on the critics; every `policy_delay`th time one on the actor and the targets
        too."""
        info = self.q_opt.minimise(lambda: self.q_loss(batch, update.seed), update)
        give_embedding(self.q, self.actor, self.actor_targ)
        due = self.policy_is_due(update.number)
        return info | only_if(due, lambda: self.delayed_step(batch, update), self.no_delayed_step())

    def delayed_step(self, batch: Batch, update: Update) -> Info:
        """One step on the actor against the new critics, one on the targets."""
        info = self.pi_opt.minimise(lambda: self.pi_loss(batch), update)
        polyak_average(self.targets, self.config.polyak)
        return info

    def no_delayed_step(self) -> Info:
        """The info of a delayed step that isn't taken: zeros, which `update` leaves out."""
        info = {"LossPi": tf.zeros(self.spec.batch_dims)}
        for name, kind in self.pi_opt.step_columns.items():
            info[name] = tf.zeros(self.spec.batch_dims if kind == "task" else ())
        return info

    def policy_is_due(self, number: Any) -> Any:
        """Whether the policy moves in the update with this number, from 0."""
        return (number + 1) % self.config.policy_delay == 0

    def update(self, batches: Batch, updates: Update, count: int) -> dict[str, np.ndarray]:
        """`count` train steps on the first `count` of `batches`; the actor's info is of those that
        updated it."""
        info = super().update(batches, updates, count)
        due = self.policy_is_due(updates.number[:count])
        return info | {name: info[name][due] for name in ("LossPi", *self.pi_opt.step_columns)}
