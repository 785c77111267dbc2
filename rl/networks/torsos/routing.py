"""Routing networks: each layer has several blocks, and a router of each task chooses one of them.

Rosenbaum et al., 2018: https://arxiv.org/abs/1711.01239
Reference implementation: https://github.com/cle-ros/RoutingNetworks
How routers learn is rl.splitting.router's to say. Here is what a route changes: the block of each
layer that a task uses.
Differs from them:
1. a router is a table of each task's, the paper's best; none reads the activations;
2. every task has an output layer of its own, which no router chooses, unless `--shared_heads`;
3. a route is one task's for a burst of updates or more, not one sample's;
4. the input ends with the task's one-hot code, unless `--task_onehot false`.
"""

from typing import Any

import tensorflow as tf

from rl.flags import torsos as flags
from rl.networks.banks import RoutedBank
from rl.networks.stacks import StackNet


class Routing(StackNet):
    """Dense layers with an activation after all but the last; see TaskNet.

    Attributes:
      best, sampled: int32 `(num_tasks,)` for each layer that has blocks: the one that is likeliest,
        by which tasks act, and the one that updates go through.
    """

    config: flags.Routing

    def make(self, fan_in: int) -> None:
        *hidden, out = self.sizes
        fan_ins = (fan_in, *hidden)
        self.best: list[Any] = []
        self.sampled: list[Any] = []
        for width, units in zip(fan_ins, hidden):
            self._blocks(width, units)
        if self.config.shared_heads:
            self._blocks(fan_ins[-1], out, gain=self.out_gain)
        else:
            self.layer(fan_ins[-1], out, copies=self.num_tasks, gain=self.out_gain)

    def _blocks(self, fan_in: int, units: int, gain: Any = None) -> None:
        """Adds a layer of blocks."""
        best = self.state((self.num_tasks,), "best", "int32")
        sampled = self.state((self.num_tasks,), "sampled", "int32")
        self.best.append(best)
        self.sampled.append(sampled)
        maps = {"copy": best, "sampled": sampled}
        copies = self.config.blocks
        self.layer(fan_in, units, copies=copies, gain=gain, kind=RoutedBank, **maps)

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        return self.stack(params, x)
