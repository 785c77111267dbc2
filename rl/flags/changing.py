"""Flags of networks that change while they train."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Changing:
    """What the flags of all networks have that change while they train: none of them is one of its
    own."""
