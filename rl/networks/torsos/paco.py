"""PaCo, parameter-compositional networks: each task's parameters are a mix of a few sets.

Sun et al., 2022: https://arxiv.org/abs/2210.11653
Reference implementation: https://github.com/TToTMooN/paco-mtrl
Mixing parameters equals mixing the sets' outputs before the activation, and costs one matrix
product, not one per set.
Differs from it:
1. the sets start different, and a task's weights normal with standard deviation 1 / sqrt(sets), so
   that the mix has the scale of one set; there the sets start equal;
2. actor and critics have weights of their own, trained with the sets; there all share them, with
   their own optimiser;
3. no task's loss is masked and no task's weights are set anew when its loss is extreme;
4. the input ends with the task's one-hot code, unless `--task_onehot false`.
"""

import math

import tensorflow as tf

from rl.flags import torsos as flags
from rl.networks.banks import MixBank
from rl.networks.stacks import StackNet


class PaCo(StackNet):
    """Dense layers with an activation after all but the last; see TaskNet.

    Attributes:
      mix: `([members,] num_tasks, experts)`, each task's weights of the sets.
    """

    config: flags.PaCo

    def make(self, fan_in: int) -> None:
        experts = self.config.experts
        self.mix = self.add_weight(
            shape=(*self.lead, self.num_tasks, experts),
            initializer=tf.keras.initializers.RandomNormal(stddev=1 / math.sqrt(experts)),
            name="mix",
        )
        self.make_stack(
            fan_in, self.sizes, self.out_gain, copies=experts, kind=MixBank, mix=self.mix
        )

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        return self.stack(params, x)
