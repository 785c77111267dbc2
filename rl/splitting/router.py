"""Routers, that learn which block of each layer serves their task.

Rosenbaum et al., 2018: https://arxiv.org/abs/1711.01239
Reference implementation: https://github.com/cle-ros/RoutingNetworks
What a task earns by a route is how well it does on it: less of its loss, or with ppo's policy more
advantage, in standard deviations from its running mean. Beside that each block on the route earns
the more, the more often tasks took it of late (the collaboration reward).
Differs from them:
1. a route is kept for `--route_updates` or more, since replay and bootstrapped targets make losses
   move; there each sample takes one;
2. tasks act, and targets are told, by the likeliest blocks; ppo, whose updates compare a policy
   with itself as it acted, acts by sampled ones;
3. how often blocks were taken is a decaying average over routes; there over a window;
4. steps are those of the weighted policy learner's own paper, on mean earnings of all actions.
"""

from typing import Any, Sequence

import numpy as np
import tensorflow as tf

from rl.flags.torsos import Routing as Config
from rl.gradients.per_task import TaskGradients
from rl.networks.groups import Group
from rl.networks.torsos.routing import Routing
from rl.splitting.blocks import Slots, layer_report
from rl.splitting.maps import changes
from rl.splitting.watch import Watch, presence
from rl.splitting.wpl import improve

ARRAYS = ("policy", "value", "known", "usage", "mean", "square", "count", "routes", "likeliest")
MEMORY = 0.9  # decay, with each route, of the mean and the variance of what a task earns


class Router(Watch):
    """The routers of all tasks for the torsos of a group; see Watch.

    Args:
      name, slots: unused. twins: the torsos of the target network, or none.

    Attributes:
      policy: `(num_tasks, layers, blocks)`, probabilities.
      value: the same shape, what blocks bring on average. known: whether they were ever taken.
      routes: `(num_tasks, layers)`, the blocks taken.
    """

    columns = {"Certainty": "mean"}

    def __init__(
        self, name: str, group: Group, twins: Sequence[Any], slots: Slots, config: Config
    ) -> None:
        del name, slots
        self.group = group
        self.config = config
        self.torso = group.torsos[0]
        self.twins = [twin for twin in twins if isinstance(twin, Routing)]
        self.num_tasks = self.torso.num_tasks
        shape = (self.num_tasks, len(self.torso.best), config.blocks)
        self.policy = np.full(shape, 1 / config.blocks)
        self.value = np.zeros(shape)
        self.known = np.zeros(shape, bool)
        self.usage = np.full(shape[1:], 1 / config.blocks)  # how often tasks take blocks
        self.mean = np.zeros(self.num_tasks)  # of what tasks earn
        self.square = np.zeros(self.num_tasks)
        self.count = np.zeros(self.num_tasks)  # of the routes behind that
        self.rng = np.random.default_rng(np.random.randint(2**31))
        self.updates = 0
        self.updates_of_route = 0
        self.events: list[dict[str, Any]] = []
        self.likeliest = np.zeros(shape[:2], int)
        self.merit = tf.Variable(tf.zeros(self.num_tasks), trainable=False)
        self.batches = tf.Variable(tf.zeros(self.num_tasks), trainable=False)
        self.routes = self._sample()
        self._note_likeliest(self.routes)
        self._use()

    @property
    def variables(self) -> list[Any]:
        return [self.merit, self.batches]

    def observe(self, tasks: TaskGradients, name: str, present: Any = None) -> None:
        flags = presence(present, self.num_tasks)
        merit = self.group.merit_of(name, tasks.losses, tasks.info)
        self.merit.assign_add(tf.where(flags > 0, merit, 0.0))
        self.batches.assign_add(flags)

    def after(self, count: int) -> None:
        """Where the route has had its updates, routers learn from it and take the next."""
        self.updates += count
        self.updates_of_route += count
        if self.updates_of_route < self.config.route_updates:
            return
        self.updates_of_route = 0
        batches = self.batches.numpy()
        self.learn(self.merit.numpy() / np.maximum(batches, 1), batches > 0)
        self.merit.assign(np.zeros(self.num_tasks))
        self.batches.assign(np.zeros(self.num_tasks))
        self.routes = self._sample()
        self._note_likeliest(self._find_likeliest())
        self._use()

    def learn(self, merit: np.ndarray, present: np.ndarray) -> None:
        """A step of the routers of tasks that are `present`, bool `(num_tasks,)`, after how well
        they did, `merit` `(num_tasks,)`."""
        if not present.any():
            return
        earned = self._standardised(merit, present)
        taken = self.routes[..., None] == np.arange(self.config.blocks)
        self.usage = MEMORY * self.usage + (1 - MEMORY) * taken[present].mean(axis=0)
        common = (taken * self.usage).sum(axis=-1)  # (num_tasks, layers)
        bonus = self.config.collaboration / common.shape[1] * common
        later = np.cumsum(bonus[:, ::-1], axis=1)[:, ::-1]
        returns = (earned[:, None] + later)[..., None]
        told = taken & (present & (self.count > 1))[:, None, None]  # one is no deviation from any
        memory = np.where(self.known, self.config.router_memory, 0.0)
        self.value = np.where(told, memory * self.value + (1 - memory) * returns, self.value)
        self.known |= told
        policy = improve(
            self.policy, self.value, self.config.router_lr, self.config.router_floor, self.known
        )
        self.policy = np.where(present[:, None, None], policy, self.policy)

    def _standardised(self, merit: np.ndarray, present: np.ndarray) -> np.ndarray:
        """`merit` in standard deviations from what it was on average, of the tasks that are
        `present`; it counts from then on."""
        known = np.where(self.count > 0, MEMORY, 0.0)
        deviation = merit - self.mean
        spread = np.sqrt(self.square)
        earned = deviation / np.where(spread > 0, spread, np.inf)
        square = known * (self.square + (1 - known) * deviation**2)
        mean = self.mean + (1 - known) * deviation
        self.square = np.where(present, square, self.square)
        self.mean = np.where(present, mean, self.mean)
        self.count += present
        return np.where(present, np.clip(earned, -3, 3), 0.0)

    def _sample(self) -> np.ndarray:
        """A block for each task and layer, `(num_tasks, layers)`, by the routers."""
        draws = self.rng.random((*self.policy.shape[:2], 1))
        below = np.cumsum(self.policy, axis=-1) < draws
        return np.minimum(below.sum(axis=-1), self.config.blocks - 1)

    def _use(self) -> None:
        """Lets the torso, and its target, take the routes."""
        best = self.routes if self.group.on_policy else self.likeliest
        for torso in [self.torso, *self.twins]:
            for layer in range(best.shape[1]):
                torso.best[layer].assign(best[:, layer])
                torso.sampled[layer].assign(self.routes[:, layer])

    def _find_likeliest(self) -> np.ndarray:
        """The block of each task and layer that is likeliest, `(num_tasks, layers)`; of several the
        one that was it before."""
        before = np.take_along_axis(self.policy, self.likeliest[..., None], axis=-1)[..., 0]
        stays = before >= self.policy.max(axis=-1)
        return np.where(stays, self.likeliest, self.policy.argmax(axis=-1))

    def _note_likeliest(self, likeliest: np.ndarray) -> None:
        """Makes events of blocks that begin to be the likeliest for some task."""
        self.events += changes(self.likeliest.T, likeliest.T, self.updates)
        self.likeliest = likeliest

    def values(self) -> dict[str, np.ndarray]:
        return {"Certainty": np.array([self.policy.max(axis=-1).mean()])}

    def report(self) -> dict[str, Any]:
        """The likeliest block of each task by layer and how that came to be, the probabilities
        `(num_tasks, layers, blocks)`, and how likely two tasks are to take the same block,
        `(layers, num_tasks, num_tasks)`."""
        together = np.einsum("sla,tla->lst", self.policy, self.policy)
        hidden = self.torso.regions[: self.policy.shape[1]]
        layers = [layer_report(region, self.config.blocks) for region in hidden]
        return {
            "updates": self.updates,
            "maps": self.likeliest.T.tolist(),
            "events": self.events,
            "layers": layers,
            "policy": np.round(self.policy, 4).tolist(),
            "together": np.round(together, 4).tolist(),
        }

    def state(self) -> dict[str, Any]:
        arrays = {name: getattr(self, name) for name in ARRAYS}
        return arrays | {
            "updates": self.updates,
            "updates_of_route": self.updates_of_route,
            "events": self.events,
            "rng": self.rng.bit_generator.state,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            if name == "rng":
                self.rng.bit_generator.state = value
            else:
                setattr(self, name, value)
        self._use()
