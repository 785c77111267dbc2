"""Deep Deterministic Policy Gradient (DDPG).

Lillicrap et al., 2015: https://arxiv.org/abs/1509.02971
Reference implementation: https://github.com/openai/spinningup (spinup/algos/pytorch/ddpg)
Differs from the paper, with the reference:
1. exploration noise is Gaussian by default (Ornstein-Uhlenbeck by flag) after uniform random steps;
2. no batch normalisation, no weight decay, actions enter the critic at its first layer;
3. updates come in bursts of as many as there were steps; both learning rates are 1e-3.
Differs from the reference:
4. while a burst runs the envs go on with the policy from before it, unless `--overlap false`;
5. Keras' initialiser (Glorot) and Adam epsilon (1e-7) in place of PyTorch's;
6. no time limit stops bootstrapping; there one of the env's own does that is below max_ep_len;
7. replay, actors and critics have actions in units: -1 and 1 are the env's bounds.
"""

from typing import Any

import tensorflow as tf

from rl.algos.common import Algorithm, Info, give_embedding, polyak_average
from rl.algos.value_losses import make_value_loss
from rl.flags.ddpg import Config
from rl.gradients.optimizer import Optimizers
from rl.networks import Critic, DeterministicActor, DeterministicPolicy, Torsos
from rl.spec import Batch, EnvSpec, Update


class DDPG(Algorithm[Batch]):
    """Losses are (), or (num_tasks,) where `spec` has tasks."""

    flags = Config
    loop = "off_policy"
    columns = {"QVals": "all", "LossPi": "mean", "LossQ": "mean"}
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
        self.value_loss = make_value_loss(config)
        self.actor = self._make_actor(torsos)
        self.actor_targ = self._make_actor(torsos)
        self.q = self._make_critic(torsos)
        self.q_targ = self._make_critic(torsos)
        self.targets = [(self.actor, self.actor_targ), (self.q, self.q_targ)]
        for net, targ in self.targets:
            targ.set_weights(net.get_weights())
        give_embedding(self.q, self.actor, self.actor_targ)
        self.pi_opt = optimizers.make(config.pi_lr, self.actor, self.actor_targ)
        self.q_opt = optimizers.make(config.q_lr, self.q, self.q_targ)
        # Ornstein-Uhlenbeck noise that is pulled to 0 all the way is Gaussian, without memory.
        theta = config.ou_theta if config.noise == "ou" else 1.0
        self.policy = DeterministicPolicy(self.actor, spec, config.act_noise, theta)
        self.finish_init()

    def _make_actor(self, torsos: Torsos) -> Any:
        actor = DeterministicActor(
            torsos.make(self.spec.act_dim, embedding=self.config.critic_embedding)
        )
        actor.build((*self.spec.batch_dims, None, self.spec.obs_dim))
        return actor

    def _make_critic(self, torsos: Torsos) -> Any:
        units = self.value_loss.units
        embedding = self.config.critic_embedding
        critic = Critic(torsos.make(units, critic=True, embedding=embedding))
        critic.build((*self.spec.batch_dims, None, self.spec.obs_dim + self.spec.act_dim))
        return critic

    # Losses: (...), one per task ------------------------------------------

    def q_loss(self, batch: Batch) -> tuple[tf.Tensor, Info]:
        """Mean squared Bellman error, eq. 4 and 5 of the paper, or that of `--critic_loss`.

        Returns:
          The loss of each task, and what to log. Prioritised replay learns from "TDError", `(...,
          batch)`.
        """
        act2 = self.actor_targ(batch.obs2)
        out2 = self.q_targ(batch.obs2, act2)
        target = self.value_loss.target(out2, batch)
        out = self.q(batch.obs, batch.act)
        losses = batch.weight * self.value_loss.loss(out, target)
        loss = tf.reduce_mean(losses, axis=-1)
        return loss, {
            "LossQ": loss,
            "QVals": self.value_loss.q_values(out),
            "TDError": self.value_loss.error(out, target),
        }

    def pi_loss(self, batch: Batch) -> tuple[tf.Tensor, Info]:
        """Deterministic policy gradient, eq. 6: climb the critic."""
        out = self.q(batch.obs, self.actor(batch.obs))
        q = self.value_loss.q_values(out)
        loss = -tf.reduce_mean(q, axis=-1)
        return loss, {"LossPi": loss}

    @tf.function(autograph=False)
    def train_step(self, batch: Batch, update: Update) -> Info:
        """One step on the critic, one on the actor against the new critic, one on the targets."""
        info = self.q_opt.minimise(lambda: self.q_loss(batch), update)
        give_embedding(self.q, self.actor, self.actor_targ)
        info |= self.pi_opt.minimise(lambda: self.pi_loss(batch), update)
        polyak_average(self.targets, self.config.polyak)
        return info
