"""Which torsos of a network serve which loss."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Group:
    """Torsos that serve one loss, for gradients per task.

    Attributes:
      torsos: TaskNets, or the torsos of a single task.
      critic: whether they are a critic's, whose losses are never negative.
    """

    torsos: tuple[Any, ...]
    critic: bool = False
