"""AdaShare: residual blocks, of which each task learns which to execute and which to skip.

Sun et al., 2020: https://arxiv.org/abs/1911.12423
Reference implementation: https://github.com/sunxm2357/AdaShare
How the choices are learned is rl.splitting.block_policies' to say. Here is what a choice changes.
Differs from them:
1. blocks are h + u W2 act(W1 norm(h)) of dense layers, u the share that a task executes; there
   convolutions, with an activation after the sum;
2. `--hidden_sizes` has a number for each block, all the same; the first layer is before them;
3. the input ends with the task's one-hot code, unless `--task_onehot false`;
4. actor and critics choose apart, and twin critics alike.
"""

import numpy as np
import tensorflow as tf

from rl.flags import torsos as flags
from rl.networks.banks import numbers_in
from rl.networks.drawn import GateBank
from rl.networks.stacks import StackNet


class AdaShare(StackNet):
    """A dense layer, residual blocks with gates, and a head for each task; see TaskNet.

    Attributes:
      gates: which blocks tasks execute.
    """

    config: flags.AdaShare

    def make(self, fan_in: int) -> None:
        *blocks, out = self.sizes
        width = blocks[0]
        self.layer(fan_in, width)
        for _ in blocks:
            self.layer(width, width, norm=width)
            self.layer(width, width)
        self.layer(width, out, copies=self.num_tasks, gain=self.out_gain)
        self.gates = self._new_gates(len(blocks))
        self.regions.append([self.gates])
        self.structure = [self.gates.variable]

    def _new_gates(self, blocks: int) -> GateBank:
        """Logits 0 for all: as likely to execute as to skip."""
        shape = (self.num_tasks, blocks, 2)
        logits = self.add_weight(shape=shape, initializer="zeros", name="logits")
        return GateBank(
            logits,
            self.lead,
            self.num_tasks,
            noise=self.state(shape, "noise"),
            temperature=self.state((), "temperature"),
            learned=self.state((blocks,), "learned", "bool"),
        )

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        first, *blocks, head, (gates,) = params
        x = self.activation(self.dense(x, first))
        shares = tf.unstack(gates[..., None, None], axis=-3)  # of a block: (..., num_tasks, 1, 1)
        for share, one, two in zip(shares, blocks[::2], blocks[1::2]):
            inside = self.activation(self.dense(self.norm(x, one), one))
            x = x + share * self.dense(inside, two)
        return self.dense(x, head)

    def numbers_used(self) -> int:
        """How many numbers of it some task uses: without the blocks that no task executes, once
        these are settled."""
        count = sum(map(numbers_in, self.regions))
        if float(self.gates.temperature) > 0:
            return count
        for block in np.flatnonzero(~self.executed().any(axis=0)):
            layers = self.regions[1 + 2 * block : 3 + 2 * block]  # after the first layer
            count -= sum(map(numbers_in, layers))
        return count

    def executed(self) -> np.ndarray:
        """Bool `(num_tasks, blocks)`: what each task would execute now, by what is likeliest."""
        likeliest = np.array(self.gates.likeliest())[..., 0] > 0
        return likeliest | ~np.array(self.gates.learned)
