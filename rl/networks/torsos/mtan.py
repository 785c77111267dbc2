"""MTAN, multi-task attention network: a shared network, of whose features each task takes what
masks of its own let through.

Liu et al., 2019: https://arxiv.org/abs/1803.10704
Reference implementation: https://github.com/lorenmt/mtan
Names and numbers of equations are the paper's.
Differs from it:
1. all layers are dense, without batch normalisation or pooling; there they are convolutions with
   both. Masks of 1x1 convolutions are a small part of a network there, and dense ones most of it:
   `--mask_units` makes them smaller;
2. a block of the shared network is one layer, so that u, from which the mask is made, and p, which
   it is put on, are the same features, as in the reference's wide residual network;
3. layers before masks have the `--activation` of all networks; there ReLU;
4. heads are one layer on the last masked features, as in the reference's SegNet but for its
   convolution between;
5. the input ends with the task's one-hot code, unless `--task_onehot false`.
"""

from typing import Optional

import tensorflow as tf

from rl.flags import torsos as flags
from rl.networks.stacks import StackNet


class MTAN(StackNet):
    """Shared dense layers; f, from masked features to the next mask, which all tasks share; g and h
    of each task, which make its masks; its head; see TaskNet."""

    config: flags.MTAN

    def make(self, fan_in: int) -> None:
        *hidden, out = self.sizes
        tasks = self.num_tasks
        self.trunk = self.make_stack(fan_in, hidden)
        self.f = [self.layer(width, units) for width, units in zip(hidden, hidden[1:])]
        self.g = []
        self.h = []
        for k, units in enumerate(hidden):
            seen = units if k == 0 else 2 * units
            inside = self.config.mask_units or units
            self.g.append(self.layer(seen, inside, copies=tasks))
            self.h.append(self.layer(inside, units, copies=tasks))
        self.head = self.layer(hidden[-1], out, copies=tasks, gain=self.out_gain)

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        features = x
        attended = None
        for k, region in enumerate(params[self.trunk]):
            features = self.activation(self.dense(features, region))
            attended = self.mask(params, k, features, attended) * features  # eq. 1
        return self.dense(attended, params[self.head])

    def mask(
        self,
        params: list[list[tf.Tensor]],
        k: int,
        features: tf.Tensor,
        attended: Optional[tf.Tensor],
    ) -> tf.Tensor:
        """a of the shared layer `k`, from 0, by its features `([members,] num_tasks, batch, units)`
        and the masked ones of the layer before: the same shape, from 0 to 1."""
        seen = features
        if k > 0:
            passed_on = self.activation(self.dense(attended, params[self.f[k - 1]]))
            seen = tf.concat([features, passed_on], axis=-1)
        inside = self.activation(self.dense(seen, params[self.g[k]]))
        return tf.sigmoid(self.dense(inside, params[self.h[k]]))  # eq. 2
