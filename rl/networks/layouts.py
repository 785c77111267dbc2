"""How the dense layers of a network follow one another: plainly, or in residual blocks with layer
normalisation.

SimBa, Lee et al., 2024: https://arxiv.org/abs/2410.09754
Reference implementation: https://github.com/SonyResearch/simba
BroNet, Nauman et al., 2024: https://arxiv.org/abs/2405.16158
Reference implementation: https://github.com/naumix/BiggerRegularizedCategorical
Differs from them:
1. `--hidden_sizes` has a number for each block, all the same: two blocks of 512 are `512 512`;
2. kernels start by `--initializer`, the output layer by its own gain; there they are orthogonal,
   with gain sqrt 2 in BroNet, and He normal in SimBa's blocks;
3. blocks have the `--activation` of all networks; there ReLU.
"""

from typing import Any, NamedTuple, Protocol, Sequence

EXPANSION = 4  # how many times as wide SimBa's blocks are inside


class Dense(NamedTuple):
    """A dense layer, before it has parameters.

    norm: the width of the layer normalisation that goes with it, before or after it as the layout
      says; 0: there is none.
    """

    fan_in: int
    units: int
    norm: int = 0


class Operations(Protocol):
    """What a network does with its layers, in whatever array library.

    A layer is a kernel and a bias, then the scale and the shift of its normalisation if it has one.
    """

    activation: Any

    def dense(self, x: Any, layer: Sequence[Any]) -> Any:
        """x times the kernel plus the bias."""

    def norm(self, x: Any, layer: Sequence[Any]) -> Any:
        """Layer normalisation by the layer's scale and shift."""


class Layout:
    """An activation after all layers but the last."""

    def plan(self, fan_in: int, sizes: Sequence[int]) -> list[Dense]:
        """The layers for inputs of size `fan_in`, hidden `sizes` and, the last of them, the
        output."""
        return [Dense(width, units) for width, units in zip((fan_in, *sizes), sizes)]

    def forward(self, net: Operations, layers: Sequence[Sequence[Any]], x: Any) -> Any:
        """The output for x `(..., batch, fan_in)` by `layers` as `plan` has them."""
        for layer in layers[:-1]:
            x = net.activation(net.dense(x, layer))
        return net.dense(x, layers[-1])


class SimBa(Layout):
    """A linear layer, then blocks x + W2 act(W1 norm(x)), of which W1 widens, then norm and
    output."""

    def plan(self, fan_in: int, sizes: Sequence[int]) -> list[Dense]:
        *hidden, out = sizes
        width = hidden[0]
        inside = EXPANSION * width
        layers = [Dense(fan_in, width)]
        for _ in hidden:
            layers += [Dense(width, inside, norm=width), Dense(inside, width)]
        return [*layers, Dense(width, out, norm=width)]

    def forward(self, net: Operations, layers: Sequence[Sequence[Any]], x: Any) -> Any:
        first, *blocks, last = layers
        x = net.dense(x, first)
        for wide, narrow in zip(blocks[::2], blocks[1::2]):
            inside = net.activation(net.dense(net.norm(x, wide), wide))
            x = x + net.dense(inside, narrow)
        return net.dense(net.norm(x, last), last)


class BroNet(Layout):
    """act(norm(W x)), then blocks x + norm(W2 act(norm(W1 x))), then the output."""

    def plan(self, fan_in: int, sizes: Sequence[int]) -> list[Dense]:
        *hidden, out = sizes
        width = hidden[0]
        layers = [Dense(fan_in, width, norm=width)]
        for _ in hidden:
            layers += [Dense(width, width, norm=width), Dense(width, width, norm=width)]
        return [*layers, Dense(width, out)]

    def forward(self, net: Operations, layers: Sequence[Sequence[Any]], x: Any) -> Any:
        first, *blocks, last = layers
        x = net.activation(net.norm(net.dense(x, first), first))
        for one, two in zip(blocks[::2], blocks[1::2]):
            inside = net.activation(net.norm(net.dense(x, one), one))
            x = x + net.norm(net.dense(inside, two), two)
        return net.dense(x, last)


LAYOUTS: dict[str, Layout] = {"dense": Layout(), "simba": SimBa(), "bronet": BroNet()}


def by_layer(plan: Sequence[Dense], params: Sequence[Any]) -> list[list[Any]]:
    """The parameters of each layer of a plan, of all kernels, then biases, scales and shifts."""
    count = len(plan)
    layers = [[kernel, bias] for kernel, bias in zip(params[:count], params[count : 2 * count])]
    normalised = [layer for layer, dense in zip(layers, plan) if dense.norm]
    scales = params[2 * count : 2 * count + len(normalised)]
    shifts = params[2 * count + len(normalised) :]
    for layer, scale, shift in zip(normalised, scales, shifts):
        layer += [scale, shift]
    return layers
