"""How tasks learn which blocks of an AdaShare network to execute.

Sun et al., 2020: https://arxiv.org/abs/1911.12423
Reference implementation: https://github.com/sunxm2357/AdaShare
With a_tl the probability that task t executes block l of L, and beside the tasks' losses,

    sparsity = mean over t, l of -log(1 - a_tl)                                          (eq. 3)
    sharing = sum over l, pairs s < t of (L - l) / L |a_sl - a_tl|                       (eq. 4)

First all tasks execute all blocks. Then weights and logits learn in turns, and in turns of the
logits the last block, then the last two, and so on may be skipped, while the temperature of samples
falls. In the end each task has the blocks that are likeliest.
Differs from them:
1. eq. 3 is the reference's cross-entropy towards skipping, whose gradient vanishes with a_tl; the
   paper's log a_tl pushes for ever. Eq. 4 is the paper's; the reference compares logits and
   weighs blocks the other way round;
2. both are in units of the mean size of the tasks' losses, which in reinforcement learning are not
   of size 1; but for ppo's policy, whose loss is near 0 whatever its gradients are;
3. weights and logits learn from batches drawn alike, not from two halves of the data, and weights
   by the run's own optimiser;
4. training goes on with the blocks that were chosen; `--structure` trains them from scratch;
5. tasks act, and targets are told, by the likeliest blocks; ppo, whose updates compare a policy
   with itself as it acted, acts by the sample of its rollout.
"""

from typing import Any, NamedTuple, Sequence

import numpy as np
import tensorflow as tf

from rl.flags.torsos import AdaShare as Config
from rl.networks.groups import Group
from rl.splitting.blocks import Slots
from rl.splitting.drawing import Drawing, load_structure
from rl.splitting.watch import STRUCTURE, WEIGHTS, presence


class Stage(NamedTuple):
    """Where the schedule is.

    learned: how many of the last blocks tasks may skip. temperature: of samples; 0: the likeliest
    count. turn: what learns, one of rl.splitting.watch.
    """

    learned: int
    temperature: float
    turn: int


def stage_of(updates: int, turns_ended: int, blocks: int, config: Config) -> Stage:
    """The schedule after so many updates, and turns, of a network with so many blocks."""
    if updates < config.warmup_updates:
        return Stage(0, 0.0, WEIGHTS)
    if updates >= config.policy_updates:
        return Stage(blocks, 0.0, WEIGHTS)
    turns, logits_turn = divmod(turns_ended, 2)  # of both, and whether weights have had theirs
    learned = blocks
    if config.curriculum:
        learned = min(blocks, turns // config.curriculum + 1)
    temperature = config.temperature * config.temperature_decay**turns
    return Stage(learned, temperature, STRUCTURE if logits_turn else WEIGHTS)


class BlockPolicies(Drawing):
    """What blocks the tasks of a group execute; see Watch.

    Attributes:
      turns_ended: of weights and of logits. updates_of_turn: of the one under way.
    """

    columns = {"Executed": "mean"}

    def __init__(
        self, name: str, group: Group, twins: Sequence[Any], slots: Slots, config: Config
    ) -> None:
        super().__init__(group, twins, slots)
        self.config = config
        self.in_units = bool(group.merit)  # whether gradients are of size 1, and losses are not
        self.bank = self.torso.gates
        self.blocks = self.bank.learned.shape[0]
        depth = np.arange(self.blocks, dtype=np.float32)
        self.depth_weights = tf.constant((self.blocks - depth) / self.blocks)
        self.executed = np.ones((self.torso.num_tasks, self.blocks), bool)
        self.executed_is_given = bool(config.structure)
        self.turns_ended = 0
        self.updates_of_turn = 0
        if config.structure:
            self._use_structure(name)
        self._enter(self._stage())

    def _use_structure(self, name: str) -> None:
        """Lets tasks execute the blocks of another run's structure, of the group `name`."""
        given = load_structure(self.config.structure, name, "executed", self.executed.shape)
        logits = np.stack([given, 1 - given], axis=-1)
        for torso in self.torsos:
            torso.gates.variable.assign(logits.astype(np.float32))

    def _stage(self) -> Stage:
        if self.executed_is_given:
            return Stage(self.blocks, 0.0, WEIGHTS)
        return stage_of(self.updates, self.turns_ended, self.blocks, self.config)

    def _enter(self, stage: Stage) -> None:
        learned = np.arange(self.blocks) >= self.blocks - stage.learned
        for torso in self.torsos:
            torso.gates.temperature.assign(stage.temperature)
            torso.gates.learned.assign(learned)
        self.turn.assign(stage.turn)
        executed = self.torso.executed()
        if (executed != self.executed).any():
            self.events.append({"updates": self.updates, "executed": executed.tolist()})
        self.executed = executed

    def after(self, count: int) -> None:
        warmup_left = max(0, self.config.warmup_updates - self.updates)
        super().after(count)
        self.updates_of_turn += max(0, count - warmup_left)
        if self.updates_of_turn >= self.config.turn_updates:
            self.turns_ended += 1
            self.updates_of_turn = 0
        self._enter(self._stage())

    def penalty(self, losses: tf.Tensor, present: Any = None) -> tf.Tensor:
        """What is added to the losses `(num_tasks,)` where logits learn: `()`. Tasks that aren't
        present have no part in it, so that their logits stay."""
        flags = presence(present, self.torso.num_tasks)
        tasks = tf.maximum(tf.reduce_sum(flags), 1.0)
        logits = tf.convert_to_tensor(self.bank.variable)
        probability = tf.nn.softmax(logits)[..., 0]
        skip = tf.nn.log_softmax(logits)[..., 1]
        learned = tf.cast(self.bank.learned, tf.float32)
        count = tf.maximum(tf.reduce_sum(learned), 1.0) * tasks
        sparsity = -tf.reduce_sum(flags[:, None] * skip * learned) / count  # eq. 3
        pairs = flags[:, None] * flags
        gaps = pairs[..., None] * tf.abs(probability[:, None] - probability[None])
        sharing = tf.reduce_sum(gaps * self.depth_weights * learned) / 2  # eq. 4
        size = 1.0
        if not self.in_units:
            size = tf.stop_gradient(tf.reduce_sum(flags * tf.abs(losses)) / tasks)
        return size * (self.config.sparsity * sparsity + self.config.sharing * sharing)

    def values(self) -> dict[str, np.ndarray]:
        return {"Executed": np.array([self.executed.mean()])}

    def report(self) -> dict[str, Any]:
        """Which blocks each task executes and how that came to be, and the probabilities of it,
        `(num_tasks, blocks)` each."""
        probability = tf.nn.softmax(tf.convert_to_tensor(self.bank.variable))[..., 0]
        return {
            "updates": self.updates,
            "executed": self.executed.tolist(),
            "probability": np.round(probability, 4).tolist(),
            "events": self.events,
        }

    def state(self) -> dict[str, Any]:
        turns = {"turns_ended": self.turns_ended, "updates_of_turn": self.updates_of_turn}
        return super().state() | turns

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.turns_ended = state["turns_ended"]
        self.updates_of_turn = state["updates_of_turn"]
        self.executed = self.torso.executed()
