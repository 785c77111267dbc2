"""How tasks find the weights that each of them uses: their tickets.

Sun, Shao et al., 2020: https://arxiv.org/abs/1911.05034
Reference implementation: https://github.com/choosewhatulike/sparse-sharing
First all tasks train all weights, to theta_w. Then tickets are drawn, and all tasks train theta_w
again, each the part under its mask.

By `--tickets imp` (iterative magnitude pruning) each task trains weights of its own from theta_w in
each of N rounds. After round n the smallest leave its mask, so that density^(n / N) of them are
left, and all weights go back to theta_w. By `--tickets saliency` a task keeps the weights w with
the largest mean of |w g_t| in the last updates of the warm-up, g_t its gradient; Lee et al., 2019:
https://arxiv.org/abs/1810.02340.
Differs from them:
1. tasks draw their tickets side by side, in one run whose replay and envs go on; there each in a
   run of its own;
2. of equal weights the first are kept, so that their number is exact; and every layer keeps a part,
   at least FLOOR of it, since a task that can't see its goal can't learn;
3. the masks of the last round are taken; there those of the round that did best on other data;
4. whenever weights go back target networks become equal; the optimiser starts over, as there;
5. saliency is not theirs, and not judged at a random network as Lee et al. have it.
"""

from typing import Any, Sequence

import numpy as np
import tensorflow as tf

from rl.flags.torsos import SparseSharing as Config
from rl.gradients.conditional import step_if
from rl.gradients.per_task import TaskGradients, banks_of
from rl.networks.groups import Group
from rl.networks.masks import MaskBank
from rl.spec import Update
from rl.splitting.blocks import Slots
from rl.splitting.mask_watch import MaskWatch

FLOOR = 0.05  # of a layer's weights
WARMUP = 0  # the first phase; rounds are numbered from 1
NEVER = 2**30  # updates; more than a burst has
UNKNOWN = -1  # where an update has a number


class Tickets(MaskWatch):
    """The tickets of a group; see Watch.

    Args:
      twins: the torsos of the target network, or none.

    Attributes:
      phase: WARMUP, then the number of the round; `joint` in the end.
      warmup_left: updates until the warm-up ends where a burst begins, int32 `()`; NEVER after it.
      burst_start: number of the first update of a burst, int32 `()`; UNKNOWN before it.
      first: theta_w, of the variables of `trained`; empty before and after rounds.
      saliency: sums of |w g_t|, of each masked kernel `(*lead, num_tasks, in, out)`.
    """

    def __init__(
        self, name: str, group: Group, twins: Sequence[Any], slots: Slots, config: Config
    ) -> None:
        super().__init__(name, group, twins, slots, config)
        self.torsos = group.torsos
        self.twins = twins
        self.trained: list[Any] = []
        for torso in self.torsos:
            self.trained += torso.trainable_variables
        # Of what holds tasks' own values, too, the axis of copies.
        self.axes: dict[int, int] = {}
        for bank in banks_of(self.torsos):
            if isinstance(bank, MaskBank):
                self.axes[id(bank.variable)] = bank.axis
        self.saliency: list[Any] = []
        if config.tickets == "saliency":
            for bank in self.banks:
                zeros = tf.zeros(bank.mask.shape)
                self.saliency.append(tf.Variable(zeros, trainable=False))
        self.warmup_left = tf.Variable(NEVER, trainable=False)
        self.burst_start = tf.Variable(UNKNOWN, trainable=False)
        self.joint = 1 + (config.rounds if config.tickets == "imp" else 0)
        self.phase = WARMUP
        self.updates_of_phase = 0
        self.first: list[np.ndarray] = []
        self.events: list[dict[str, Any]] = []
        self._settle()

    @property
    def variables(self) -> list[Any]:
        return self.saliency

    def _settle(self) -> None:
        """Works out what follows from the phase, and from the masks."""
        left = self.config.warmup_updates - self.updates_of_phase
        self.warmup_left.assign(left if self.phase == WARMUP else NEVER)
        self.burst_start.assign(UNKNOWN)
        self.density_now = self.density()

    def begin(self, update: Update) -> None:
        # The last updates of the warm-up may begin within a burst; and of td3's actor only some
        # numbers come.
        is_first = self.burst_start == UNKNOWN
        self.burst_start.assign(tf.where(is_first, update.number, self.burst_start))
        left = self.warmup_left - (update.number - self.burst_start)
        self.is_judged = left <= self.config.saliency_updates

    def observe(self, tasks: TaskGradients, name: str, present: Any = None) -> None:
        """Adds up |w g_t|; what a task without samples adds is 0."""
        if not self.saliency:
            return
        gradients = {}
        for region in tasks.regions[name]:
            for bank, gradient in region:
                gradients[id(bank)] = gradient

        def judge() -> None:
            for bank, saliency in zip(self.banks, self.saliency):
                product = bank.expand(full=True) * gradients[id(bank)]
                saliency.assign_add(tf.abs(product))

        step_if(self.is_judged, judge)

    def after(self, count: int) -> None:
        super().after(count)
        self.updates_of_phase += count
        self.rewound = False
        if self.phase != self.joint and self.updates_of_phase >= self._updates_due():
            self._end_phase()
            self.rewound = True
        self._settle()

    def _updates_due(self) -> int:
        warms_up = self.phase == WARMUP
        return self.config.warmup_updates if warms_up else self.config.round_updates

    def _end_phase(self) -> None:
        """Draws what tickets are due, and lets all weights go back to theta_w."""
        if self.phase == WARMUP:
            self.first = [self._shared(variable) for variable in self.trained]
        if self.saliency:
            self._prune([np.array(saliency) for saliency in self.saliency], self.config.density)
        elif self.phase != WARMUP:
            magnitudes = [np.abs(self._private(bank)) for bank in self.banks]
            left = self.config.density ** (self.phase / self.config.rounds)
            self._prune(magnitudes, left)
        self.phase += 1
        self.updates_of_phase = 0
        self.torso.private.assign(self.phase != self.joint)
        self._rewind()
        event = {"updates": self.updates, "phase": self._phase_name()}
        self.events.append(event | {"density": self.densities()})

    def _phase_name(self) -> str:
        """Of the phase that is under way."""
        if self.phase == self.joint:
            return "joint"
        return "warm-up" if self.phase == WARMUP else f"round {self.phase}"

    def _shared(self, variable: Any) -> np.ndarray:
        """A variable's values, without those of tasks' own beside what they share."""
        axis = self.axes.get(id(variable))
        values = np.array(variable)
        return values if axis is None else np.take(values, [0], axis)

    def _private(self, bank: MaskBank) -> np.ndarray:
        """What tasks have for themselves, `(*lead, num_tasks, in, out)`."""
        return np.take(np.array(bank.variable), np.arange(1, bank.copies), bank.axis)

    def _prune(self, scores: Sequence[np.ndarray], density: float) -> None:
        """Leaves each task's masks that fraction of all weights: those with the highest scores
        `(*lead, num_tasks, in, out)` of what is left."""
        sizes = [score.shape[-2] * score.shape[-1] for score in scores]
        count = round(density * sum(sizes))
        scores_by_network = by_weight(scores, sizes)
        left_by_network = by_weight([bank.kept() for bank in self.banks], sizes)
        kept = []
        for network_scores, left in zip(scores_by_network, left_by_network):
            kept.append(highest(network_scores, left, sizes, count))
        parts = np.split(np.array(kept), np.cumsum(sizes)[:-1], axis=1)
        for bank, part in zip(self.banks, parts):
            bank.mask.assign(part.reshape(bank.mask.shape))

    def _rewind(self) -> None:
        """Everything that is trained as after the warm-up, tasks' own equal to what they share;
        and target networks the same."""
        for variable, value in zip(self.trained, self.first):
            variable.assign(np.broadcast_to(value, variable.shape))
        for torso, twin in zip(self.torsos, self.twins):
            twin.set_weights(torso.get_weights())
        if self.phase == self.joint:
            self.first = []

    def values(self) -> dict[str, np.ndarray]:
        return {"Density": np.array([self.density_now])}

    def report(self) -> dict[str, Any]:
        """MaskWatch's, and the phases: when each began, with how dense masks were then."""
        phases = {"phase": self._phase_name(), "events": self.events}
        return super().report() | phases

    def state(self) -> dict[str, Any]:
        return super().state() | {
            "updates_of_phase": self.updates_of_phase,
            "phase": self.phase,
            "first": self.first,
            "events": self.events,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.updates_of_phase = state["updates_of_phase"]
        self.phase = state["phase"]
        self.first = state["first"]
        self.events = state["events"]
        self._settle()


def by_weight(arrays: Sequence[np.ndarray], sizes: Sequence[int]) -> np.ndarray:
    """`(networks, weights)` of arrays `(*lead, num_tasks, in, out)` with so many weights: each task
    and member is a network."""
    flat = [array.reshape(-1, size) for array, size in zip(arrays, sizes)]
    return np.concatenate(flat, axis=1)


def highest(scores: np.ndarray, left: np.ndarray, sizes: Sequence[int], count: int) -> np.ndarray:
    """Which weights of a network are kept, bool `(weights,)`: `count` of them, or more where layers
    need more to keep FLOOR of what they have.

    Args:
      scores: `(weights,)`, layer after layer; the highest are kept, of equal ones the first.
      left: bool, the weights that may be kept.
      sizes: of the layers.
    """
    protected = np.zeros(len(scores), bool)
    start = 0
    for size in sizes:
        place = slice(start, start + size)
        order = np.lexsort((-scores[place], ~left[place]))
        protected[start + order[: int(np.ceil(FLOOR * size))]] = True
        start += size
    protected &= left
    order = np.lexsort((-scores, ~protected, ~left))
    kept = np.zeros(len(scores), bool)
    kept[order[: max(count, protected.sum())]] = True
    return kept & left
