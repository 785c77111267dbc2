"""Networks as functions of each task's own parameters.

A forward pass takes every task's parameters, `(*lead, num_tasks, ...)`, which `expand` makes from
the variables. Row t of them touches the loss of task t alone, so the gradient of the summed losses
is every task's at once; see rl.gradients.per_task.
"""

import contextlib
import threading
from typing import Any, Callable, Iterator, NamedTuple, Optional, Sequence

import tensorflow as tf

from rl.networks.banks import Bank
from rl.networks.layers import Torso, matmul, standardised

ALL_MEMBERS = ...  # as an index: variable[...] is all of it


class Pass(NamedTuple):
    """What went through a layer: y = x kernel + bias, `(..., num_tasks, batch, dim)`; or y = bias,
    without a kernel."""

    kernel: Optional[tf.Tensor]
    bias: tf.Tensor
    x: Optional[tf.Tensor]
    y: tf.Tensor


class _Given(threading.local):
    """What a forward pass is given from outside, in each thread its own: updates may be traced in
    one while another acts.

    Attributes:
      params: what `call` takes for the expanded parameters; None: those of the variables.
      record: is told of what goes through layers.
      member: which of an ensemble the pass is of, as an index of variables that aren't in regions.
    """

    params: Optional[list[list[tf.Tensor]]] = None
    record: Optional[Callable[[Pass], None]] = None
    member: Any = ALL_MEMBERS


class TaskNet(Torso):
    """A torso for `(num_tasks, batch, dim)`; subclasses have `make` and `forward`.

    Args:
      onehot: whether the input ends with the task's one-hot code.
      embedding: size of another code of each task, of unit length, that the input ends with; 0: it
        doesn't. learns: whether that is learned here, as a region; else it is given.
      The others are Torso's.

    Attributes:
      embedding: a variable `(num_tasks, embedding)`, the code before it has unit length; None.
      structure: trained variables that say how the network is made up, with an optimiser of their
        own.

    Input shape: `(num_tasks, batch, in)`. Output shape: `([members,] num_tasks, batch, sizes[-1])`.
    """

    def __init__(
        self,
        *args: Any,
        onehot: bool = True,
        embedding: int = 0,
        learns: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.onehot = onehot
        self.embedding_size = embedding
        self.learns = learns and embedding > 0
        self.embedding: Any = None
        self.structure: list[Any] = []
        self.lead = () if self.members is None else (self.members,)
        self.given = _Given()

    def build(self, input_shape: Any) -> None:
        """Makes every variable; `num_tasks` is the first of `input_shape`."""
        self.num_tasks = input_shape[0]
        self.regions: list[list[Bank]] = []
        codes = self.embedding_size + (self.num_tasks if self.onehot else 0)
        self.make(input_shape[-1] + codes)
        if self.embedding_size:
            self.embedding = self.add_weight(
                shape=(self.num_tasks, self.embedding_size),
                initializer=tf.keras.initializers.RandomNormal(stddev=1.0),
                trainable=self.learns,
                name="embedding",
            )
            if self.learns:
                self.regions.append([Bank(self.embedding, 0, self.num_tasks)])
        banks: list[Bank] = []
        for region in self.regions:
            banks.extend(region)
        variables = [bank.variable for bank in banks]
        maps = [bank.copy for bank in banks if bank.copy is not None]
        for bank in banks:
            maps += bank.states
        self.parameters = variables + maps  # for SavedModel
        self.built = True

    def make(self, fan_in: int) -> None:
        """Adds the layers, for inputs of size `fan_in`."""
        raise NotImplementedError

    def forward(self, params: list[list[tf.Tensor]], x: tf.Tensor) -> tf.Tensor:
        """The network with each task's parameters, by region; x is `(num_tasks, batch, in)`."""
        raise NotImplementedError

    def expand(self, full: bool = True) -> list[list[tf.Tensor]]:
        """Each task's parameters, by region; see `Bank.expand`."""
        return [[bank.expand(full) for bank in region] for region in self.regions]

    def expand_copies(self) -> list[list[tf.Tensor]]:
        """The same, in full, by `Bank.expand_copies`."""
        return [[bank.expand_copies() for bank in region] for region in self.regions]

    @contextlib.contextmanager
    def using(
        self, params: list[list[tf.Tensor]], record: Optional[Callable[[Pass], None]] = None
    ) -> Iterator[None]:
        """Within it `call` takes `params` for what `expand` makes, and tells `record` of what goes
        through layers."""
        self.given.params = params
        self.given.record = record
        try:
            yield
        finally:
            self.given.params = None
            self.given.record = None

    def call(self, x: tf.Tensor, member: Optional[int] = None) -> tf.Tensor:
        """All members, or `member` alone."""
        self.given.member = ALL_MEMBERS if member is None else member
        params = self.given.params or self.expand(full=False)
        embedding = self.embedding
        if self.learns:
            *params, (embedding,) = params
        if member is not None:
            params = [[param[member] for param in region] for region in params]
        if self.onehot:
            x = self.with_code(x, tf.eye(self.num_tasks)[:, None])
        if embedding is not None:
            rows = tf.convert_to_tensor(embedding)
            # Only a code that is learned here is a parameter, with gradients that are recorded.
            rows = self.for_every_sample(rows, x) if self.learns else rows[..., None, :]
            x = self.with_code(x, tf.math.l2_normalize(rows, axis=-1))
        return self.forward(params, x)

    def with_code(self, x: tf.Tensor, code: tf.Tensor) -> tf.Tensor:
        """x `(num_tasks, batch, in)` with a code `(num_tasks, 1 or batch, size)` at its end."""
        tasks, batch = tf.unstack(tf.shape(x)[:2])
        code = tf.broadcast_to(code, (tasks, batch, code.shape[-1]))
        return tf.concat([x, code], axis=-1)

    def dense(self, x: tf.Tensor, params: Sequence[tf.Tensor]) -> tf.Tensor:
        """`(..., tasks, batch, in)` by the kernel and the bias `(..., tasks or 1, ...)` that
        `params` begin with: `(..., tasks, batch, out)`."""
        kernel, bias = params[:2]
        if kernel.shape[-3] > 1 or x.shape[-3] == 1:
            y = matmul(x, kernel, self.precision) + bias[..., None, :]
            return self.recorded(kernel, bias, x, y)
        batch = tf.shape(x)[-2]  # shared: the samples of all tasks in one product
        flat = tf.reshape(x, (*x.shape[:-3], -1, x.shape[-1]))
        flat = matmul(flat, kernel[..., 0, :, :], self.precision) + bias
        return tf.reshape(flat, (*flat.shape[:-2], x.shape[-3], batch, flat.shape[-1]))

    def norm(self, x: tf.Tensor, params: Sequence[tf.Tensor]) -> tf.Tensor:
        """Layer normalisation of `(..., tasks, batch, dim)` by the scale and the shift `(..., tasks
        or 1, dim)` that in `params` follow kernel and bias."""
        _, _, scale, shift = params
        return standardised(x) * self.for_every_sample(scale, x) + self.for_every_sample(shift, x)

    def for_every_sample(self, param: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """A parameter `(..., tasks or 1, dim)` for every sample of x."""
        rows = param[..., None, :]
        if not self.given.record:
            return rows
        return self.recorded(None, param, None, rows + tf.zeros_like(x[..., :1]))

    def recorded(self, kernel: Any, bias: tf.Tensor, x: Any, y: tf.Tensor) -> tf.Tensor:
        """y; a Pass of it is told to who records them."""
        if self.given.record:
            self.given.record(Pass(kernel, bias, x, y))
        return y
