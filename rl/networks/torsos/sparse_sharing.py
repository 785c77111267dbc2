"""Sparse sharing: of the hidden layers each task uses a part of the weights, and tasks share where
their parts overlap.

Sun, Shao et al., 2020: https://arxiv.org/abs/1911.05034
Reference implementation: https://github.com/choosewhatulike/sparse-sharing
How tasks find their parts is rl.splitting.tickets' to say. Here is what a part is: a mask.
Differs from them:
1. layers are dense ones; there CNN and LSTM;
2. actor and critics have masks of their own, and each of twin critics, too;
3. with `--tickets imp` there is room for weights of every task's own, which train while masks are
   found;
4. the input ends with the task's one-hot code, unless `--task_onehot false`.
"""

from typing import Any

import tensorflow as tf

from rl.flags import torsos as flags
from rl.networks.banks import numbers_in
from rl.networks.masks import MaskBank, packed
from rl.networks.stacks import StackNet


class SparseSharing(StackNet):
    """Dense layers with an activation after all but the last, a head for each task; see TaskNet.

    Attributes:
      private: bool `()`, whether tasks use hidden layers of their own.
      masked: the hidden layers' kernels. Biases have no mask.
    """

    config: flags.SparseSharing

    def make(self, fan_in: int) -> None:
        *hidden, out = self.sizes
        own = self.num_tasks if self.config.tickets == "imp" else 0
        self.private = self.state((), "private", "bool")
        self.masked: list[MaskBank] = []
        self.make_stack(
            fan_in, hidden, self.hidden_gain, copies=1 + own, alike=True, kind=self._mask_bank
        )
        self.layer(hidden[-1], out, copies=self.num_tasks, gain=self.out_gain)

    def _mask_bank(self, variable: Any, axis: int, num_tasks: int) -> MaskBank:
        if not variable.name.startswith("kernel"):
            return MaskBank(variable, axis, num_tasks, copy=self.private)
        mask = self.add_weight(
            shape=(*self.lead, num_tasks, *variable.shape[axis + 1 :]),
            dtype="bool",
            initializer="ones",
            trainable=False,
            name="mask",
        )
        self.masked.append(MaskBank(variable, axis, num_tasks, copy=self.private, mask=mask))
        return self.masked[-1]

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        return self.stack(params, x)

    def numbers_used(self) -> int:
        """How many numbers of it some task uses."""
        count = 0
        for region in self.regions:
            for bank in region:
                if isinstance(bank, MaskBank):
                    count += bank.numbers_used()
                else:  # a head for each task, a code that is learned
                    count += numbers_in([bank])
        return count

    def packed(self) -> dict[str, Any]:
        """The tasks' masks as bits, by layer; see rl.networks.masks."""
        return {"masks": packed([bank.kept() for bank in self.masked])}
