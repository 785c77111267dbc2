"""Structure that is drawn from learned logits: which blocks a task executes, which node is whose
parent.

Samples are of the Gumbel-softmax distribution. Jang et al., 2017: https://arxiv.org/abs/1611.01144;
Maddison et al., 2017: https://arxiv.org/abs/1611.00712
"""

from typing import Any

import tensorflow as tf

from rl.networks.banks import Bank


class DrawnBank(Bank):
    """Logits `(copies, ..., choices)`, the same for all members; in updates a sample of them
    counts, outside the likeliest choice.

    Args:
      lead: the axes of members, that parameters have in front.
      hard: whether samples are one choice each, with the gradient of the soft ones.
      noise: the shape of `variable`, non-trainable: Gumbel noise of the sample.
      temperature: `()`; the lower, the nearer samples are to one choice each. 0: the likeliest
        counts in updates, too.

    Attributes:
      sampled_outside: whether the sample counts outside of updates, too.
    """

    def __init__(
        self,
        variable: Any,
        lead: tuple[int, ...],
        num_tasks: int,
        noise: Any,
        temperature: Any,
        hard: bool = False,
    ) -> None:
        super().__init__(variable, 0, num_tasks)
        self.lead = lead
        self.axis = len(lead)  # of tasks among a parameter's axes
        self.noise = noise
        self.temperature = temperature
        self.hard = hard
        self.sampled_outside = False

    @property
    def states(self) -> list[Any]:
        """Its variables that aren't trained."""
        return [self.noise, self.temperature]

    def likeliest(self) -> tf.Tensor:
        """One-hot, of the shape of the variable; the first of those that are as likely."""
        logits = tf.convert_to_tensor(self.variable)
        return tf.one_hot(tf.argmax(logits, axis=-1), logits.shape[-1])

    def sample(self) -> tf.Tensor:
        """Of the shape of the variable."""
        temperature = tf.maximum(self.temperature, 1e-6)
        soft = tf.nn.softmax((self.variable + self.noise) / temperature)
        drawn = soft
        if self.hard:
            one = tf.one_hot(tf.argmax(soft, axis=-1), soft.shape[-1])
            drawn = soft + tf.stop_gradient(one - soft)
        return tf.where(self.temperature > 0, drawn, self.likeliest())

    def made_of(self, choices: tf.Tensor) -> tf.Tensor:
        """What tasks are told of choices, of the variable's shape: `(*lead, num_tasks, ...)`."""
        return tf.broadcast_to(choices, (*self.lead, self.num_tasks, *choices.shape[1:]))

    def expand(self, full: bool) -> tf.Tensor:
        return self.made_of(self.sample() if self.sampled_outside else self.likeliest())

    def expand_copies(self) -> tf.Tensor:
        return self.made_of(self.sample())


class GateBank(DrawnBank):
    """Logits `(num_tasks, blocks, 2)` of executing a block or skipping it: a task's share of each
    block's output, `(*lead, num_tasks, blocks)`.

    Args:
      learned: bool `(blocks,)`, the blocks that tasks may skip.
    """

    def __init__(self, *args: Any, learned: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.learned = learned

    @property
    def states(self) -> list[Any]:
        return [*super().states, self.learned]

    def made_of(self, choices: tf.Tensor) -> tf.Tensor:
        return super().made_of(tf.where(self.learned, choices[..., 0], 1.0))


def gumbel(shape: Any, seed: tf.Tensor) -> tf.Tensor:
    """Standard Gumbel noise, by two int32 as `seed`; works in compiled functions."""
    uniform = tf.random.stateless_uniform(shape, seed, minval=1e-7, maxval=1.0)
    return -tf.math.log(-tf.math.log(uniform))
