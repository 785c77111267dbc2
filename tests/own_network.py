"""A network of one's own, with a flag of its own; takes the commands of main.py."""

import dataclasses
import sys

from rl import networks
from rl.__main__ import process
from rl.config import flag
from rl.networks.stacks import StackNet


@dataclasses.dataclass(frozen=True)
class MineFlags:
    mine_width: int = flag(4, "units of its one hidden layer", low=1)


class Mine(StackNet):
    """A perceptron with one hidden layer, and a head for each task."""

    def make(self, fan_in):
        self.layer(fan_in, self.config.mine_width)
        self.layer(self.config.mine_width, self.sizes[-1], self.num_tasks, gain=self.out_gain)

    def forward(self, params, x):
        return self.stack(params, x)


networks.register("mine", Mine, MineFlags)
if __name__ == "__main__":
    sys.exit(process())
