"""Small networks for several tasks, and their gradients."""

import numpy as np
import tensorflow as tf

from rl.config import build
from rl.flags import torsos
from rl.networks import NETWORKS

TASKS = 3
BATCH = 5
OBS = 4
OUT = 2
SIZES = (8, 8, OUT)


def make_net(name, sizes=SIZES, members=None, seed=0, jitter=0.3, **flags):
    """A network without the one-hot code, whose every trained variable is `jitter` off its initial
    value."""
    tf.keras.utils.set_random_seed(seed)
    config = build(torsos.NETWORKS[name].config, flags)
    net = NETWORKS[name](sizes, config, members=members, onehot=False)
    net.build((TASKS, None, OBS))
    rng = np.random.default_rng(seed)
    for variable in net.trainable_variables:
        variable.assign(variable + jitter * rng.normal(size=variable.shape))
    return net


def inputs(batch=BATCH, seed=0):
    """Random observations `(TASKS, batch, OBS)`."""
    rng = np.random.default_rng(seed)
    return tf.constant(rng.normal(size=(TASKS, batch, OBS)), tf.float32)


def gradients_by_task(net, variables):
    """For each of `variables` `(TASKS, ...)`, its gradients of the tasks' losses."""
    with tf.GradientTape(persistent=True) as tape:
        losses = tf.unstack(tf.reduce_sum(net(inputs()) ** 2, axis=(-2, -1)), axis=-1)
    zero = tf.UnconnectedGradients.ZERO
    return [
        np.stack([tape.gradient(loss, variable, unconnected_gradients=zero) for loss in losses])
        for variable in variables
    ]


def is_each_tasks_own(gradients):
    """Whether row t of the variable has a gradient from task t's loss, and from no other.

    Args:
      gradients: `(TASKS, TASKS, ...)`, of the losses, in the rows of the variable.
    """
    from_task = np.abs(gradients).reshape(TASKS, TASKS, -1).max(axis=-1) > 0
    return (from_task == np.eye(TASKS, dtype=bool)).all()


def values_of(net, region, *indices):
    """A region's variables in NumPy, each at `indices`."""
    return [np.array(bank.variable)[indices] for bank in net.regions[region]]


def relu(x):
    return np.maximum(x, 0)
