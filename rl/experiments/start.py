"""`--start_from`: a run begins with the weights that another run has learned.

What it takes over are the networks, target networks too, and what their inputs and values are
scaled by: the moments of observations and of returns. Optimisers, replay, the temperature of SAC
and all random numbers are the new run's own.
"""

import sys
from typing import Any

import tensorflow as tf

from rl.buffers.normaliser import RunningMoments
from rl.config import UserError
from rl.experiments.rundir import RunDir
from rl.files import Damaged, check_tree
from rl.networks import Temperature
from rl.training.checkpoint import Checkpoints


def take_over(loop: Any, source: RunDir) -> None:
    """Gives the networks of `loop` the weights of the newest sound checkpoint of `source`.

    Raises:
      UserError: there is no sound checkpoint, or a weight is missing or has another shape. `loop`
        is then as it was.
    """
    algo = loop.algo
    seen = loop.session.normaliser.seen
    state = _newest_state(source)
    try:
        learned = _select(algo, state["algo"]) | {"obs": state["normaliser"]["seen"]}
        expected = _select(algo, algo.state()) | {"obs": seen.state()}
        check_tree(learned, expected, varying=("source/moments",), name="source")
    except (Damaged, KeyError, TypeError) as error:
        raise UserError(
            f"--start_from: the networks of {source} don't fit this run's: {error}"
        ) from error
    for name, weights in learned["networks"].items():
        for variable, value in zip(getattr(algo, name).variables, weights, strict=True):
            variable.assign(value)
    for name, moments in learned["moments"].items():
        getattr(algo, name).load_state(moments)
    seen.load_state(learned["obs"])
    algo.refresh()


def _newest_state(source: RunDir) -> dict[str, Any]:
    """The newest sound state of a run. Raises a UserError where there is none."""
    checkpoints = Checkpoints(source.path)
    for step in reversed(checkpoints.steps()):
        try:
            return checkpoints.read(step)
        except Damaged as error:
            print(f"--start_from: a checkpoint is damaged ({error})", file=sys.stderr)
    raise UserError(f"--start_from: {source} has no sound checkpoint")


def _select(algo: Any, state: dict[str, Any]) -> dict[str, Any]:
    """Of an algorithm's state, what another run takes over: weights and moments by name."""
    selected: dict[str, Any] = {"networks": {}, "moments": {}}
    for name in algo.saved:
        part = getattr(algo, name)
        if isinstance(part, tf.keras.Model) and not isinstance(part, Temperature):
            selected["networks"][name] = state["variables"][name]
    for name in algo.host:
        if isinstance(getattr(algo, name), RunningMoments):
            selected["moments"][name] = state["host"][name]
    return selected
