"""How a network learns where to branch.

Guo et al., 2020: https://arxiv.org/abs/2006.01895
Third-party implementation: https://github.com/median-research-group/LibMTL (LTB)
A node draws its parent by Gumbel-softmax: one in the forward pass, a share of each in the backward
pass. The temperature falls as there, by the square root of the time.
Differs from them:
1. one sample is drawn for an update of all tasks, or with ppo for a burst;
2. while logits wait for `--warmup_updates` parents are drawn, all as likely; there all are mixed;
3. tasks act, and targets are told, by the likeliest parents; ppo, whose updates compare a policy
   with itself as it acted, acts by the sample of its rollout;
4. when the tree is settled training goes on with it.
"""

from typing import Any, Sequence

import numpy as np

from rl.flags.torsos import LearnedBranching as Config
from rl.networks.groups import Group
from rl.splitting.blocks import Slots, layer_report
from rl.splitting.drawing import Drawing
from rl.splitting.maps import changes
from rl.splitting.watch import BOTH, WEIGHTS

COOLING = 99.0  # the temperature falls to a tenth of the first


def temperature_of(updates: int, config: Config) -> float:
    """Of the samples after so many updates; 0: the tree is settled."""
    if updates >= config.policy_updates:
        return 0.0
    learning = config.policy_updates - config.warmup_updates
    progress = max(0, updates - config.warmup_updates) / learning
    return float(config.temperature / np.sqrt(1 + COOLING * progress))


def tree_of(parents: Sequence[np.ndarray], tasks_parents: np.ndarray) -> np.ndarray:
    """Which node each task uses of each layer, int `(layers, num_tasks)`.

    Args:
      parents: of each layer but the first, which node of the layer below is the parent of each,
        `(nodes,)`. tasks_parents: the same of the tasks' outputs, `(num_tasks,)`.
    """
    rows = [tasks_parents]
    for layer_parents in reversed(parents):
        rows.append(layer_parents[rows[-1]])
    return np.array(rows[::-1])


def numbered(nodes: np.ndarray) -> np.ndarray:
    """The same groups of tasks, numbered from 0 as they come up."""
    found: dict[int, int] = {}
    return np.array([found.setdefault(int(node), len(found)) for node in nodes])


class Branching(Drawing):
    """The parents of the nodes of a group; see Watch."""

    columns = {"Branches": "mean"}

    def __init__(
        self, name: str, group: Group, twins: Sequence[Any], slots: Slots, config: Config
    ) -> None:
        del name
        super().__init__(group, twins, slots)
        self.config = config
        layers = len(self.torso.parents)
        self.maps = np.zeros((layers + 1, self.torso.num_tasks), int)
        self._enter()

    def _enter(self) -> None:
        temperature = temperature_of(self.updates, self.config)
        for torso in self.torsos:
            for bank in torso.parents:
                bank.temperature.assign(temperature)
        waits = self.updates < self.config.warmup_updates or temperature == 0
        self.turn.assign(WEIGHTS if waits else BOTH)
        maps = self._maps()
        self.events += changes(self.maps, maps, self.updates)
        self.maps = maps

    def _maps(self) -> np.ndarray:
        """The copies that a splitting network's tasks would use, `(layers, num_tasks)`, the output
        layer included."""
        chosen = [np.array(bank.variable).argmax(axis=-1) for bank in self.torso.parents]
        tree = tree_of([layer_parents[0] for layer_parents in chosen[:-1]], chosen[-1])
        rows = [numbered(nodes) for nodes in tree]
        return np.array([*rows, np.arange(self.torso.num_tasks)])

    def after(self, count: int) -> None:
        super().after(count)
        self._enter()

    def values(self) -> dict[str, np.ndarray]:
        return {"Branches": np.array([np.mean(self.maps[:-1].max(axis=-1) + 1)])}

    def report(self) -> dict[str, Any]:
        """The copies of each layer that tasks use, as `--split_map` takes them, and how that came
        to be."""
        torso = self.torso
        layers = [layer_report(region, torso.nodes) for region in torso.regions[torso.node_layers]]
        layers.append(layer_report(torso.regions[torso.head], torso.num_tasks))
        return {
            "updates": self.updates,
            "maps": self.maps.tolist(),
            "events": self.events,
            "layers": layers,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        self.maps = self._maps()
