"""Learning to branch: each layer has several nodes, and each node learns which node of the layer
below is its parent.

Guo et al., 2020: https://arxiv.org/abs/2006.01895
Third-party implementation: https://github.com/median-research-group/LibMTL (LTB)
How the tree is learned is rl.splitting.branching's to say. Here is what a tree changes.
Differs from them:
1. nodes are dense layers; a task's last node is its output layer, which chooses a parent as all
   nodes do;
2. all samples of a task go through all nodes of a layer, also once the tree is settled: to train
   the tree alone give the run to `--network splitting --split_map`;
3. actor and critics have trees of their own, and twin critics the same;
4. the input ends with the task's one-hot code, unless `--task_onehot false`.
"""

import numpy as np
import tensorflow as tf

from rl.flags import torsos as flags
from rl.networks.banks import numbers_in
from rl.networks.drawn import DrawnBank
from rl.networks.stacks import StackNet, mixed


class LearnedBranching(StackNet):
    """Layers of nodes, and output layers of each task's own; see TaskNet.

    Attributes:
      parents: of the nodes of each layer but the first, logits `(1, nodes, nodes of the layer
        below)`, then of the tasks' output layers, `(num_tasks, nodes of the last layer)`.
    """

    config: flags.LearnedBranching

    def make(self, fan_in: int) -> None:
        *hidden, out = self.sizes
        self.nodes = self.config.nodes or self.num_tasks
        self.node_layers = self.make_stack(fan_in, hidden, self.hidden_gain, lead=(self.nodes,))
        self.head = self.layer(hidden[-1], out, copies=self.num_tasks, gain=self.out_gain)
        self.parents = [self._new_parents((1, self.nodes, self.nodes)) for _ in hidden[1:]]
        self.parents.append(self._new_parents((self.num_tasks, self.nodes)))
        self.regions += [[bank] for bank in self.parents]
        self.structure = [bank.variable for bank in self.parents]

    def _new_parents(self, shape: tuple[int, ...]) -> DrawnBank:
        """Logits 0: all nodes are as likely to be a parent."""
        logits = self.add_weight(shape=shape, initializer="zeros", name="logits")
        return DrawnBank(
            logits,
            self.lead,
            self.num_tasks,
            noise=self.state(shape, "noise"),
            temperature=self.state((), "temperature"),
            hard=True,
        )

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        layers = params[self.node_layers]
        *parents, parents_of_tasks = [chosen for (chosen,) in params[self.head + 1 :]]
        nodes = self.activation(self.dense(tf.expand_dims(x, -4), layers[0]))
        for chosen, layer in zip(parents, layers[1:]):
            # chosen: (..., num_tasks, nodes, parents)
            inputs = [
                mixed(of_node[..., None, :], nodes) for of_node in tf.unstack(chosen, axis=-2)
            ]
            nodes = self.activation(self.dense(tf.stack(inputs, axis=-4), layer))
        return self.dense(mixed(parents_of_tasks[..., None, :], nodes), params[self.head])

    def numbers_used(self) -> int:
        """How many numbers of it some task uses: until the tree is settled all, then those of the
        nodes that are in it."""
        count = sum(map(numbers_in, self.regions))
        if float(self.parents[0].temperature) > 0:
            return count
        *parents, parents_of_tasks = [
            np.array(bank.variable).argmax(axis=-1) for bank in self.parents
        ]
        layers = self.regions[self.node_layers]
        used = np.unique(parents_of_tasks)
        for number in reversed(range(len(layers))):
            of_node = numbers_in(layers[number]) // self.nodes
            count -= of_node * (self.nodes - len(used))
            if number > 0:
                used = np.unique(parents[number - 1][0, used])
        return count
