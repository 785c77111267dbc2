"""BounceGrad: annealing finds the modules that tasks use, while gradients train them.

Alet et al., 2018: https://arxiv.org/abs/1806.10166
Reference implementation: https://github.com/FerranAlet/modular-metalearning
For each task another module is proposed for one slot of its structure. It is accepted if the task's
loss is no larger by it, else with probability exp(-d / temperature), where d is how much larger the
loss is. The temperature isn't scheduled, but the share of worse proposals that are accepted is: it
falls as exp(-5 updates / anneal_updates), and the temperature rises by a factor of 1.1 where the
measured share is below, and falls by it where it isn't. With `--inner_steps` all losses are those
after some steps of the task's own (MOMA).
Differs from them:
1. losses are compared over `--propose_updates` updates or more, since replay and bootstrapped
   targets make them move, and modules need time; there in every step;
2. they are compared on batches from before the step that learns from them, which stand in for
   training and validation data apart;
3. d is in units of the mean size of the task's losses, so that one temperature is for all tasks;
4. a proposal is never the module that is there already;
5. the measured share begins at 1 and follows a proposal by at most 0.01; theirs is the first
   proposal's own at first, and a refused one all but stops it;
6. the temperature moves only with proposals that were worse, since others tell nothing of it;
7. inner steps are first-order: their own gradients are constants. They are taken on the batch whose
   loss then counts, and not when tasks act or targets are told;
8. ppo's policy, whose loss is of actions that the present structure chose, acts for one window by
   the present structures and for one by the proposals: what counts is how much less advantage these
   bring. After `--anneal_updates` nothing is proposed to it;
9. after them nothing worse is accepted elsewhere, and training goes on; theirs ends there;
10. structures and modules of actor and critics are found apart, those of twin critics together.
"""

from typing import Any, Sequence

import numpy as np
import tensorflow as tf

from rl.flags.torsos import Modular as Config
from rl.gradients.per_task import InnerSteps, TaskGradients
from rl.networks.groups import Group
from rl.networks.torsos.modular import Modular
from rl.splitting.blocks import Slots, layer_report
from rl.splitting.maps import changes
from rl.splitting.watch import Watch, presence

LAST = 5.0  # the accepted share of worse proposals ends at exp(-5) of what it began with
FACTOR = 1.1  # of the temperature
COLDEST = 1e-6  # temperature; by it nothing worse is accepted
HOTTEST = 1e6
SHARE_STEP = 0.01  # how far the measured share follows a proposal, at most
MEMORY = 0.9  # decay, with each proposal, of the mean size of a task's losses


def planned_share(updates: int, config: Config) -> float:
    """Of worse proposals, how many are to be accepted after so many updates."""
    if updates >= config.anneal_updates:
        return 0.0
    return config.accept_worse * float(np.exp(-LAST * updates / config.anneal_updates))


class Annealing:
    """Which proposals are accepted.

    Attributes:
      temperature: in units of losses' mean size. share: measured, of worse proposals those that
        were accepted.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.temperature = 1.0
        self.share = 1.0

    def accept(self, worse_by: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Bool `(num_tasks,)`: the proposals that are accepted, of tasks that are `present`.

        Args:
          worse_by: `(num_tasks,)`, how much larger their losses are, in units of losses' mean size;
            one that isn't a number counts as worse than any.
        """
        worse_by = np.where(np.isnan(worse_by), np.inf, worse_by)
        chance = np.exp(-np.maximum(worse_by, 0) / self.temperature)  # 1 for all others
        accepted = present & (self.rng.random(len(worse_by)) < chance)
        for taken in accepted[present & (worse_by > 0)]:
            self.share += min(SHARE_STEP, self.share) * (taken - self.share)
        return accepted

    def adjust(self, planned: float) -> None:
        """Moves the temperature so that the measured share comes nearer to the planned one; where
        that is 0, to the coldest."""
        factor = FACTOR if self.share < planned else 1 / FACTOR
        moved = float(np.clip(self.temperature * factor, COLDEST, HOTTEST))
        self.temperature = moved if planned > 0 else COLDEST


class Bouncer(Watch):
    """The structures of all tasks for the torsos of a group; see Watch.

    Args:
      name, slots: unused. twins: the torsos of the target network, or none.

    Attributes:
      slot, module: int32 `(num_tasks,)`, the proposals: which slot of a task gets which module.
      decided: int32 `(slots, num_tasks)`, the module of each task without them.
      on_trial: whether tasks use the proposals for now.
    """

    columns = {"Accepted": "mean", "Temperature": "mean"}

    def __init__(
        self, name: str, group: Group, twins: Sequence[Any], slots: Slots, config: Config
    ) -> None:
        del name, slots
        self.group = group
        self.by_trial = bool(group.merit)  # the loss is of what the present structure did
        self.config = config
        self.inner_steps = InnerSteps(config.inner_steps, config.inner_lr)
        self.torso = group.torsos[0]
        self.torsos = [self.torso, *[twin for twin in twins if isinstance(twin, Modular)]]
        self.num_tasks = self.torso.num_tasks
        self.num_slots = len(self.torso.chosen)
        self.rng = np.random.default_rng(np.random.randint(2**31))
        self.annealing = Annealing(self.rng)
        self.size = np.zeros(self.num_tasks)  # of the tasks' losses, on average
        self.updates = 0
        self.updates_of_proposal = 0
        self.events: list[dict[str, Any]] = []
        self.decided = np.zeros((self.num_slots, self.num_tasks), np.int32)
        self.on_trial = False
        self.loss_before = np.zeros(self.num_tasks)  # in the window before the trial
        self.present_before = np.zeros(self.num_tasks, bool)
        self.slot = tf.Variable(tf.zeros(self.num_tasks, tf.int32), trainable=False)
        self.module = tf.Variable(tf.zeros(self.num_tasks, tf.int32), trainable=False)
        # Of losses, where what counts is a trial; else of differences that proposals make.
        self.compared = tf.Variable(tf.zeros(self.num_tasks), trainable=False)
        self.magnitude = tf.Variable(tf.zeros(self.num_tasks), trainable=False)
        self.batches = tf.Variable(tf.zeros(self.num_tasks), trainable=False)
        self._decide_on(self.rng.integers(config.modules, size=self.decided.shape))
        self.propose()

    @property
    def variables(self) -> list[Any]:
        return [self.slot, self.module, *self.sums]

    @property
    def sums(self) -> list[Any]:
        """Over the updates of this window."""
        return [self.compared, self.magnitude, self.batches]

    @property
    def has_choice(self) -> bool:
        """Whether there is another module to propose."""
        return self.config.modules > 1

    def proposed(self) -> tf.Tensor:
        """`(slots, num_tasks)`: the modules that tasks would use by the proposals."""
        is_slot = tf.range(self.num_slots)[:, None] == self.slot
        used = tf.stack([tf.convert_to_tensor(chosen) for chosen in self.torso.chosen])
        return tf.where(is_slot, self.module, used)

    def observe(self, tasks: TaskGradients, name: str, present: Any = None) -> None:
        if not self.has_choice:
            return
        flags = presence(present, self.num_tasks)
        now = -self.group.merit_of(name, tasks.losses, tasks.info)
        compared = now
        if not self.by_trial:
            losses, info = tasks.losses_with(self.torso, self.torso.expand_by(self.proposed()))
            compared = -self.group.merit_of(name, losses, info) - now
        self.compared.assign_add(tf.where(flags > 0, compared, 0.0))
        self.magnitude.assign_add(tf.where(flags > 0, tf.abs(now), 0.0))
        self.batches.assign_add(flags)

    def follow(self) -> None:
        self.events = []
        self.decided = np.zeros_like(self.decided)
        self._decide_on(np.stack([np.array(chosen) for chosen in self.torso.chosen]))
        self.propose()

    def after(self, count: int) -> None:
        """Where the proposals have had their updates, they are accepted or not, and there are
        others."""
        self.updates += count
        self.updates_of_proposal += count
        if self.updates_of_proposal < self.config.propose_updates or not self.has_choice:
            return
        self.updates_of_proposal = 0
        batches = self.batches.numpy()
        counted = np.maximum(batches, 1)
        compared = self.compared.numpy().astype(float) / counted
        magnitude = self.magnitude.numpy().astype(float) / counted
        for sums in self.sums:
            sums.assign(np.zeros(self.num_tasks))
        if not self.by_trial:
            self.decide(compared, magnitude, batches > 0)
            self.propose()
        elif self.on_trial:
            self.decide(compared - self.loss_before, magnitude, self.present_before & (batches > 0))
            self.propose()
        elif self.updates < self.config.anneal_updates:
            self._try_proposals(compared, batches > 0)

    def _try_proposals(self, loss: np.ndarray, present: np.ndarray) -> None:
        """Lets tasks use the proposals until the next window is over.

        Args:
          loss: `(num_tasks,)`, mean ones by what tasks use now. present: bool, whose they are.
        """
        self.loss_before = loss
        self.present_before = present
        self.on_trial = True
        self._use(self.proposed().numpy())

    def decide(self, difference: np.ndarray, magnitude: np.ndarray, present: np.ndarray) -> None:
        """Accepts proposals or not.

        Args:
          difference: `(num_tasks,)`, mean losses by the proposals less those by what tasks use.
          magnitude: the same shape, the mean size of the losses of these updates: of what tasks
            used in them. present: bool, whose losses they are.
        """
        memory = np.where(self.size > 0, MEMORY, 0.0)
        size = memory * self.size + (1 - memory) * magnitude
        self.size = np.where(present, size, self.size)
        worse_by = difference / np.maximum(self.size, np.finfo(np.float32).tiny)
        planned = planned_share(self.updates, self.config)
        if planned == 0:  # what is judged now is to be no worse already
            self.annealing.adjust(planned)
        accepted = np.flatnonzero(self.annealing.accept(worse_by, present))
        if (present & ~(difference <= 0)).any():
            self.annealing.adjust(planned)
        maps = self.decided.copy()
        maps[self.slot.numpy()[accepted], accepted] = self.module.numpy()[accepted]
        self._decide_on(maps)

    def propose(self) -> None:
        """Draws for each task a slot, and another module than it uses there."""
        if not self.has_choice:
            return
        slot = self.rng.integers(self.num_slots, size=self.num_tasks)
        further = self.rng.integers(1, self.config.modules, size=self.num_tasks)
        used = self.decided[slot, np.arange(self.num_tasks)]
        self.slot.assign(slot)
        self.module.assign((used + further) % self.config.modules)

    def _decide_on(self, maps: np.ndarray) -> None:
        """Lets tasks use `maps` from now on, and makes events of it: tasks that come to use another
        module."""
        maps = maps.astype(np.int32)
        self.events += changes(self.decided, maps, self.updates)
        self.decided = maps
        self.on_trial = False
        self._use(maps)

    def _use(self, maps: np.ndarray) -> None:
        """Lets the torso, and its target, use `maps`."""
        for torso in self.torsos:
            torso.use(maps)

    def values(self) -> dict[str, np.ndarray]:
        return {
            "Accepted": np.array([self.annealing.share]),
            "Temperature": np.array([self.annealing.temperature]),
        }

    def report(self) -> dict[str, Any]:
        """The modules of each task by slot and how that came to be, how many tasks use each module,
        `(slots, modules)`, whether two tasks use the same, `(slots, num_tasks, num_tasks)`, and
        where the annealing is."""
        maps = self.decided
        layers = [layer_report(slot, self.config.modules) for slot in self.torso.slots]
        usage = [np.bincount(modules, minlength=self.config.modules).tolist() for modules in maps]
        return {
            "updates": self.updates,
            "maps": maps.tolist(),
            "events": self.events,
            "layers": layers,
            "usage": usage,
            "together": (maps[:, :, None] == maps[:, None]).astype(int).tolist(),
            "accepted": self.annealing.share,
            "temperature": self.annealing.temperature,
        }

    def state(self) -> dict[str, Any]:
        return {
            "updates": self.updates,
            "updates_of_proposal": self.updates_of_proposal,
            "size": self.size,
            "decided": self.decided,
            "on_trial": self.on_trial,
            "loss_before": self.loss_before,
            "present_before": self.present_before,
            "events": self.events,
            "temperature": self.annealing.temperature,
            "share": self.annealing.share,
            "rng": self.rng.bit_generator.state,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]
        self.updates_of_proposal = state["updates_of_proposal"]
        self.size = state["size"]
        self.decided = state["decided"]
        self.on_trial = state["on_trial"]
        self.loss_before = state["loss_before"]
        self.present_before = state["present_before"]
        self.events = state["events"]
        self.annealing.temperature = state["temperature"]
        self.annealing.share = state["share"]
        self.rng.bit_generator.state = state["rng"]
