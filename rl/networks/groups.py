"""Which torsos of a network serve which loss."""

import dataclasses
from typing import Any, Mapping


@dataclasses.dataclass(frozen=True)
class Group:
    """Torsos that serve one loss, for gradients per task.

    Attributes:
      torsos: TaskNets, or the torsos of a single task.
      critic: whether they are a critic's, whose losses are never negative.
      on_policy: whether updates compare what they say with what they said when they acted.
      merit: the loss function's info that tells how well each task does, more is better; "": less
        of the loss is.
    """

    torsos: tuple[Any, ...]
    critic: bool = False
    on_policy: bool = False
    merit: str = ""

    def merit_of(self, name: str, losses: Any, info: Mapping[str, Any]) -> Any:
        """How well each task does, more is better, by what the loss function of the group `name`
        returned."""
        if self.merit:
            return info[self.merit]
        return -info.get(name, losses)
