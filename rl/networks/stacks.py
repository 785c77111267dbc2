"""What the architectures for several tasks are made of."""

from typing import Any, Sequence

import tensorflow as tf

from rl.networks.banks import Bank
from rl.networks.layers import InitialKernels
from rl.networks.task_net import TaskNet


class StackNet(TaskNet):
    """A TaskNet made of stacks of dense layers and a learned code for each task.

    Attributes:
      trained: whether kernels and biases are.
    """

    trained = True

    def layer(
        self,
        fan_in: int,
        units: int,
        copies: int = 1,
        *,
        lead: tuple = (),
        gain: Any = None,
        alike: bool = False,
        norm: int = 0,
        kind: Any = Bank,
        **maps: Any,
    ) -> int:
        """Adds kernel and bias `([members,] *lead, copies, ...)`, in banks of a `kind`; and scale
        and shift of a layer normalisation that is `norm` wide, unless 0.

        Copies start different, or `alike`; `maps` as the kind's. Returns the region's number.
        """
        lead = (*self.lead, *lead)
        gain = self.hidden_gain if gain is None else gain
        number = len(self.regions)
        kernel = self.add_weight(
            shape=(*lead, copies, fan_in, units),
            initializer=InitialKernels(self.initializer, gain, alike),
            trainable=self.trained,
            name=f"kernel_{number}",
        )
        bias = self.add_weight(
            shape=(*lead, copies, units),
            initializer="zeros",
            trainable=self.trained,
            name=f"bias_{number}",
        )
        variables = [kernel, bias]
        if norm:
            for name, initializer in (("scale", "ones"), ("shift", "zeros")):
                vector = self.add_weight(
                    shape=(*lead, copies, norm),
                    initializer=initializer,
                    trainable=self.trained,
                    name=f"{name}_{number}",
                )
                variables.append(vector)
        banks = [kind(variable, len(lead), self.num_tasks, **maps) for variable in variables]
        self.regions.append(banks)
        return number

    def make_stack(
        self, fan_in: int, sizes: Sequence[int], gain: Any = None, **options: Any
    ) -> slice:
        """Adds dense layers, the last with `gain`; `options` are layer's. Returns the place of
        their regions."""
        start = len(self.regions)
        fan_ins = (fan_in, *sizes[:-1])
        for k, (width, units) in enumerate(zip(fan_ins, sizes), start=1):
            self.layer(width, units, gain=gain if k == len(sizes) else None, **options)
        return slice(start, len(self.regions))

    def code(self, units: int, std: float) -> int:
        """Adds a region, a normal vector for each task `([members,] num_tasks, units)`. Returns its
        number."""
        number = len(self.regions)
        normal = tf.keras.initializers.RandomNormal(stddev=std)
        shape = (*self.lead, self.num_tasks, units)
        variable = self.add_weight(shape=shape, initializer=normal, name=f"code_{number}")
        self.regions.append([Bank(variable, len(self.lead), self.num_tasks)])
        return number

    def state(self, shape: tuple[int, ...], name: str, dtype: str = "float32") -> Any:
        """A variable of zeros that isn't trained: of how the network is made up."""
        return self.add_weight(
            shape=shape, dtype=dtype, initializer="zeros", trainable=False, name=name
        )

    def stack(self, params: Sequence[Sequence[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        """Dense layers with an activation after all but the last."""
        for region in params[:-1]:
            x = self.activation(self.dense(x, region))
        return self.dense(x, params[-1])


def mixed(weights: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Sum over k of weights `(..., tasks, batch or 1, k)` times x `(..., k, tasks, batch, dim)`."""
    # Products and a sum, which XLA fuses: as matrix products these are many and tiny.
    rank = len(weights.shape)
    order = (*range(rank - 3), rank - 1, rank - 3, rank - 2)
    return tf.reduce_sum(tf.transpose(weights, order)[..., None] * x, axis=-4)
