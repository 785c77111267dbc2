"""Flags of networks that change while they train."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Changing:
    """The base of the flags of networks that change while they train (see NetworkFlags.changes). It
    has no flags itself."""
