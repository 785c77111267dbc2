"""What learns the logits from which a network's structure is drawn."""

from typing import Any, Sequence

import numpy as np
import tensorflow as tf

from rl.config import UserError
from rl.networks.drawn import DrawnBank, gumbel
from rl.networks.groups import Group
from rl.spec import Update
from rl.splitting.blocks import Slots
from rl.splitting.maps import load_maps
from rl.splitting.watch import BOTH, Watch


class Drawing(Watch):
    """Draws the noise of samples: anew for each update, or where updates compare a policy with
    itself as it acted, for each burst.

    Attributes:
      torsos: the one that is drawn, and its twin in the target network if it has one.
      turn: what learns, one of rl.splitting.watch, int32 `()`.
    """

    def __init__(self, group: Group, twins: Sequence[Any], slots: Slots) -> None:
        del slots
        self.torso = group.torsos[0]
        self.torsos = [self.torso, *twins[:1]]
        self.on_policy = group.on_policy
        self.rng = np.random.default_rng(np.random.randint(2**31))
        self.updates = 0
        self.events: list[dict[str, Any]] = []
        self.turn = tf.Variable(BOTH, trainable=False)
        for bank in self._banks():
            bank.sampled_outside = self.on_policy
            bank.noise.assign(self.rng.gumbel(size=bank.noise.shape))

    def _banks(self) -> list[DrawnBank]:
        """Those of the torso itself; of what a target network says the likeliest counts."""
        banks = []
        for region in self.torso.regions:
            banks += [bank for bank in region if isinstance(bank, DrawnBank)]
        return banks

    @property
    def variables(self) -> list[Any]:
        return [self.turn]

    def begin(self, update: Update) -> None:
        if self.on_policy:
            return
        for number, bank in enumerate(self._banks()):
            bank.noise.assign(gumbel(bank.noise.shape, update.seed + 101 + number))

    def after(self, count: int) -> None:
        self.updates += count
        if self.on_policy:
            for bank in self._banks():
                bank.noise.assign(self.rng.gumbel(size=bank.noise.shape))

    def state(self) -> dict[str, Any]:
        return {
            "updates": self.updates,
            "events": self.events,
            "rng": self.rng.bit_generator.state,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.updates = state["updates"]
        self.events = state["events"]
        self.rng.bit_generator.state = state["rng"]


def load_structure(path: str, name: str, key: str, shape: tuple[int, ...]) -> np.ndarray:
    """What a run's file, or its directory, has of the group `name` under `key`, for `--structure`.

    Raises:
      UserError: there is none, or it isn't ones and zeros, or true and false, of this shape.
    """
    found = load_maps(path, [name], key, "--structure")[name]
    try:
        array = np.array(found, float)
    except (TypeError, ValueError):
        array = np.zeros(0)
    if array.shape != shape or not np.isin(array, (0, 1)).all():
        raise UserError(f"--structure: {name} needs {key} of shape {shape}")
    return array
